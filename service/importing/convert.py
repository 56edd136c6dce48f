"""From the calls of another library's pipeline to steps of ours, with a report of every one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from kernels.aliases import ops_called
from kernels.errors import RecipeInvalid, UnknownOp
from kernels.ops import OPS
from kernels.params import MAX_STEPS
from kernels.recipe import parse_steps
from service.importing.arguments import Arguments
from service.importing.rules import Container, Entry, LabelRule, Missing, Nothing, Reader, Rule, Step, Unmapped
from service.uploads.json_text import escaped

MOST_ITEMS = 256
MOST_DEPTH = 8
_NAME_LENGTH = 80
Verdict = Literal["exact", "different", "missing"]
_NEVER = Step("invert", chance=0.0)
"""Stands for a choice that leaves the picture."""


@dataclass(frozen=True)
class Call:
    """One item of a pipeline as its library writes it: a class, its arguments, its probability if given, its children."""

    name: str
    arguments: Mapping[str, Any]
    pointer: str
    below: str
    """Where its arguments are."""
    p: float | None = None
    children: tuple[tuple[Any, str], ...] = ()
    """What is inside a container, each with its pointer, not read yet."""
    kind: str = ""
    """What a container does, where its arguments decide that and not its class."""


@dataclass(frozen=True)
class Library:
    """A library whose pipelines are read: its classes, and how a call is written."""

    name: str
    entries: Mapping[str, Entry]
    read: Callable[[Any, str], Call]
    """read(document, pointer) -> Call. RecipeInvalid."""
    silent: frozenset[str] = frozenset()
    """Arguments of any class that make no difference to the picture."""
    forced: tuple[str, ...] = ()
    """Kinds of containers whose children's probabilities are weights."""
    notes: tuple[Callable[[Arguments], None], ...] = ()
    """Looks at arguments that any class may have."""


@dataclass
class Item:
    """What became of one item of the pipeline."""

    pointer: str
    """Where it is in the document."""
    name: str
    verdict: Verdict = "exact"
    says: tuple[str, ...] = ()
    """What differs, or why it is missing."""
    nearest: tuple[str, ...] = ()
    """Operations of ours that come close to what is missing."""
    steps: tuple[str, ...] = ()
    """JSON pointers to what it became, in the recipe."""


@dataclass(frozen=True)
class Made:
    """Steps that belong together and are applied with probability `p`."""

    steps: tuple[Step, ...]
    p: float = 1.0


class Converter:
    """Converts one pipeline; holds its report while it grows."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.items: list[Item] = []
        self.labels: dict[str, Any] = {}

    def pipeline(self, calls: Sequence[tuple[Any, str]]) -> list[Step]:
        """Steps for a list of calls, one after the other."""
        return [step for made in self._all(calls, 1) for step in _in_line(made)]

    def labelled(self, name: str, given: Any, pointer: str) -> None:
        """Takes a group of arguments that is a rule for labels."""
        entry = self._library.entries[name]
        assert isinstance(entry, LabelRule)
        if not isinstance(given, Mapping):
            raise RecipeInvalid("must be an object", pointer)
        item = self._item(pointer, name)
        arguments = Arguments(given, pointer)
        self.labels |= entry.read(arguments)
        self._finish(item, arguments)

    def _all(self, calls: Sequence[tuple[Any, str]], depth: int) -> list[Made]:
        if len(calls) + len(self.items) > MOST_ITEMS:
            raise RecipeInvalid(f"the pipeline has more than {MOST_ITEMS} items", calls[0][1].rpartition("/")[0])
        return [made for value, pointer in calls if (made := self._one(value, pointer, depth)) is not None]

    def _one(self, value: Any, pointer: str, depth: int) -> Made | None:
        if depth > MOST_DEPTH:
            raise RecipeInvalid(f"containers are nested more than {MOST_DEPTH} deep", pointer)
        call = self._library.read(value, pointer)
        entry = self._library.entries.get(call.name)
        item = self._item(call.pointer, call.name[:_NAME_LENGTH])
        match entry:
            case None:
                known = tuple(op for op in ops_called(call.name[:_NAME_LENGTH]) if op in OPS)
                _missing(item, f"no class of this name is known of {self._library.name}", known)
                return None
            case Missing(why, nearest):
                _missing(item, why, nearest)
                return None
            case Nothing(why):
                item.says = (why,)
                return Made(())
            case LabelRule(read):
                arguments = Arguments(call.arguments, call.below)
                self.labels |= read(arguments)
                self._finish(item, arguments)
                return None
            case Rule():
                return self._step(item, call, entry)
            case Container():
                return self._container(item, call, entry, depth)

    def _step(self, item: Item, call: Call, entry: Rule) -> Made | None:
        arguments = Arguments(call.arguments, call.below)
        place = len(self.items) - 1
        try:
            steps = tuple(replace(step, source=place) for step in entry.make(arguments))
        except Unmapped as reason:
            _missing(item, reason.why, reason.nearest)
            return None
        made = Made(steps, entry.p if call.p is None else call.p)
        if refusal := _refusal([_as_one(made)] if made.p < 1 else made.steps):
            _missing(item, *refusal)
            return None
        self._finish(item, arguments)
        return made

    def _container(self, item: Item, call: Call, entry: Container, depth: int) -> Made | None:
        arguments = Arguments(call.arguments, call.below)
        place = len(self.items) - 1
        p = entry.p if call.p is None else call.p
        begin = len(self.items)
        if len(call.children) + begin > MOST_ITEMS:
            raise RecipeInvalid(f"the pipeline has more than {MOST_ITEMS} items", call.pointer)
        inside = [self._one(value, pointer, depth + 1) for value, pointer in call.children]
        kind = call.kind or entry.kind
        for note in entry.notes:
            note(arguments)
        refusal: tuple[str, tuple[str, ...]] | None
        try:
            container = self._contained(kind, arguments, inside, place, p, entry.fields)
        except Unmapped as reason:
            container, refusal = Made(()), (reason.why, reason.nearest)
        else:
            refusal = _refusal([_as_one(container)] if container.p < 1 or kind != "line" else container.steps)
        if inside and not any(inside):
            _missing(item, "nothing that is inside it could be mapped")
            return None
        if refusal is not None:
            for other in self.items[begin:]:
                if other.verdict != "missing":
                    _missing(other, "it is inside a container that could not be mapped")
            _missing(item, *refusal)
            return None
        self._finish(item, arguments)
        return container

    def _contained(
        self,
        kind: str,
        arguments: Arguments,
        inside: Sequence[Made | None],
        place: int,
        p: float,
        read: Mapping[str, Reader],
    ) -> Made:
        made = [one for one in inside if one is not None]
        if kind == "line":
            return Made(tuple(step for one in made for step in _in_line(one)), p)
        fields = self._settings(kind, arguments, inside) | {name: reader(arguments) for name, reader in read.items()}
        if (lost := len(inside) - len(made)) and kind in ("one_of", "some_of"):
            arguments.note(f"{lost} of the {len(inside)} choices could not be mapped; the others are drawn more often")
        forced = kind in self._library.forced
        steps = tuple(_as_one(replace(one, p=1.0) if forced else one) for one in made)
        return Made((Step(kind, fields, steps=steps, source=place),), p)

    def _settings(self, kind: str, arguments: Arguments, inside: Sequence[Made | None]) -> dict[str, Any]:
        """How many of the choices are taken, and the weights of those that could be mapped."""
        fields: dict[str, Any] = {}
        weights: list[float] | None = None
        if arguments.has("weights"):
            found = arguments.numbers("weights", (), (len(inside),))
            if min(found, default=0.0) < 0 or sum(found) <= 0:
                raise RecipeInvalid("weights are 0 or more, and one is above 0", arguments.pointer("weights"))
            weights = [weight for weight, one in zip(found, inside, strict=True) if one is not None]
        elif kind in self._library.forced:
            weights = [one.p for one in inside if one is not None]
        if kind in ("one_of", "some_of") and weights is not None and len(set(weights)) > 1:
            fields["weights"] = weights
        if order := arguments.value("order"):
            fields["order"] = order
        if kind == "some_of":
            mapped = sum(one is not None for one in inside)
            counts = [min(round(end), mapped) for end in arguments.numbers("n", (1,), (1, 2))]
            if counts[0] < 0 or counts[0] > counts[-1]:
                raise RecipeInvalid("must be a number, or a pair in order, from 0 up", arguments.pointer("n"))
            fields["n"] = counts[0] if len(set(counts)) == 1 else counts
        return fields

    def _item(self, pointer: str, name: str) -> Item:
        self.items.append(item := Item(pointer, name))
        return item

    def _finish(self, item: Item, arguments: Arguments) -> None:
        """The verdict on an item that was mapped; what nothing has asked for is named."""
        for note in self._library.notes:
            note(arguments)
        for name in arguments.unread():
            if name not in self._library.silent:
                arguments.note(f"the argument {name[:40]!a} is passed over: it is not known")
        item.verdict, item.says = ("different" if arguments.notes else "exact"), tuple(arguments.notes)


def rendered(steps: Sequence[Step], items: Sequence[Item], pointer: str = "/steps") -> list[dict[str, Any]]:
    """Steps as a recipe has them; each item learns which of them are its own."""
    written = []
    for place, step in enumerate(steps):
        where = f"{pointer}/{place}"
        if step.source >= 0 and items:
            items[step.source].steps += (where,)
        document: dict[str, Any] = {"op": step.op, **{name: _positive(value) for name, value in step.fields.items()}}
        if step.chance < 1:
            document["chance"] = step.chance
        if step.steps is not None:
            document["steps"] = rendered(step.steps, items, f"{where}/steps")
        written.append(document)
    return written


def _positive(value: Any) -> Any:
    """The same with 0.0 for -0.0, which would be another digest."""
    if isinstance(value, list):
        return [_positive(one) for one in value]
    return value + 0.0 if isinstance(value, float) else value


def count(steps: Sequence[Step]) -> int:
    """How many steps there are, those inside containers included."""
    return sum(1 + count(step.steps or ()) for step in steps)


def check_count(steps: Sequence[Step]) -> None:
    """Nothing, or RecipeInvalid where they are more than a recipe may have."""
    if (number := count(steps)) > MAX_STEPS:
        raise RecipeInvalid(f"the pipeline becomes {number} steps; a recipe has at most {MAX_STEPS}", "")


def _in_line(made: Made) -> tuple[Step, ...]:
    """Steps that may stand between others."""
    if not made.steps:
        return ()
    return made.steps if made.p >= 1 else (_as_one(made),)


def _as_one(made: Made) -> Step:
    """One step that is applied with the probability of `made`."""
    if not made.steps:
        return _NEVER
    if len(made.steps) == 1:
        return replace(made.steps[0], chance=made.steps[0].chance * made.p)
    return Step("sometimes" if made.p < 1 else "sequence", chance=made.p, steps=made.steps)


def _refusal(steps: Sequence[Step]) -> tuple[str, tuple[str, ...]] | None:
    """Why steps cannot stand in a recipe of this release, and what comes close."""
    try:
        parse_steps(rendered(steps, ()), "")
    except UnknownOp as error:
        return f"this release has no operation `{error.name}`", error.called_here or error.near
    except RecipeInvalid as error:
        field = error.pointer.rpartition("/")[2] if error.pointer else ""
        return f"{'' if field.isdigit() else f'`{field}` '}{error.reason}", (steps[0].op,)
    return None


def _missing(item: Item, why: str, nearest: tuple[str, ...] = ()) -> None:
    item.verdict, item.says, item.nearest = "missing", (why,), tuple(op for op in nearest if op in OPS)


def calls_in(value: Any, pointer: str) -> tuple[tuple[Any, str], ...]:
    """The members of a list of calls, with their pointers. RecipeInvalid."""
    if not isinstance(value, list | tuple):
        raise RecipeInvalid("must be a list", pointer)
    if len(value) > MOST_ITEMS:
        raise RecipeInvalid(f"has {len(value)} items; at most {MOST_ITEMS} are read", pointer)
    return tuple((one, f"{pointer}/{place}") for place, one in enumerate(value))


def named_call(value: Any, pointer: str) -> tuple[str, Mapping[str, Any], str]:
    """Name, arguments and the arguments' pointer of NAME, {NAME: {...}} or {"name": NAME, "arguments": {...}}."""
    if isinstance(value, str):
        return value, {}, pointer
    if not isinstance(value, Mapping) or not value:
        raise RecipeInvalid('must be NAME, {NAME: {...}} or {"name": NAME, "arguments": {...}}', pointer)
    if "name" in value:
        name, given, below = value["name"], value.get("arguments"), f"{pointer}/arguments"
        if unknown := [key for key in value if key not in ("name", "arguments")]:
            raise RecipeInvalid("a call has `name` and `arguments`", f"{pointer}/{escaped(unknown[0])}")
    elif len(value) == 1:
        ((name, given),) = value.items()
        below = f"{pointer}/{escaped(name)}"
    else:
        raise RecipeInvalid('must be {NAME: {...}} or {"name": NAME, "arguments": {...}}', pointer)
    if not isinstance(name, str):
        raise RecipeInvalid("must be the name of a class", f"{pointer}/name")
    if given is not None and not isinstance(given, Mapping):
        raise RecipeInvalid("arguments are an object, each under its name", below)
    return name, given or {}, below


def probability(value: Any, pointer: str) -> float:
    """A probability. RecipeInvalid."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise RecipeInvalid("must be a probability, 0 to 1", pointer)
    return float(value)
