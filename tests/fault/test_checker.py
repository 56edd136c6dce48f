"""The checker is checked: it finds nothing in a sound history, and every planted loss, double, swap and breach."""

from __future__ import annotations

import copy
import hashlib
import io
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from PIL import Image

from kernels import augment, codec
from kernels.recipe import Recipe
from tests.helpers.faults.canary import OUTPUT, STEPS, canary, number_of
from tests.helpers.faults.checker import Budgets, Expected, Facts, check, custom_id
from tests.helpers.faults.relay import Relay
from tests.helpers.faults.report import BEGIN, END, VARIABLE, Trial, add, path, read, table, write_into
from tests.helpers.faults.system import Run

BATCH = str(UUID(int=1))
NUMBERS = (11, 12, 13, 20)
EXPECTED = [
    *(Expected(BATCH, number, 2) for number in NUMBERS[:3]),
    Expected(BATCH, 20, 2, frozenset({"image_truncated"})),
]


def sound() -> dict[str, Any]:
    """A history without a fault: three items with two variants each, one that failed as it had to."""
    items, outputs, moves, objects = [], [], [], {}
    for number in NUMBERS:
        item, state = str(uuid4()), "failed" if number == 20 else "succeeded"
        items.append(
            {"id": item, "batch_id": BATCH, "tenant": "t", "custom_id": custom_id(number), "state": state, "executions": 1,
             "crashes": 0, "lease_until": None, "error_code": "image_truncated" if number == 20 else None,
             "source_key": f"t/images/{number}"}
        )  # fmt: skip
        objects[f"t/images/{number}"] = b""
        moves += [
            {"item_id": item, "from_state": "queued", "to_state": "leased"},
            {"item_id": item, "from_state": "leased", "to_state": state},
        ]
        for variant in range(2 if state == "succeeded" else 0):
            key, content = f"t/outputs/{item}/{variant}", canary(number)
            objects[key] = content
            outputs.append(
                {"id": str(uuid4()), "batch_id": BATCH, "item_id": item, "tenant": "t", "variant": variant,
                 "object_key": key, "sha256": hashlib.sha256(content).hexdigest()}
            )  # fmt: skip
    batch = {"id": BATCH, "tenant": "t", "total": 4, "succeeded": 3, "failed": 1, "cancelled": 0}
    return {"batches": [batch], "items": items, "outputs": outputs, "moves": moves, "objects": objects}


def swap(facts: dict[str, Any]) -> None:
    """Two items get each other's results, with rows that fit the bytes: only the canaries know."""
    first, second = facts["outputs"][0], facts["outputs"][2]
    for field in ("object_key", "sha256"):
        first[field], second[field] = second[field], first[field]


def damage(facts: dict[str, Any]) -> None:
    key = facts["outputs"][1]["object_key"]
    facts["objects"][key] = facts["objects"][key][:-1] + b"?"


def replace_by_no_picture(facts: dict[str, Any]) -> None:
    row = facts["outputs"][1]
    facts["objects"][row["object_key"]] = b"no picture"
    row["sha256"] = hashlib.sha256(b"no picture").hexdigest()


PLANTED: dict[str, tuple[Callable[[dict[str, Any]], object], str, str]] = {
    "an item is nowhere": (lambda f: f["items"].pop(0), "I1", "lost"),
    "an item never ends": (lambda f: f["items"][0].update(state="queued"), "I1", "lost"),
    "an item failed that was good": (lambda f: f["items"][0].update(state="failed", error_code="internal"), "I1", "lost"),
    "an item succeeded that was bad": (lambda f: f["items"][3].update(state="succeeded", error_code=None), "I1", "other"),
    "a variant is missing": (lambda f: f["outputs"].pop(0), "I2", "lost"),
    "a variant is there twice": (lambda f: f["outputs"].append(copy.copy(f["outputs"][0])), "I2", "duplicated"),
    "a variant nobody asked for": (lambda f: f["outputs"].append({**f["outputs"][0], "variant": 2}), "I2", "duplicated"),
    "a result of a failed item": (
        lambda f: f["outputs"].append({**f["outputs"][0], "item_id": f["items"][3]["id"]}), "I2", "duplicated"
    ),
    "an object is missing": (lambda f: f["objects"].pop(f["outputs"][0]["object_key"]), "I3", "lost"),
    "an object has other bytes": (damage, "I3", "wrong content"),
    "an object is no picture": (replace_by_no_picture, "I3", "wrong content"),
    "two items' results are swapped": (swap, "I3", "wrong content"),
    "a row is another tenant's": (lambda f: f["outputs"][0].update(tenant="u"), "I4", "other"),
    "an object is another tenant's": (lambda f: f["items"][0].update(source_key="u/images/11"), "I4", "other"),
    "an illegal move": (lambda f: f["moves"][1].update(from_state="queued"), "I5", "other"),
    "a final item goes back": (
        lambda f: f["moves"].append({**f["moves"][1], "from_state": "succeeded", "to_state": "queued"}), "I5", "other"
    ),
    "too many executions": (lambda f: f["items"][0].update(executions=6), "I5", "other"),
    "too many crashes": (lambda f: f["items"][0].update(crashes=4), "I5", "other"),
    "an object of no row": (lambda f: f["objects"].update({"t/outputs/x": b""}), "I6", "other"),
    "a temporary file": (lambda f: f.update(temporary=["t/x#1"]), "I7", "other"),
    "an entry in a lane": (lambda f: f.update(entries=1), "I7", "other"),
    "a lease at rest": (lambda f: f["items"][0].update(lease_until="now"), "I7", "other"),
    "counts that disagree": (lambda f: f["batches"][0].update(succeeded=2), "I8", "other"),
}  # fmt: skip


def test_a_sound_history_has_no_breach() -> None:
    assert check(EXPECTED, Facts(**sound()), collected_after_s=0.0) == []


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found(name: str) -> None:
    plant, invariant, kind = PLANTED[name]
    facts = sound()
    plant(facts)
    facts["ages_s"] = dict.fromkeys(facts["objects"], 100.0)
    found = check(EXPECTED, Facts(**facts), Budgets(), collected_after_s=60.0)
    assert (invariant, kind) in {(violation.invariant, violation.kind) for violation in found}


def test_canaries_survive_their_recipe() -> None:
    numbers = [1, 77, 2**33 + 5, 2**47 - 1]
    recipe = Recipe.parse({"steps": STEPS, "output": OUTPUT})
    made = augment(
        [canary(number) for number in numbers], recipe, seed=5, keys=[custom_id(n) for n in numbers], variants=12
    )
    files = [codec.encode(np.asarray(output.image), recipe.output) for output in made]
    assert [number_of(file) for file in files] == [number for number in numbers for _ in range(12)]
    assert len(set(files)) > 40
    blank = io.BytesIO()
    Image.new("RGB", (64, 64), (90, 90, 90)).save(blank, "PNG")
    assert number_of(blank.getvalue()) is None


def test_the_relay_passes_cuts_and_swallows() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def echo() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        def answer(connection: socket.socket) -> None:
            with connection:
                while content := connection.recv(100):
                    connection.sendall(content)

        threading.Thread(target=echo, daemon=True).start()
        relay = Relay(("127.0.0.1", listening.getsockname()[1]))

        def open_one() -> socket.socket:
            return socket.create_connection(("127.0.0.1", relay.port), timeout=2)

        with open_one() as one, open_one() as other:
            one.sendall(b"hello")
            assert one.recv(100) == b"hello"
            relay.cut_at(b"COMMIT")
            one.sendall(b"COMMIT")
            assert ended(one)
            relay.cut_at(None)
            other.sendall(b"again")
            assert other.recv(100) == b"again"
            relay.mode = "swallow"
            other.sendall(b"lost")
            other.settimeout(0.3)
            with pytest.raises(TimeoutError):
                other.recv(100)
            assert (relay.cut, relay.swallowed) == (1, 4)
            relay.mode = "refuse"
            assert ended(other)
            with open_one() as refused:
                assert ended(refused)
        relay.mode = "pass"
        with open_one() as last:
            last.sendall(b"x")
            assert last.recv(1) == b"x"
        relay.close()


def ended(connection: socket.socket) -> bool:
    connection.settimeout(2)
    try:
        return connection.recv(100) == b""
    except ConnectionError:
        return True


def test_trials_of_all_runs_add_up(tmp_path: Any) -> None:
    file = tmp_path / "faults.json"
    for lost in (0, 2):
        add(Trial("F2", "killed", 100, lost, 0, 0, 0, 1.5 + lost, 3, 1), file)
    add(Trial("F10", "locked", 50, 0, 0, 0, 0, 9.0, 0, 0), file)
    text = table(read(file)["trials"])
    assert text.splitlines()[2:] == [
        "| F2 | killed | 2 | 200 | 2 | 0 | 0 | 0 | 2.5 / 3.5 / 3.5 | 7: 0 | 6 |",
        "| F10 | locked | 1 | 50 | 0 | 0 | 0 | 0 | 9.0 / 9.0 / 9.0 |  | 0 |",
    ]
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nan older table\n{END}\nafter\n")
    for _ in range(2):
        write_into(page, read(file))
        assert page.read_text().startswith(f"before\n{BEGIN}\n3 trials of 2 faults")
        assert page.read_text().endswith(f"\n\n{text}\n\n{END}\nafter\n")
    assert "with 250 acknowledged pictures: 2 lost, 0 duplicated" in page.read_text().replace("\n", " ")


def test_a_try_that_misses_is_made_again_and_is_on_record(
    attempt: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "faults.json"))
    whys = [missed["why"] for missed in read(path()).get("missed", ())]
    if len(whys) < 2:
        Run(None, "F0", "none").hit_in_time([], f"try {len(whys)}")  # type: ignore[arg-type]  # it needs no system
    assert whys == ["F0 did not hit: try 0", "F0 did not hit: try 1"]
