"""Plans on disk: what a chunk holds, what survives, what a crash between two steps leaves."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.expansion import state as expand_state
from service.expansion.state import State
from service.expansion.walk import Found, Unreadable


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State(tmp_path)
    opened.begin({"seed": 7})
    yield opened
    opened.close()


def found(name: str, size: int = 10, mtime_ns: int = 1) -> Found:
    return Found(name, name, size, mtime_ns)


def planned(state: State, pictures: int = 256) -> list[list[str]]:
    chunks = []
    while chunk := state.plan(pictures):
        chunks.append([picture.custom_id for picture in chunk.pictures])
    return chunks


def test_chunks_hold_at_most_so_many_files(state: State) -> None:
    state.add(found(f"{number}.jpg") for number in range(7))
    assert planned(state, 3) == [["0.jpg", "1.jpg", "2.jpg"], ["3.jpg", "4.jpg", "5.jpg"], ["6.jpg"]]


def test_chunks_hold_at_most_so_many_bytes_but_always_one_file(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expand_state, "CHUNK_BYTES", 25)
    state.add([found("a.jpg"), found("b.jpg"), found("c.jpg", size=99), found("d.jpg")])
    assert planned(state) == [["a.jpg", "b.jpg"], ["c.jpg"], ["d.jpg"]]


def test_no_picture_is_left_alone_where_two_are_the_least(state: State) -> None:
    state.add(found(f"{number}.jpg") for number in range(7))
    sizes = []
    while chunk := state.plan(3, least=2):
        sizes.append(len(chunk.pictures))
    assert sizes == [3, 4]
    state.add(found(f"new {number}.jpg") for number in range(5))
    sizes = []
    while chunk := state.plan(1, least=2):
        sizes.append(len(chunk.pictures))
    assert sizes == [2, 3]


def test_pictures_that_would_share_a_name_are_never_parted(state: State) -> None:
    state.add(map(found, ["a.jpg", "b.jpg", "B.png", "b.gif", "c.jpg"]))
    assert planned(state, 2) == [["B.png", "a.jpg", "b.gif", "b.jpg"], ["c.jpg"]]


def test_every_picture_is_planned_once_however_often_the_folder_is_read(state: State) -> None:
    for _ in range(2):
        state.add(map(found, ["a.jpg", "b.jpg"]))
    assert planned(state) == [["a.jpg", "b.jpg"]]
    state.add(map(found, ["a.jpg", "b.jpg", "new.jpg"]))
    assert planned(state) == [["new.jpg"]]


def test_a_chunk_keeps_its_key_and_batch_across_runs(tmp_path: Path) -> None:
    first = State(tmp_path)
    first.begin({"seed": 7})
    first.add([found("a.jpg")])
    chunk = first.plan(256)
    assert chunk is not None
    batch_id = uuid.uuid4()
    first.submitted(chunk, batch_id)
    first.close()
    second = State(tmp_path)
    assert second.open_chunks() == [chunk.id]
    again = second.chunk(chunk.id)
    assert (again.key, again.batch_id, again.pictures) == (chunk.key, batch_id, chunk.pictures)
    assert second.settings() == {"seed": 7}
    second.close()


def test_a_finished_chunk_is_never_open_again(state: State) -> None:
    state.add([found("a.jpg"), found("bad.jpg")])
    chunk = state.plan(256)
    assert chunk is not None
    state.finish(chunk, {"a.jpg": "a"}, {"bad.jpg": ("image_corrupt", "it is damaged")}, manifest_bytes=40)
    assert state.open_chunks() == []
    assert state.plan(256) is None
    assert (state.totals().done, state.totals().failed, state.manifest_bytes) == (1, 1, 40)
    assert [(failure.custom_id, failure.code) for failure in state.failures()] == [("bad.jpg", "image_corrupt")]
    assert state.folder_owner("a") == "a.jpg"


def test_a_failed_picture_waits_again_when_its_file_has_changed(state: State) -> None:
    state.add([found("bad.jpg")])
    chunk = state.plan(256)
    assert chunk is not None
    state.finish(chunk, {}, {"bad.jpg": ("image_corrupt", "")}, 0)
    state.add([found("bad.jpg")])
    assert planned(state) == []
    state.add([found("bad.jpg", mtime_ns=2)])
    assert planned(state) == [["bad.jpg"]]


def test_failed_pictures_wait_again_when_asked_for(state: State) -> None:
    state.add([Unreadable("gone.jpg", "gone.jpg", "No such file"), found("a.jpg")])
    assert planned(state) == [["a.jpg"]]
    assert [failure.code for failure in state.failures()] == ["unreadable_file"]
    state.retry_failed()
    assert planned(state) == [["gone.jpg"]]


def test_a_refused_chunk_becomes_two_with_keys_of_their_own(state: State) -> None:
    state.add(map(found, ["a.jpg", "b.jpg", "c.jpg"]))
    chunk = state.plan(256)
    assert chunk is not None
    halves = [state.chunk(number) for number in state.split(chunk)]
    assert [[picture.custom_id for picture in half.pictures] for half in halves] == [["a.jpg"], ["b.jpg", "c.jpg"]]
    assert len({chunk.key, *(half.key for half in halves)}) == 3
    assert state.open_chunks() == [half.id for half in halves]


def test_names_that_are_no_text_survive(state: State) -> None:
    state.add([Found("caf~E9.jpg", "caf\udce9.jpg", 1, 1)])
    chunk = state.plan(256)
    assert chunk is not None
    assert chunk.pictures[0].relative == "caf\udce9.jpg"
