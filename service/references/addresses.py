"""Which addresses pictures may be fetched from: those of the public internet, and what the operator adds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import quote, urlsplit

from batching.errors import SourceUrlForbidden

Network = IPv4Network | IPv6Network
IpAddress = IPv4Address | IPv6Address

MAX_URL = 2048
DEFAULT_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"[a-z0-9_][a-z0-9_-]{0,62}")
_NUMERIC = re.compile(r"0x[0-9a-f]*|[0-9]+")
_KEPT = "%/:?#[]@!$&'()*+,;=~-._"
"""Characters of an address that are sent as they are; others are written as escapes."""

_NOT_PUBLIC = [
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' own (CGNAT)
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, where clouds tell their secrets
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays from IPv6
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "2001::/23",  # protocols, Teredo among them, which holds an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds an IPv4 address
        "3fff::/20",  # documentation
    )
]
"""Of IANA's special-purpose registries, what lies in the address space of IPv4 and in `_UNICAST`."""
_UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that is given out: outside lie loopback, link-local, private, multicast, and IPv4 in IPv6 (mapped, NAT64)."""


@dataclass(frozen=True)
class Allowed:
    """What the operator allows beyond public addresses on the usual ports."""

    ports: frozenset[int] = frozenset({80, 443})
    networks: tuple[Network, ...] = ()

    def reachable(self, address: str) -> bool:
        """Whether a connection to this IP address may be made."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.networks if network.version == parsed.version) or _public(parsed)


@dataclass(frozen=True)
class Address:
    """A checked http or https address, in the parts that a request is made of."""

    scheme: str
    host: str
    """As it is looked up; an IPv6 address without brackets."""
    port: int
    target: str
    """Path and query."""

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"

    @property
    def filename(self) -> str:
        """The last part of the path; may be empty."""
        return self.target.partition("?")[0].rpartition("/")[2]


def parse_address(url: str, allowed: Allowed) -> Address:
    """The parts of an address that may be asked, as far as can be told without a lookup. SourceUrlForbidden."""
    if len(url) > MAX_URL or not url.isprintable() or " " in url or "\\" in url:
        raise SourceUrlForbidden
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise SourceUrlForbidden from None
    if parts.scheme not in DEFAULT_PORTS or "@" in parts.netloc:
        raise SourceUrlForbidden
    port = DEFAULT_PORTS[parts.scheme] if port is None else port
    if port not in allowed.ports or not _is_host(host, allowed):
        raise SourceUrlForbidden
    target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_KEPT)
    return Address(parts.scheme, host, port, target)


def _is_host(host: str, allowed: Allowed) -> bool:
    """Whether it is a name, or an IP address in its one usual form that may be reached."""
    try:
        ip_address(host)
    except ValueError:
        # other forms of numbers (2130706433, 0x7f.1, 0177.0.0.1) are addresses to some and names to others
        labels = host.removesuffix(".").split(".")
        return len(host) < 255 and all(map(_LABEL.fullmatch, labels)) and not _NUMERIC.fullmatch(labels[-1])
    return allowed.reachable(host)


def _public(address: IpAddress) -> bool:
    if isinstance(address, IPv6Address) and (address not in _UNICAST or address.scope_id is not None):
        return False
    return not any(address in network for network in _NOT_PUBLIC if network.version == address.version)
