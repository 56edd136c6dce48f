"""The object store: what was put is got, on every backend; what goes wrong has its own error."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from batching.errors import SourceMissing, StorageFull, StoreUnavailable
from service.settings import Settings
from service.store import LINK_S, ObjectStore, local_store, open_store
from tests.helpers.s3 import s3_server
from tests.helpers.scripted_server import Answer, scripted_server


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """The environment of a server that speaks S3, with the bucket `pictures`."""
    with s3_server() as environment:
        yield environment


@pytest.fixture(params=["local", "fsync", "memory", "s3"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ObjectStore]:
    if request.param == "memory":
        yield ObjectStore(MemoryStore())
        return
    if request.param == "s3":
        for name, value in request.getfixturevalue("s3").items():
            monkeypatch.setenv(name, value)
        yield open_store(Settings(store_url=f"s3://pictures/{tmp_path.name}"))
        return
    yield open_store(Settings(store_url=f"file://{tmp_path}/store", store_fsync=request.param == "fsync"))


def files(folder: Path) -> list[str]:
    """Every file below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def pieces(store: ObjectStore, key: str, first: int = 0, end: int | None = None) -> bytes:
    return b"".join([piece async for piece in store.stream(key, first, end)])


async def test_what_was_put_is_got(store: ObjectStore) -> None:
    content = bytes(range(256)) * 3000
    await store.put("acme/images/ab/picture", content)
    assert await store.get("acme/images/ab/picture") == content
    assert await store.exists("acme/images/ab/picture")
    assert await pieces(store, "acme/images/ab/picture") == content


async def test_an_empty_object_and_odd_names(store: ObjectStore) -> None:
    for key in ("acme/empty", "acme/a b/ü #1x", "acme/50%/x"):
        await store.put(key, b"")
        assert await store.get(key) == b""
        assert await pieces(store, key) == b""


async def test_a_part_is_streamed(store: ObjectStore) -> None:
    await store.put("acme/part", b"0123456789")
    assert await pieces(store, "acme/part", 2, 5) == b"234"
    assert await pieces(store, "acme/part", 7) == b"789"
    assert await pieces(store, "acme/part", 0, 1) == b"0"
    assert await pieces(store, "acme/part", 3, 3) == b""


async def test_a_missing_object_is_its_own_error(store: ObjectStore) -> None:
    with pytest.raises(SourceMissing):
        await store.get("acme/nothing")
    with pytest.raises(SourceMissing):
        await pieces(store, "acme/nothing")
    assert not await store.exists("acme/nothing")


async def test_putting_again_changes_nothing(store: ObjectStore) -> None:
    await store.put("acme/twice", b"same")
    await store.put("acme/twice", b"same")
    assert await store.get("acme/twice") == b"same"


async def test_a_copy_lives_and_dies_alone(store: ObjectStore) -> None:
    await store.put("acme/first/x", b"content")
    await store.copy("acme/first/x", "acme/second/deep/y")
    await store.copy("acme/first/x", "acme/second/deep/y")
    await store.copy("acme/second/deep/y", "acme/third")
    assert await store.get("acme/second/deep/y") == b"content"
    await store.delete(["acme/first/x"])
    assert await store.get("acme/second/deep/y") == b"content"
    await store.put("acme/second/deep/y", b"put again")  # no attempt does that with other bytes
    assert await store.get("acme/third") == b"content"
    await store.delete(["acme/second/deep/y"])
    assert await store.get("acme/third") == b"content"


async def test_a_copy_of_nothing_is_its_own_error(store: ObjectStore) -> None:
    with pytest.raises(SourceMissing):
        await store.copy("acme/nothing", "acme/deep/copy")
    assert not await store.exists("acme/deep/copy")


@pytest.mark.parametrize("number", [errno.EPERM, errno.EMLINK, errno.EXDEV])
async def test_where_a_file_can_have_no_second_name_its_bytes_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(source: str, path: str) -> None:
        raise OSError(number, os.strerror(number), source)

    store = local_store(tmp_path / "store")
    await store.put("acme/first", b"content")
    monkeypatch.setattr(os, "link", refused)
    await store.copy("acme/first", "acme/second/x")
    assert await store.get("acme/second/x") == b"content"
    assert (tmp_path / "store/acme/first").stat().st_nlink == 1


async def test_many_at_once(store: ObjectStore) -> None:
    await asyncio.gather(*(store.put(f"acme/many/{number}/x", str(number).encode()) for number in range(50)))
    found = await asyncio.gather(*(store.get(f"acme/many/{number}/x") for number in range(50)))
    assert found == [str(number).encode() for number in range(50)]


async def test_delete_and_list(store: ObjectStore) -> None:
    for number in range(5):
        await store.put(f"acme/list/{number}", b"x" * number)
    await store.put("acme/listed-elsewhere", b"")
    assert {(found.key, found.bytes) async for found in store.objects("acme/list")} == {
        (f"acme/list/{number}", number) for number in range(5)
    }
    await store.delete([f"acme/list/{number}" for number in range(4)] + ["acme/list/never-there"])
    assert [found.key async for found in store.objects("acme/list")] == ["acme/list/4"]


async def test_ready(store: ObjectStore) -> None:
    await store.ready()
    await store.ready()


async def test_no_temporary_file_stays(tmp_path: Path) -> None:
    store = local_store(tmp_path / "store")
    await store.put("a/b/c", b"x")
    assert files(tmp_path) == ["store/a/b/c"]
    await store.delete(["a/b/c"])
    assert os.listdir(tmp_path / "store") == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", "", "a\0b"])
async def test_no_key_leaves_the_folder(tmp_path: Path, key: str) -> None:
    store = local_store(tmp_path / "store")
    for call in (store.put(key, b"x"), store.get(key)):
        with pytest.raises(ValueError, match="not an object key"):
            await call
    assert files(tmp_path) == []


async def test_puts_and_deletes_of_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    store = local_store(tmp_path / "store")

    async def one(number: int) -> None:
        for turn in range(30):
            await store.put(f"a/b/{number}/{turn}", b"x")
            assert await store.get(f"a/b/{number}/{turn}") == b"x"
            await store.delete([f"a/b/{number}/{turn}"])

    await asyncio.gather(*(one(number) for number in range(6)))


async def test_a_full_disk_is_storage_full_and_leaves_nothing(small_disk: Path) -> None:
    store = local_store(small_disk / "store")
    with pytest.raises(StorageFull):
        await store.put("a/big", b"x" * 2_000_000)
    assert files(small_disk) == []
    await store.put("a/small", b"x")
    assert await store.get("a/small") == b"x"


async def test_a_broken_store_is_unavailable_and_names_no_path_to_clients(tmp_path: Path) -> None:
    store = local_store(tmp_path / "store")
    (tmp_path / "store" / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable):
        await store.put("file/below", b"x")


def s3_at(url: str, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """A store in the bucket `pictures` of whatever listens there."""
    for name, value in {"ENDPOINT_URL": url, "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "REGION": "x"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return open_store(Settings(store_url="s3://pictures"))


async def test_an_endpoint_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreUnavailable):
        await s3_at("http://127.0.0.1:9", monkeypatch).get("x")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(507, b""), StorageFull),
        (Answer(403, b'<?xml version="1.0"?>\n<Error><Code>QuotaExceeded</Code></Error>'), StorageFull),
        (Answer(400, b"<Error><Code>XMinioStorageFull</Code></Error>"), StorageFull),
        (Answer(403, b"<Error><Code>AccessDenied</Code></Error>"), StoreUnavailable),
        (Answer(400, b"<Error>after 507 ms</Error>"), StoreUnavailable),
    ],
)
async def test_only_a_store_that_says_so_is_full(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, error: type[Exception]
) -> None:
    with scripted_server(answer) as server, pytest.raises(error):
        # a key that names what a full store says
        await s3_at(server.url, monkeypatch).put("507/QuotaExceeded", b"x")


@pytest.mark.parametrize("url", ["ftp://x/y", "s3://", "file://relative/path", "/plain/path", "file://"])
def test_a_url_that_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"(?i)store_url"):
        open_store(Settings(store_url=url))


def test_the_default_is_a_folder_under_data(tmp_path: Path) -> None:
    store = open_store(Settings(data=tmp_path))
    assert (tmp_path / "store").is_dir()
    assert store.shared


async def test_a_link_leads_to_the_bytes_for_a_while_and_only_in_s3(
    store: ObjectStore, request: pytest.FixtureRequest
) -> None:
    await store.put("acme/outputs/1", b"\xff\xd8\xff picture")

    link = await store.link("acme/outputs/1", "GET")

    if not request.node.name.endswith("[s3]"):
        assert link is None
        return
    assert link is not None
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)
    assert asked["X-Amz-Expires"] == [str(LINK_S)]
    with await asyncio.to_thread(urllib.request.urlopen, link, timeout=10) as answer:
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert answer.read() == b"\xff\xd8\xff picture"


async def test_links_are_not_given_where_they_are_not_wanted(
    s3: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    store = open_store(Settings(store_url=f"s3://pictures/{tmp_path.name}", store_signed_reads=False))
    await store.put("acme/outputs/1", b"bytes")

    assert await store.link("acme/outputs/1", "GET") is None
