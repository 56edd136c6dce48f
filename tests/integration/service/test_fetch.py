"""Fetching by address from servers that mean well and that do not; names are looked up by the tests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_network

import pytest

from batching.errors import SourceUnreachable, SourceUrlForbidden
from kernels.errors import AugmentationError
from service.references.addresses import Allowed
from service.references.fetch import Fetcher
from tests.helpers.api import jpeg
from tests.helpers.file_server import Page, Site, served

MOST_BYTES = 100_000
PHOTO = jpeg()
LEADING_INSIDE = ("inside", "metadata", "file", "port", "user", "numbers", "odd")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    pages = {
        "/a.jpg": Page(PHOTO),
        "/chunk.jpg": Page(PHOTO, sized=False),
        "/empty": Page(),
        "/full": Page(bytes(MOST_BYTES)),
        "/large": Page(bytes(MOST_BYTES + 1)),
        "/endless": Page(bytes(50_000_000), sized=False),
        "/lying": Page(b"", headers={"Content-Length": "10" * 9}),
        "/short": Page(b"abc", headers={"Content-Length": "500"}),
        "/packed": Page(b"abc", headers={"Content-Encoding": "gzip"}),
        "/slow": Page(bytes(50_000), pause_s=0.2),
        "/wrong": Page(b"no", status=500),
        "/not-modified": Page(status=304),
        "/nowhere": Page(status=302),
        "/header-bomb": Page(PHOTO, headers={"X": "y" * 2**20}),
    }
    with served(pages) as started:
        for number in range(5):
            pages[f"/hop{number}"] = Page(status=302, headers={"Location": f"/hop{number - 1}" if number else "/a.jpg"})
        pages["/loop"] = Page(status=301, headers={"Location": "/loop"})
        for name, target in (
            ("inside", started.url("/a.jpg", "inside.test")),
            ("metadata", "http://169.254.169.254/latest/meta-data/"),
            ("file", "file:///etc/passwd"),
            ("port", "http://good.test:1/"),
            ("user", started.url("/a.jpg", "user:pass@good.test")),
            ("numbers", "http://2130706433/"),
            ("odd", "http://[::1"),
        ):
            pages[f"/to-{name}"] = Page(status=307, headers={"Location": target})
        yield started


class Names:
    """A name server whose answers are lists; each lookup takes the next, and the last stays."""

    def __init__(self, **names: list[list[str]]) -> None:
        self.answers = {f"{name}.test": answers for name, answers in names.items()}
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self.answers.get(host, [[]])
        return answers.pop(0) if len(answers) > 1 else answers[0]


def fetcher(site: Site, names: Names, timeout_s: float = 5.0) -> Fetcher:
    """One to whom 127.0.0.1 is the public internet, for the test's servers are there."""
    allowed = Allowed(frozenset({80, 443, site.port}), (ip_network("127.0.0.1/32"),))
    return Fetcher(allowed, MOST_BYTES, timeout_s, names.resolve)


def usual() -> Names:
    return Names(good=[["127.0.0.1"]], inside=[["10.0.0.1"]], mixed=[["127.0.0.1", "10.0.0.1"]], v6=[["::1"]])


@pytest.mark.parametrize("path", ["/a.jpg", "/chunk.jpg", "/hop0", "/hop2"])
async def test_a_file(site: Site, path: str) -> None:
    names = usual()
    assert await fetcher(site, names).fetch(site.url(path, "good.test")) == PHOTO
    assert site.hosts[-1] == f"good.test:{site.port}", "the name is asked for, not the number"


async def test_limits_are_reached_but_not_passed(site: Site) -> None:
    assert len(await fetcher(site, usual()).fetch(site.url("/full", "good.test"))) == MOST_BYTES
    assert await fetcher(site, usual()).fetch(site.url("/empty", "good.test")) == b""


UNREACHABLE = [
    "/large", "/endless", "/lying", "/short", "/packed", "/slow", "/wrong", "/not-modified", "/nowhere", "/absent", "/loop",
    "/hop3", "/header-bomb",
]  # fmt: skip


async def refusal(site: Site, names: Names, url: str) -> AugmentationError:
    begun_s = time.monotonic()
    with pytest.raises((SourceUnreachable, SourceUrlForbidden)) as caught:
        await fetcher(site, names, timeout_s=1.0).fetch(url)
    assert time.monotonic() - begun_s < 10
    found = caught.value
    assert isinstance(found, AugmentationError)
    return found


async def test_whatever_goes_wrong_behind_an_allowed_address_is_said_in_the_same_words(site: Site) -> None:
    urls = [site.url(path, "good.test") for path in UNREACHABLE]
    urls.append(site.url("/a.jpg", "good.test").replace("http:", "https:"))
    refusals = await asyncio.gather(*(refusal(site, usual(), url) for url in urls))
    assert {(type(error), error.message) for error in refusals} == {
        (SourceUnreachable, SourceUnreachable(MOST_BYTES).message)
    }


async def test_a_closed_port_is_no_different(site: Site) -> None:
    allowed = Allowed(frozenset({9}), (ip_network("127.0.0.1/32"),))
    with pytest.raises(SourceUnreachable):
        await Fetcher(allowed, MOST_BYTES, 5.0, usual().resolve).fetch("http://good.test:9/")


async def test_whatever_leads_inside_is_said_in_the_same_words_and_never_asked(site: Site) -> None:
    before = len(site.asked)
    names = ("inside", "mixed", "v6", "absent")
    refusals = [await refusal(site, usual(), site.url("/a.jpg", f"{name}.test")) for name in names]
    assert len(site.asked) == before
    refusals += [await refusal(site, usual(), site.url(f"/to-{name}", "good.test")) for name in LEADING_INSIDE]
    assert {(type(error), error.message) for error in refusals} == {(SourceUrlForbidden, SourceUrlForbidden().message)}
    assert set(site.asked[before:]) == {
        f"/to-{name}" for name in ("inside", "metadata", "file", "port", "user", "numbers", "odd")
    }


async def test_a_name_that_changes_its_answer_is_looked_up_once(site: Site) -> None:
    names = Names(rebinding=[["127.0.0.1"], ["10.0.0.1"]])
    assert await fetcher(site, names).fetch(site.url("/a.jpg", "rebinding.test")) == PHOTO
    assert names.asked == ["rebinding.test"]


async def test_a_name_that_changes_its_answer_between_redirects_is_refused(site: Site) -> None:
    names = Names(rebinding=[["127.0.0.1"], ["10.0.0.1"]])
    with pytest.raises(SourceUrlForbidden):
        await fetcher(site, names).fetch(site.url("/hop0", "rebinding.test"))
    assert names.asked == ["rebinding.test"] * 2


async def test_a_name_server_that_does_not_answer(site: Site) -> None:
    async def silent(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    with pytest.raises(SourceUnreachable):
        await Fetcher(Allowed(), MOST_BYTES, 0.2, silent).fetch("http://good.test/")


async def test_names_of_this_machine_lead_inside() -> None:
    for host in ("localhost", "ip6-localhost", "no-such-host.invalid"):
        with pytest.raises(SourceUrlForbidden):
            await Fetcher(Allowed(), MOST_BYTES, 20.0).fetch(f"http://{host}/")
