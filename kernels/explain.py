"""Explain: how a recipe is run on a CPU: its stages, what fused, what did not and why, what it may cost.

Stages are what the executor itself decides (`cpu.outline`), never worked out a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any

from kernels import costs
from kernels.cpu.outline import Noted, outlined
from kernels.cpu.passes import ALONG_ROUTES, SAMPLE_FLOATS
from kernels.equivalents import EQUIVALENTS
from kernels.op import Container, Within
from kernels.params import Group, Params
from kernels.plan import Plan, PlannedStep, Variant, plan, plans
from kernels.recipe import Recipe
from kernels.tensors import Size
from kernels.tree import tree

SAMPLES = 32
"""Draws that sizes and costs are taken from: chances and ranges as they will be."""
_WHY = {
    "weigh": "a neighbourhood needs finished neighbours",
    "function": "a neighbourhood, or a picture as a whole, needs finished neighbours",
    "measure": "a statistic needs the finished picture",
    "resample": "a chain that shrinks, or moves whole pixels, after steps on pixels is read from planes",
    "mix": "other pictures, or pieces of this one, are laid over finished pixels",
    "rearrange": "whole pixels are moved before anything is computed",
    "blend": "several chains, or those of parts of the picture, begin at finished pixels",
}


def explain(recipe: Recipe, size: Size, seed: int = 0) -> dict[str, Any]:
    """A plain JSON document: stages with every step applied, chances, branches, sizes of results, an estimate of cost.

    Stages are those of one draw, branches and made-up steps as it has them; the estimate is the mean of some, with the
    steps' chances. There are no labels: steps that look at them do what they do without. RecipeInvalid where the recipe
    does not fit a picture of this size.
    """
    always = recipe.model_copy(update={"steps": tuple(_always(step) for step in recipe.steps)})
    whole = plan(always, seed, 0, 0, size)
    drawn = plans(recipe, seed, [Variant(key, 0, size) for key in range(SAMPLES)])
    made = [one.size_out for one in drawn]
    return {
        "size_in": list(size),
        "size_out": {
            "least": [min(one.height for one in made), min(one.width for one in made)],
            "most": [max(one.height for one in made), max(one.width for one in made)],
        },
        "stages": _by_themselves(whole) if recipe.profile == "kornia" else _fused(whole),
        "chances": [
            {"step": step.number, "op": step.op.name, "chance": chance, "says": _chance(chance)}
            for step in tree(recipe).steps
            if (chance := step.params.chance) < 1.0
        ],
        "branches": _branches(recipe),
        "looks": [
            {"step": step.number, "op": step.op.name, "says": "draws by the picture's labels; explained as without any"}
            for step in tree(recipe).steps
            if step.op.aim is not None
        ],
        "cost": _cost(recipe, size, drawn),
    }


def _always(params: Params) -> Params:
    """The step with every chance in it 1."""
    inside = {"steps": tuple(_always(child) for child in params.steps)} if isinstance(params, Group) else {}
    return params.model_copy(update={"chance": 1.0, **inside})


def _branches(recipe: Recipe) -> list[dict[str, Any]]:
    """Of each container how many of the steps inside it carries out, where that is not all of them."""
    found, branches = tree(recipe), []
    for step, inside in zip(found.steps, found.inside, strict=True):
        if isinstance(step.op.kind, Container):
            least, most = step.op.kind.bounds(step.params)
            count = f"{most}" if least == most else f"{least} to {most}"
            says = f"carries out {count} of the {len(inside)} steps in it"
            if least < len(inside):
                branches.append({"step": step.number, "op": step.op.name, "inside": list(inside), "says": says})
    return branches


def _fused(whole: Plan) -> list[dict[str, Any]]:
    shown = outlined(whole)
    return [_stage(number, shown) for number in range(len(shown))]


def _by_themselves(whole: Plan) -> list[dict[str, Any]]:
    """Profile kornia: a stage for each step."""
    return [
        {
            "stage": place + 1,
            "kind": "step",
            "does": "moved and resampled by itself" if step.op.moves_labels else "a step of its own, clamped after it",
            "steps": [step.number],
            "ops": [step.op.name],
            "backend": "Kornia" if step.op.moves_labels or step.op.name in EQUIVALENTS else "torch",
            "size_in": list(step.size_in),
            "size_out": list(step.size_out),
            "shrink": [1, 1],
            "readings": 1,
            "why_not_fused": "profile kornia fuses nothing" if place else None,
            "cost_us": round(_step_us(step), 1),
        }
        for place, step in enumerate(whole.steps)
    ]


def _step_us(step: PlannedStep) -> float:
    return costs.PASS_US + costs.of_work("kornia step") * max(step.size_in.pixels, step.size_out.pixels) / 1000


def _stage(number: int, noted: Sequence[Noted]) -> dict[str, Any]:
    stage = noted[number]
    return {
        "stage": number + 1,
        "kind": stage.kind,
        "does": _does(stage),
        "steps": [step.number for step in stage.steps],
        "ops": [step.op.name for step in stage.steps],
        "backend": _backend(stage),
        "size_in": list(stage.size_in),
        "size_out": list(stage.size_out),
        "shrink": list(stage.shrink),
        "readings": stage.readings,
        "why_not_fused": _why(noted[number - 1], stage) if number else None,
        "cost_us": round(_us(stage), 1),
    }


def _does(stage: Noted) -> str:
    match stage.kind:
        case "rearrange":
            return "whole pixels moved, bit for bit"
        case "resample":
            return "; ".join(["one coordinate chain, resampled once, from planes", *_antialiasing(stage)])
        case "weigh":
            return (
                f"weighted neighbourhood of {stage.taps} x {stage.taps}"
                if stage.taps > 1
                else "neighbourhood of 1: nothing"
            )
        case "function":
            return "a function of its own, on planes"
        case "mix":
            return "laid together with other pictures of the batch"
        case "measure":
            return "a statistic of the picture"
        case "blend":
            count = len(stage.steps[0].chains)
            if isinstance(stage.steps[0].op.kind, Within):
                return "steps of its own" + (f", on {count} parts of the planes" if count > 1 else ", shown in a part")
            return f"{count} chains from the same planes, blended"
        case _:
            return _sweep(stage)


def _sweep(stage: Noted) -> str:
    parts = []
    if stage.front in ALONG_ROUTES:
        parts += ["one coordinate chain, resampled once", *_antialiasing(stage)]
    pixels = [step for step in stage.steps if not step.op.moves_labels]
    if pixels:
        parts.append("pixels in place, clamped after each step")
    if stage.averaged is not None:
        parts.append(f"two sweeps: the mean for step {stage.averaged.number} between them")
    if not parts:
        return "rounded to 8 bits" if stage.is_last else "bytes turned into planes"
    return "; ".join(parts)


def _antialiasing(stage: Noted) -> list[str]:
    """What is done against moiré where a chain shrinks."""
    parts = []
    if stage.shrink != (1, 1):
        parts.append(f"antialiased: boxes of {stage.shrink[0]} x {stage.shrink[1]} averaged first")
    if stage.readings > 1:
        parts.append(f"antialiased: {stage.readings} readings of each pixel averaged")
    return parts


def _why(before: Noted, stage: Noted) -> str:
    """Why a stage is not one with the stage before it."""
    if stage.kind != "sweep":
        return _WHY[stage.kind]
    if before.kind == "rearrange":
        return "whole pixels are moved as bytes, before anything is computed"
    if before.kind != "sweep":
        return _WHY[before.kind]
    if stage.front == SAMPLE_FLOATS:
        return "a chain after steps on pixels reads finished neighbours"
    return "a second mean needs the pixels that the first one changed"


def _backend(stage: Noted) -> str:
    if stage.kind in ("sweep", "weigh"):
        return "compiled"
    if stage.function is None:
        return "torch"
    return _library(stage.function)


def _library(function: Callable[..., object]) -> str:
    """Who runs a function of planes, by the names that it, or what it calls, reads."""
    known, read = function.__globals__, _names(function.__code__)
    called = [known[name].__code__ for name in read if hasattr(known.get(name), "__code__")]
    names = read.union(*map(_names, called))
    return "OpenCV" if "cv2" in names else "compiled" if "kernels" in names else "torch"


def _names(code: CodeType) -> set[str]:
    """The names that a function reads, or a function inside it."""
    inside = [_names(part) for part in code.co_consts if isinstance(part, CodeType)]
    return set(code.co_names).union(*inside)


def _chance(chance: float) -> str:
    return f"runs on {chance:.0%} of pictures; costs nothing for the others" if chance else "never runs"


def _us(stage: Noted) -> float:
    """Microseconds of CPU, an estimate."""
    out = stage.size_out.pixels
    if stage.kind == "blend":
        step = stage.steps[0]
        # each chain of a blend is as large as the picture, the parts of a picture are so together
        parts = 1 if isinstance(step.op.kind, Within) else len(step.chains)
        return sum(_us(each) for each in stage.inside) + parts * costs.of_op(step.op) * out / 1000
    if stage.kind == "measure":  # its arithmetic is counted where the step is applied
        return costs.PASS_US + costs.of_work("sweep") * out / 1000
    ns = sum(costs.of_op(step.op) for step in stage.steps) * out
    if stage.kind == "sweep":
        ns += costs.of_work("sweep") * out * (1 if stage.averaged is None else 2)
        if stage.front in ALONG_ROUTES:
            ns += costs.of_work("chain") * out * stage.readings
        if stage.shrink != (1, 1):
            ns += costs.of_work("shrink") * stage.size_in.pixels
    elif stage.kind in ("resample", "rearrange"):
        ns += costs.of_work(stage.kind) * out * stage.readings
    return costs.PASS_US + ns / 1000


def _pixels_us(recipe: Recipe, one: Plan) -> float:
    if recipe.profile == "kornia":
        return sum(_step_us(step) for step in one.steps)
    return sum(_us(stage) for stage in outlined(one))


def _cost(recipe: Recipe, size: Size, drawn: Sequence[Plan]) -> dict[str, Any]:
    pixels = sum(_pixels_us(recipe, one) for one in drawn) / len(drawn) + costs.PICTURE_US
    made = sum(one.size_out.pixels for one in drawn) / len(drawn)
    decode = costs.of_work("decode jpeg") * size.pixels / 1000
    encode = costs.of_work(f"encode {recipe.output.format}") * made / 1000
    return {
        "is_estimate": True,
        "machine": costs.MACHINE,
        "decode_us": round(decode, 1),
        "pixels_us": round(pixels, 1),
        "encode_us": round(encode, 1),
        "picture_us": round(decode + pixels + encode, 1),
    }
