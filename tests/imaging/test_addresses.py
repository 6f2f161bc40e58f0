"""Who may be fetched from: the open internet only, after resolving."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.addresses import NotPublicError, PublicResolver, is_public, may_fetch


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104  an address to refuse
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "::",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff0e::1",
        "::ffff:127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "nonsense",
        "",
    ],
)
def test_inside(address: str) -> None:
    """Private, local, reserved and disguised addresses are refused."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_outside(address: str) -> None:
    """Addresses of the open internet are fine, also inside an IPv6 one."""
    assert is_public(address)


@pytest.mark.parametrize(
    ("host", "may"),
    [
        ("example.org", True),
        ("8.8.8.8", True),
        ("10.0.0.1", False),
        ("2130706433", False),
        ("127.1", False),
        ("::1", False),
        ("", False),
    ],
)
def test_hosts(host: str, may: bool) -> None:  # noqa: FBT001  a row of the table
    """A name may be asked (it is resolved later); a number only if it is a public address as usually written."""
    assert may_fetch(host) is may


@given(st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="fc00::/7"))
def test_private_networks(address: object) -> None:
    """No address of a private network slips through."""
    assert not may_fetch(str(address))


async def test_names_that_lead_inside() -> None:
    """A name is judged by all its addresses, and those that were judged are the ones handed on."""
    with pytest.raises(NotPublicError):
        await PublicResolver().resolve("localhost", 80)
    resolver = PublicResolver(allowed=lambda address: address in {"127.0.0.1", "::1"})
    assert all(one["hostname"] == "localhost" for one in await resolver.resolve("localhost", 80))
    await resolver.close()
