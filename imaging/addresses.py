"""Which addresses may be fetched from when somebody else chose the URL: public ones only."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

if TYPE_CHECKING:
    from collections.abc import Callable

_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Say whether an IP address belongs to the open internet; an IPv4 one inside an IPv6 one counts too."""
    try:
        ip = ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def may_fetch(host: str) -> bool:
    """Say whether a URL's host may be asked at all: a name (its addresses are checked later) or a public IP.

    Numbers in any other notation (`2130706433`, `127.1`) are refused: systems disagree about their meaning.
    """
    return is_public(host) if ":" in host or host.replace(".", "").isdigit() else bool(host)


class NotPublicError(OSError):
    """A name leads to an address that is not public."""


class PublicResolver(AbstractResolver):
    """Resolves names for aiohttp, which connects to exactly the addresses checked here.

    One address that is not allowed spoils the whole answer: a name that points inside as well is an attack.
    """

    def __init__(self, allowed: Callable[[str], bool] = is_public) -> None:
        self._allowed = allowed
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Resolve `host`. Raises OSError when it has no address, NotPublicError when one is not public."""
        found = await self._resolver.resolve(host, port, family)
        if not found or not all(self._allowed(one["host"]) for one in found):
            raise NotPublicError
        return found

    async def close(self) -> None:
        """Nothing is held."""
