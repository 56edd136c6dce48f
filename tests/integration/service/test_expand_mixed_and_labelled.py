"""`augment expand` against a whole system: pictures that are mixed with others, and labels beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from kernels import augment
from kernels.codec import decode
from kernels.recipe import Recipe
from service.cli import app
from service.client import Client
from service.expansion.expand import expand
from service.expansion.run import ExpandError
from service.expansion.sidecars import Labelling
from service.expansion.state import State
from service.expansion.tally import Tally
from tests.helpers.expanding import files_of, lines_of, order, photos_in, picture, run
from tests.helpers.stack import Stack

MOSAIC = Recipe.parse({"steps": [{"op": "mosaic", "size": [24, 32]}], "output": {"format": "png"}})


def test_mixing_pictures_goes_on_with_the_same_batches(client: Client, tmp_path: Path) -> None:
    photos, out = photos_in(tmp_path / "photos", 11), tmp_path / "out"
    mixing = {"recipe": MOSAIC, "batch_pictures": 5, "in_flight": 1}
    run(client, order(photos, tmp_path / "whole", **mixing))
    whole = files_of(tmp_path / "whole")
    assert len(whole) == 22
    interrupted = Tally()

    def stop() -> None:
        if interrupted.reading().done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        expand(order(photos, out, **mixing), client, interrupted, stop)
    (photos / "0000.png").write_bytes(picture(200))
    (photos / "0001.png").write_bytes(picture(201))
    run(client, order(photos, out, **mixing))
    files = files_of(out)
    assert {name: files[name] for name in whole} == whole
    with pytest.raises(ExpandError, match="batch_pictures was 5, now 4"):
        run(client, order(photos, out, **{**mixing, "batch_pictures": 4}))
    # a result is made again from its picture and the partners that its line names
    for line in lines_of(out / "manifest.jsonl")[:4]:
        names = [line["custom_id"], *(partner["custom_id"] for partner in line["draws"][0]["partners"])]
        sources = {name: (photos / name).read_bytes() for name in names}
        again = augment(list(sources.values()), MOSAIC, line["seed"], keys=list(sources), variants=2)
        assert list(again[line["variant"]].draws) == line["draws"]
        assert np.array_equal(again[line["variant"]].image, decode(files[line["path"]]))


def test_a_picture_without_others_is_not_mixed(client: Client, tmp_path: Path) -> None:
    photos = photos_in(tmp_path / "photos", 1)
    with pytest.raises(ExpandError, match="send at least two pictures together"):
        run(client, order(photos, tmp_path / "out", recipe=MOSAIC))
    (photos / "text.jpg").write_text("I am not a picture")
    (photos / "gone.png").symlink_to(tmp_path / "nowhere.png")
    summary = run(client, order(photos, tmp_path / "out", recipe=MOSAIC))
    assert (summary.done, summary.failed) == (0, 3)
    codes = {line["custom_id"]: line["code"] for line in lines_of(tmp_path / "out" / "failures.jsonl")}
    assert codes["000.png"] == "recipe_invalid"


def test_labels_move_with_their_pictures_and_lie_beside_the_results(client: Client, tmp_path: Path) -> None:
    photos, out = photos_in(tmp_path / "photos", 3), tmp_path / "out"
    (photos / "000.txt").write_text("4 0.25 0.5 0.25 0.5\n1 0.1 0.1 0.3 0.1 0.3 0.4\n")
    (photos / "001.txt").write_text("0 0.95 0.95 0.02 0.02\n")
    classes = np.zeros((30, 40), dtype=np.uint8)
    classes[5:9, 3:8] = 200
    Image.fromarray(classes).save(photos / "001_mask.png")
    (photos / "caption.png").write_bytes(picture(7))
    (photos / "caption.txt").write_text("a cat on a mat")
    (photos / "twice.png").write_bytes(picture(8))
    (photos / "twice.jpg").write_bytes(picture(9, "JPEG"))
    (photos / "twice.txt").write_text("")
    turned = Recipe.parse(
        {"steps": [{"op": "hflip"}, {"op": "center_crop", "size": [20, 40]}], "output": {"format": "png"}}
    )
    summary = run(client, order(photos, out, recipe=turned))
    assert (summary.done, summary.failed, summary.other_files) == (3, 3, 0)
    assert (summary.labels, summary.labels_dropped) == (6, 2)
    box, outline = (out / "000" / "1.txt").read_text().splitlines()
    assert box.split() == ["4", "0.75", "0.5", "0.25", "0.75"]
    assert outline.split()[0] == "1"
    assert (out / "001" / "0.txt").read_text() == ""
    with Image.open(out / "001" / "0_mask.png") as mask:
        assert np.array_equal(np.asarray(mask), classes[5:25, ::-1])
    assert not (out / "002" / "0.txt").exists()
    failures = {line["custom_id"]: line for line in lines_of(out / "failures.jsonl")}
    assert failures["caption.png"]["code"] == "label_invalid"
    assert "caption.txt: line 1" in failures["caption.png"]["detail"]
    assert failures["twice.png"]["code"] == failures["twice.jpg"]["code"] == "label_ambiguous"
    lines = {(line["custom_id"], line["variant"]): line for line in lines_of(out / "manifest.jsonl")}
    assert lines["001.png", 1]["labels"]["dropped"] == [{"kind": "box", "index": 0, "reason": "outside"}]
    assert "mask" not in lines["001.png", 1]["labels"]
    assert lines["001.png", 1]["label_files"] == ["001/1.txt", "001/1_mask.png"]
    assert "label_files" not in lines["002.png", 0]
    # mended label files are a reason to try again, others are not
    (photos / "caption.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    again = run(client, order(photos, out, recipe=turned))
    assert (again.done, again.failed, again.labels) == (4, 2, 8)
    with pytest.raises(ExpandError, match="labels was"):
        run(client, order(photos, out, recipe=turned, labelling=Labelling("none")))


def test_labels_are_the_same_after_a_crash(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = photos_in(tmp_path / "images", 8)
    (tmp_path / "labels").mkdir()
    for number in range(8):
        lines = [f"{number} {0.3 + 0.05 * place} 0.5 0.3 0.4\n" for place in range(4)]
        (tmp_path / "labels" / f"{number:03}.txt").write_text("".join(lines))
    whole = run(client, order(photos, tmp_path / "whole"))
    crashes, real = iter(["now"]), State.finish

    def crash(*arguments: Any) -> None:
        if next(crashes, None):
            raise SystemExit("the outputs are in place, and nothing of it is on disk")
        real(*arguments)

    monkeypatch.setattr(State, "finish", crash)
    with pytest.raises(SystemExit):
        run(client, order(photos, tmp_path / "out", in_flight=1))
    summary = run(client, order(photos, tmp_path / "out", in_flight=1))
    assert (summary.labels, summary.labels_dropped) == (whole.labels, whole.labels_dropped)
    assert summary.labels > 20
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
    assert sum(name.endswith(".txt") for name in files_of(tmp_path / "out")) == 16


def test_the_command_takes_masks_from_a_folder(shared_stack: Stack, tmp_path: Path) -> None:
    photos, masks, recipe = photos_in(tmp_path / "photos", 1), tmp_path / "masks", tmp_path / "recipe.yaml"
    masks.mkdir()
    Image.fromarray(np.full((30, 40), 3, dtype=np.uint8)).save(masks / "000.png")
    recipe.write_text("steps: [{op: hflip}]\n")
    words = [
        "expand",
        str(photos),
        "-r",
        str(recipe),
        "-o",
        str(tmp_path / "out"),
        "--url",
        str(shared_stack.client.base_url),
    ]
    nowhere = CliRunner(env={"COLUMNS": "400"}).invoke(app, [*words, "--masks", str(tmp_path / "nowhere")])
    assert nowhere.exit_code == 2
    assert "--masks is auto, none or a folder" in nowhere.stderr
    made = CliRunner(env={"COLUMNS": "400"}).invoke(app, [*words, "--masks", str(masks)])
    assert made.exit_code == 0, made.stderr
    assert "1 labels moved with them, 0 dropped" in made.stderr
    with Image.open(tmp_path / "out" / "000" / "0_mask.png") as mask:
        assert np.array_equal(np.asarray(mask), np.full((30, 40), 3))
