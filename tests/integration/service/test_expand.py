"""`augment expand` against a whole system: what lies in OUT, what a second run does, what a crash leaves."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from kernels import augment
from kernels.codec import decode
from kernels.recipe import Output, Recipe
from service.cli import app
from service.client import Client
from service.expansion.run import ExpandError
from service.expansion.state import State
from service.settings import Settings
from tests.helpers.expanding import RECIPE, batches, files_of, lines_of, order, photos_in, picture, run, submitted
from tests.helpers.stack import Stack, running


def test_every_variant_of_every_picture_under_its_name_with_its_lineage(client: Client, tmp_path: Path) -> None:
    photos = photos_in(tmp_path / "photos", 7)
    (photos / "dogs").mkdir()
    (photos / "dogs" / "Rex.png").write_bytes(picture(100))
    (photos / "dogs" / "rex.jpg").write_bytes(picture(101, "JPEG"))
    (photos / 'say "cheese".png').write_bytes(picture(102))
    (photos / "notes.txt").write_text("not a picture")
    summary = run(client, order(photos, tmp_path / "out"))
    assert (summary.pictures, summary.done, summary.failed, summary.outputs) == (10, 10, 0, 20)
    assert summary.other_files == 1
    files, lines = files_of(tmp_path / "out"), lines_of(tmp_path / "out" / "manifest.jsonl")
    assert sorted(files) == sorted(line["path"] for line in lines)
    assert {"000/0.png", "000/1.png", "dogs/Rex.png/0.png", "dogs/rex.jpg/1.png"} <= set(files)
    for line in lines:
        assert hashlib.sha256(files[line["path"]]).hexdigest() == line["sha256"]
        source = Path(line["source"]).read_bytes()
        replayed = augment([source], Recipe.parse(line["recipe"]), line["seed"], keys=[line["custom_id"]], variants=2)
        assert list(replayed[line["variant"]].draws) == line["draws"]
        assert np.array_equal(replayed[line["variant"]].image, decode(files[line["path"]]))
        assert line["output"] == {"format": "png", "quality": 90, "alpha": "drop"}
        assert line["engine_version"]
        assert line["device"] == "cpu"


def test_a_bad_picture_fails_alone_and_a_mended_one_is_sent_again(client: Client, tmp_path: Path) -> None:
    photos = photos_in(tmp_path / "photos", 4)
    (photos / "text.jpg").write_text("I am not a picture")
    (photos / "cut.jpg").write_bytes(picture(50, "JPEG")[:-300])
    (photos / "empty.png").write_bytes(b"")
    (photos / "gone.png").symlink_to(tmp_path / "nowhere.png")
    summary = run(client, order(photos, tmp_path / "out"))
    assert (summary.done, summary.failed) == (4, 4)
    failures = {line["custom_id"]: line for line in lines_of(tmp_path / "out" / "failures.jsonl")}
    assert failures["text.jpg"]["code"] == "unsupported_format"
    assert failures["cut.jpg"]["code"] == "image_truncated"
    assert failures["gone.png"]["code"] == "unreadable_file"
    assert failures["empty.png"]["detail"]
    (photos / "text.jpg").write_bytes(picture(51, "JPEG"))
    again = run(client, order(photos, tmp_path / "out"))
    assert (again.done, again.failed, again.done_before) == (5, 3, 4)
    assert "text/0.png" in files_of(tmp_path / "out")
    assert submitted(client, tmp_path / "out")["000.png"] == 1


def test_a_second_run_sends_nothing_again_and_takes_new_pictures(client: Client, tmp_path: Path) -> None:
    photos, out = photos_in(tmp_path / "photos", 6), tmp_path / "out"
    run(client, order(photos, out))
    before = files_of(out)
    (photos / "new.png").write_bytes(picture(99))
    (photos / "000.gif").write_bytes(picture(98, "GIF"))  # would have the name of 000.png
    summary = run(client, order(photos, out, seed=None))
    assert (summary.done, summary.done_before, summary.seed) == (8, 6, 7)
    after = files_of(out)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(lines_of(out / "manifest.jsonl")) == 16
    assert set(submitted(client, out).values()) == {1}


@pytest.mark.parametrize("changed", [{"variants": 3}, {"seed": 8}, {"recipe": Recipe.parse({"steps": [{"op": "vflip"}]})}])
def test_other_settings_for_the_same_folder_are_refused(client: Client, tmp_path: Path, changed: dict[str, Any]) -> None:
    photos = photos_in(tmp_path / "photos", 1)
    run(client, order(photos, tmp_path / "out"))
    with pytest.raises(ExpandError, match=f"{next(iter(changed))} was .*, now .*choose a new folder"):
        run(client, order(photos, tmp_path / "out", **changed))


def test_folders_of_others_are_left_alone(client: Client, tmp_path: Path) -> None:
    photos = photos_in(tmp_path / "photos", 1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(ExpandError, match="not empty"):
        run(client, order(photos, tmp_path / "out"))
    assert os.listdir(tmp_path / "out") == ["thesis.txt"]


def test_two_at_once_are_refused(client: Client, tmp_path: Path) -> None:
    photos, out = photos_in(tmp_path / "photos", 1), tmp_path / "out"
    run(client, order(photos, out))
    with (out / ".augment" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ExpandError, match="another `augment expand`"):
            run(client, order(photos, out))


@pytest.mark.parametrize("step", ["submitted", "finish"])
def test_a_crash_between_two_steps_repeats_neither_pictures_nor_lines(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    photos, out = photos_in(tmp_path / "photos", 12), tmp_path / "out"
    crashes = iter(["now"])
    real = getattr(State, step)

    def crash(*arguments: Any) -> None:
        if next(crashes, None):
            raise SystemExit(step)  # the service has answered, or the outputs are in place: nothing of it is on disk
        real(*arguments)

    monkeypatch.setattr(State, step, crash)
    with pytest.raises(SystemExit):
        run(client, order(photos, out, in_flight=1))
    summary = run(client, order(photos, out, in_flight=1))
    assert (summary.done, summary.failed) == (12, 0)
    lines = lines_of(out / "manifest.jsonl")
    assert sorted(line["path"] for line in lines) == sorted(files_of(out))
    assert len(lines) == 24
    assert set(submitted(client, out).values()) == {1}


def test_a_service_that_forgot_its_batches_gets_the_pictures_again(client: Client, tmp_path: Path) -> None:
    photos, out = photos_in(tmp_path / "photos", 3), tmp_path / "out"
    run(client, order(photos, out))
    state = State(out / ".augment")
    state._write("UPDATE chunks SET done = 0, batch_id = '01a2034b-9b3d-72ba-b897-730a12cf4cf0'")
    state._write("UPDATE pictures SET state = 'waiting'")
    state.close()
    assert run(client, order(photos, out)).done == 3
    assert set(submitted(client, out).values()) == {2}


def test_batches_name_the_stored_recipe_and_a_deleted_one_is_sent_as_it_was(client: Client, tmp_path: Path) -> None:
    photos, webp = photos_in(tmp_path / "photos", 2), RECIPE.with_output(Output(format="webp"))
    client.save_recipe("stored", RECIPE.document())
    run(client, order(photos, tmp_path / "named", recipe=webp, recipe_name="stored@1"))
    client.delete_recipe("stored")
    run(client, order(photos, tmp_path / "deleted", recipe=webp, recipe_name="stored@1"))

    (named,), sent = (batches(client, tmp_path / out) for out in ("named", "deleted"))
    assert (named.recipe_name, named.recipe_digest) == ("stored@1", webp.digest)
    assert [(batch.recipe_name, batch.recipe_digest) for batch in sent] == [(None, webp.digest)]
    one, other = (tmp_path / "named", tmp_path / "deleted")
    assert len(files_of(one)) == 4
    assert [(one / name).read_bytes() for name in files_of(one)] == [
        (other / name).read_bytes() for name in files_of(other)
    ]


def test_killed_half_way_the_same_command_ends_with_exactly_the_rows(settings: Settings, tmp_path: Path) -> None:
    photos, out = photos_in(tmp_path / "photos", 60), tmp_path / "out"
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(RECIPE.document()))
    with running(settings, failpoints="ran=sleep:0.02") as stack, Client(str(stack.client.base_url)) as client:
        command = [sys.executable, "-m", "service", "expand", str(photos), "--recipe", str(recipe), "--out", str(out)]
        command += ["--variants", "2", "--seed", "7", "--url", str(stack.client.base_url), "--json"]
        command += ["--batch-pictures", "6", "--in-flight", "2"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as first:
            stack.wait_for(lambda: len(list(out.glob("*/*.png"))) >= 30, what="the first results")
            first.send_signal(signal.SIGKILL)
        reached = len(list(out.glob("*/*.png")))
        assert reached < 120, "it was killed too late to show anything"
        finished = {line["custom_id"] for line in lines_of(out / "manifest.jsonl")}
        time.sleep(0.2)
        second = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        summary = json.loads(second.stdout)
        counts = submitted(client, out)
    assert (summary["done"], summary["failed"]) == (60, 0)
    assert summary["done_before"] > 0
    assert set(counts.values()) == {1}, f"submitted again: {counts}"
    assert finished
    lines = lines_of(out / "manifest.jsonl")
    assert len(lines) == 120
    assert sorted(line["path"] for line in lines) == sorted(files_of(out))


def test_the_command_says_what_is_wrong(shared_stack: Stack, tmp_path: Path) -> None:
    photos = photos_in(tmp_path / "photos", 1)
    (photos / "bad.jpg").write_text("no picture")
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("steps: [{op: hflip}]\n")
    bad.write_text("steps:\n  - {op: hflop}\n")

    def command(recipe: Path, url: str, out: str, *more: str) -> Result:
        words = ["expand", str(photos), "-r", str(recipe), "-o", str(tmp_path / out), "--url", url, *more]
        return CliRunner(env={"COLUMNS": "400"}).invoke(app, words)

    url = str(shared_stack.client.base_url)
    wrong = command(bad, url, "a")
    assert wrong.exit_code == 2
    assert "bad.yaml:2: /steps/0/op: there is no operation 'hflop'; did you mean hflip" in wrong.stderr
    nobody = command(good, "http://127.0.0.1:9", "b")
    assert nobody.exit_code == 3
    assert "augment up" in nobody.stderr
    some_failed = command(good, url, "c")
    assert some_failed.exit_code == 1
    assert "1 pictures failed" in some_failed.stderr
    assert "failures.jsonl" in some_failed.stderr
    resumed = command(good, url, "c", "--json")
    assert json.loads(resumed.stdout)["done_before"] == 1
    changed = command(good, url, "c", "--variants", "9")
    assert changed.exit_code == 2
    assert "variants was 1, now 9" in changed.stderr
