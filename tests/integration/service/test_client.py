"""The Python client against a whole system: every call, as a person would use it."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import uuid
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kernels import augment
from kernels.codec import decode
from service.catalogue.picture import sample
from service.client import Client
from service.client.errors import Invalid, NotFound
from service.client.views import Batch

RECIPE = {"steps": [{"op": "rotate", "degrees": [-20, 20]}, {"op": "hflip", "chance": 0.5}], "output": {"format": "png"}}


def picture(tint: int = 0, form: str = "PNG") -> bytes:
    pixels = np.array(sample().resize((60, 40))) ^ np.uint8(tint)
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, format=form)
    return target.getvalue()


def test_one_picture_is_what_the_library_makes_of_it(client: Client, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(picture())
    content = client.augment(tmp_path / "cat.png", RECIPE, seed=7)
    (expected,) = augment([picture()], RECIPE, seed=7, keys=["cat.png"])
    assert np.array_equal(decode(content), expected.image)


def test_variants_come_in_order_with_their_lineage(client: Client) -> None:
    made = client.variants(picture(), RECIPE, variants=3, seed=7, custom_id="cat")
    assert [output.variant for output, _ in made] == [0, 1, 2]
    for output, content in made:
        assert hashlib.sha256(content).hexdigest() == output.sha256
        assert (output.custom_id, output.seed, len(output.draws)) == ("cat", 7, 2)


def test_bytes_without_a_name_are_named_by_their_hash(client: Client) -> None:
    ((output, _),) = client.variants(picture(1), RECIPE, variants=1, seed=1)
    assert output.custom_id == hashlib.sha256(picture(1)).hexdigest()


def test_what_is_wrong_is_raised(client: Client) -> None:
    with pytest.raises(Invalid) as wrong_recipe:
        client.augment(picture(), {"steps": [{"op": "rotate", "degrees": 1000}]})
    assert (wrong_recipe.value.code, wrong_recipe.value.pointer) == ("recipe_invalid", "/recipe/steps/0/degrees")
    with pytest.raises(Invalid) as no_picture:
        client.augment(b"text", RECIPE)
    assert no_picture.value.code == "unsupported_format"
    with pytest.raises(NotFound):
        client.batch(uuid.uuid4())


def test_an_uploaded_picture_is_kept_once_and_augmented_often(client: Client) -> None:
    first, again = client.upload(picture(2)), client.upload(picture(2))
    assert first.id == again.id
    assert (first.width, first.height, first.format) == (60, 40, "png")
    batch = client.wait(client.submit_images({"a": first.id, "b": first.id}, RECIPE, variants=2, seed=3).id)
    assert (batch.counts.succeeded, batch.outputs.done) == (2, 4)


def test_a_batch_from_submit_to_archive(client: Client, tmp_path: Path) -> None:
    (tmp_path / "file.png").write_bytes(picture(3))
    sent = {"dir/a.png": picture(4), "file.png": tmp_path / "file.png", "bad.jpg": b"text"}
    group = f"test-{uuid.uuid4()}"
    batch = client.submit_batch(sent, RECIPE, variants=2, seed=7, group=group, output={"format": "jpeg", "quality": 80})
    seen: list[Batch] = []
    final = client.wait(batch.id, progress=seen.append, every_s=0.2)
    assert (final.state, final.counts.succeeded, final.counts.failed) == ("completed", 2, 1)
    assert seen[-1].final
    assert [found.id for found in client.batches(group=group)] == [batch.id]
    (failed,) = client.items(batch.id, state="failed")
    assert failed.error is not None
    assert (failed.custom_id, failed.error.code) == ("bad.jpg", "unsupported_format")
    outputs = {(output.custom_id, output.variant): output for output in client.outputs(batch.id)}
    assert set(outputs) == {("dir/a.png", 0), ("dir/a.png", 1), ("file.png", 0), ("file.png", 1)}
    with client.archive(batch.id, form="tar") as pieces:
        tar_bytes = b"".join(pieces)
    with client.archive(batch.id, form="zip") as pieces:
        zip_bytes = b"".join(pieces)
    names = {"dir/a/0.jpg", "dir/a/1.jpg", "file/0.jpg", "file/1.jpg", "manifest.jsonl"}
    with tarfile.open(fileobj=io.BytesIO(tar_bytes)) as tar, zipfile.ZipFile(io.BytesIO(zip_bytes)) as archive:
        assert set(tar.getnames()) == set(archive.namelist()) == names
        assert archive.read("dir/a/1.jpg") == client.content(outputs["dir/a.png", 1].id)


def test_the_same_key_is_the_same_batch(client: Client) -> None:
    key = str(uuid.uuid4())
    first = client.submit_batch({"a.png": picture(5)}, RECIPE, idempotency_key=key)
    assert client.submit_batch({"a.png": picture(5)}, RECIPE, idempotency_key=key).id == first.id
    with pytest.raises(Invalid) as reused:
        client.submit_batch({"a.png": picture(6)}, RECIPE, idempotency_key=key)
    assert reused.value.code == "idempotency_key_reused"


def test_names_with_every_odd_character_come_back(client: Client) -> None:
    names = ['say "hi".png', "zażółć/猫.png", "100%.png", "a;b=c.png", "spaces in it.png"]
    batch = client.wait(client.submit_batch({name: picture(7) for name in names}, RECIPE).id)
    assert sorted(item.custom_id for item in client.items(batch.id)) == sorted(names)


def test_cancel_and_retry(client: Client) -> None:
    damaged = bytearray(picture(8))
    damaged[len(damaged) // 2] ^= 0xFF  # which only decoding can find
    batch = client.wait(client.submit_batch({"bad.png": bytes(damaged), "good.png": picture(8)}, RECIPE).id)
    assert (batch.counts.succeeded, batch.counts.failed) == (1, 1)
    client.retry(batch.id)
    again = client.wait(batch.id)
    assert (again.state, again.counts.succeeded, again.counts.failed) == ("completed", 1, 1)
    many = client.submit_batch({f"{number}.png": picture(number) for number in range(50)}, RECIPE, variants=20)
    client.cancel(many.id)
    assert client.wait(many.id).state in ("cancelled", "completed")


def test_threads_may_share_a_client(client: Client) -> None:
    made: dict[int, bytes] = {}

    def one(number: int) -> None:
        made[number] = client.augment(picture(number), RECIPE, seed=7, custom_id="same")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made.values())) == 8
