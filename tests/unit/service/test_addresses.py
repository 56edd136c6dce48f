"""Which addresses pictures may be fetched from, told without a lookup."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from batching.errors import SourceUrlForbidden
from service.references.addresses import Allowed, parse_address

PUBLIC = Allowed()


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("http://example.com", "example.com", 80, "/"),
        ("HTTPS://Example.COM/a/b.jpg?size=5&x=%20#part", "example.com", 443, "/a/b.jpg?size=5&x=%20"),
        ("https://example.com:80/", "example.com", 80, "/"),
        ("http://93.184.216.34/a", "93.184.216.34", 80, "/a"),
        ("http://[2606:2800:220:1::1]/a", "2606:2800:220:1::1", 80, "/a"),
        ("http://xn--bcher-kva.example./a", "xn--bcher-kva.example.", 80, "/a"),
        ("http://example.com/猫.jpg", "example.com", 80, "/%E7%8C%AB.jpg"),
        ("http://a_b.example.com/%0d%0aX", "a_b.example.com", 80, "/%0d%0aX"),
    ],
)
def test_addresses_that_may_be_asked(url: str, host: str, port: int, target: str) -> None:
    found = parse_address(url, PUBLIC)
    assert (found.host, found.port, found.target) == (host, port, target)
    assert parse_address(found.url, PUBLIC) == found


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/a.jpg",
        "//example.com/a.jpg",
        "ftp://example.com/a.jpg",
        "file:///etc/passwd",
        "gopher://example.com/",
        "data:image/png;base64,AAAA",
        "http:///a.jpg",
        "http://user:pass@example.com/",
        "http://user@example.com/",
        "http://example.com@127.0.0.1/",
        "http://example.com:22/",
        "http://example.com:8080/",
        "http://example.com:0/",
        "http://example.com:x/",
        "http://example.com:99999/",
        "http://exa mple.com/",
        "http://example.com/a\r\nHost: b",
        "http://example.com\\@127.0.0.1/",
        "http://ex%61mple.com/",
        "http://-example.com/",
        "http://exämple.com/",
        "http://①②⑦.⓪.⓪.①/",
        "http://example..com/",
        "http://" + "a" * 64 + ".com/",
        "http://" + "a." * 200 + "com/",
        "http://example.com/" + "a" * 2048,
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.0.0.1./",
        "http://1.2.3.4.5/",
        "http://localhost.0x1/",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(SourceUrlForbidden):
        parse_address(url, PUBLIC)


INSIDE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "4000::1",
]
OUTSIDE = [
    "8.8.8.8",
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "198.20.0.1",
    "223.255.255.1",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "2001:4860:4860::8888",
    "2001:200::1",
    "2003::1",
]


@pytest.mark.parametrize("address", [*INSIDE, "no address"])
def test_what_is_not_the_public_internet(address: str) -> None:
    assert not PUBLIC.reachable(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_is(address: str) -> None:
    assert PUBLIC.reachable(address)


def test_what_the_operator_adds() -> None:
    wider = Allowed(frozenset({80, 8080}), (ip_network("10.1.0.0/16"), ip_network("fd00::/8")))
    assert parse_address("http://10.1.2.3:8080/a.jpg", wider).filename == "a.jpg"
    assert parse_address("http://[fd00::5]/", wider).filename == ""
    assert [wider.reachable(address) for address in ("10.1.0.1", "10.2.0.1", "::ffff:10.1.0.1", "8.8.8.8")] == [
        True,
        False,
        False,
        True,
    ]
    with pytest.raises(SourceUrlForbidden):
        parse_address("https://10.1.2.3/", wider)
