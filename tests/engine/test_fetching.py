"""Links from strangers: what is fetched, what is refused, what is posted."""

import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine import fetching
from engine.fetching import Fetcher, LinkRefused, LinkTooLarge, is_public
from tests.engine.support import running_peer


@contextlib.asynccontextmanager
async def fetching_with(*, allow_private: bool) -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(allow_private=allow_private, max_bytes=200_000)
    try:
        yield fetcher
    finally:
        await fetcher.close()


PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",  # noqa: S104  an address to refuse
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.2.1",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    """Private, local, reserved and wrapped addresses are not public."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses(address: str) -> None:
    """Addresses of the open internet are, also when wrapped in IPv6."""
    assert is_public(address)


HOSTS = ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]  # noqa: S104


@pytest.mark.parametrize("host", HOSTS)
async def test_no_spelling_reaches_this_machine(host: str, tmp_path: Path) -> None:
    """However a link spells this machine, no request arrives and the download is refused."""
    async with running_peer() as peer, fetching_with(allow_private=False) as fetcher:
        url = f"http://{host}:{peer.url.rsplit(':', 1)[1]}/picture"
        with pytest.raises(LinkRefused):
            await fetcher.download(url, tmp_path / "x")
        assert not await fetcher.allows(url)
    assert peer.asked == []


async def test_a_redirect_to_a_private_address_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public host that redirects inside gets the first request only."""
    monkeypatch.setattr(fetching, "is_public", lambda address: address == "127.0.0.1")  # the peer plays a public host
    async with running_peer() as peer, fetching_with(allow_private=False) as fetcher:
        peer.redirect = peer.url.replace("127.0.0.1", "127.0.0.2") + "/picture"
        with pytest.raises(LinkRefused):
            await fetcher.download(f"{peer.url}/elsewhere", tmp_path / "x")
        await fetcher.download(f"{peer.url}/picture", tmp_path / "x")
    assert peer.asked == ["elsewhere", "picture"]


async def test_the_address_connected_to_is_the_one_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is public when it is looked at and private when it is used is refused when it is used."""
    answers = iter(["8.8.8.8", "127.0.0.1"])

    def resolve(_host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    async with running_peer() as peer, fetching_with(allow_private=False) as fetcher:
        url = f"http://rebound.example:{peer.url.rsplit(':', 1)[1]}/picture"
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        assert await fetcher.allows(url)
        with pytest.raises(LinkRefused):
            await fetcher.download(url, tmp_path / "x")
    assert peer.asked == []


@pytest.mark.parametrize("path", ["missing", "loop"])
async def test_links_that_lead_nowhere(path: str, tmp_path: Path) -> None:
    """A 404 and an endless redirect are refused."""
    async with running_peer() as peer, fetching_with(allow_private=True) as fetcher:
        with pytest.raises(LinkRefused):
            await fetcher.download(f"{peer.url}/{path}", tmp_path / "x")


async def test_a_closed_port_is_refused(tmp_path: Path) -> None:
    """Nobody listening there is a refused link too, and an unknown name may resolve later."""
    async with fetching_with(allow_private=True) as fetcher:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            with pytest.raises(LinkRefused):
                await fetcher.download(f"http://127.0.0.1:{sock.getsockname()[1]}/", tmp_path / "x")
        assert await fetcher.allows("http://127.0.0.1/")
    async with fetching_with(allow_private=False) as fetcher:
        assert await fetcher.allows("http://no-such-host.invalid/")


async def test_downloads_are_limited(tmp_path: Path) -> None:
    """More bytes than allowed stop the download; redirects among public places are followed."""
    async with running_peer() as peer, fetching_with(allow_private=True) as fetcher:
        with pytest.raises(LinkTooLarge):
            await fetcher.download(f"{peer.url}/large", tmp_path / "x")
        await fetcher.download(f"{peer.url}/redirect", tmp_path / "y")
    assert (tmp_path / "y").stat().st_size > 0


async def test_callbacks_are_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A callback that fails is posted again, and given up after the last attempt."""
    monkeypatch.setattr(fetching, "CALLBACK_WAITS", (0.0, 0.0, 0.0))
    async with running_peer() as peer, fetching_with(allow_private=True) as fetcher:
        peer.failures = 2
        assert await fetcher.post(f"{peer.url}/callback", {"n": 1})
        peer.failures = 9
        assert not await fetcher.post(f"{peer.url}/callback", {"n": 2})
    assert peer.asked == ["callback"] * 6
    assert peer.bodies.get_nowait() == {"n": 1}
