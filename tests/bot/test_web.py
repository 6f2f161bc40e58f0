"""The web side over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import SecretStr

from bot import web
from bot.metrics import Metrics
from bot.web import MAX_CALLBACK, MAX_UPDATE, make_app, serving
from storage.inbox import RawUpdate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECRET = "the-secret"
HEADERS = {"X-Telegram-Bot-Api-Secret-Token": SECRET}


class House:
    """What stands behind the web side: notes what comes, and can be told to fail."""

    def __init__(self) -> None:
        self.accepted: list[RawUpdate] = []
        self.hints: list[tuple[str, bytes]] = []
        self.said: list[bytes] = []
        self.broken = self.closing = False
        self.asked = 0

    async def accept(self, update: RawUpdate) -> bool:
        """Take an update."""
        if self.broken:
            raise OSError("disk full: /secret/path")
        if not self.closing:
            self.accepted.append(update)
        return not self.closing

    async def on_callback(self, token: str, body: bytes) -> bool:
        """Take a hint."""
        self.said.append(body)
        if self.broken:
            raise OSError("disk full: /secret/path")
        self.hints.append((token, body))
        return token == "known"

    async def check(self) -> None:
        """Be ready, or not."""
        self.asked += 1
        if self.broken:
            raise OSError("disk full: /secret/path")


@pytest.fixture
def house() -> House:
    return House()


@asynccontextmanager
async def browsing(house: House, *, webhook: bool = True, **checks: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(
        metrics=Metrics(),
        checks={"database": house.check, **checks},
        accept=house.accept if webhook else None,
        secret=SecretStr(SECRET),
        on_callback=house.on_callback if webhook else None,
    )
    async with (
        serving(app, "127.0.0.1", 0) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        yield client


async def test_an_update_is_confirmed_after_it_is_accepted(house: House) -> None:
    """A right update answers 200, and stands written down by then."""
    async with browsing(house) as client:
        reply = await client.post("/telegram", json={"update_id": 7, "message": {}}, headers=HEADERS)
        assert (reply.status_code, house.accepted) == (200, [{"update_id": 7, "message": {}}])
        assert "server" not in reply.headers


async def test_an_update_that_cannot_be_kept_is_asked_for_again(house: House) -> None:
    """When writing it down fails, or the process is about to end, Telegram gets a bare 503 and sends it again."""
    for house.broken, house.closing in ((True, False), (False, True)):
        async with browsing(house) as client:
            reply = await client.post("/telegram", json={"update_id": 7}, headers=HEADERS)
            assert (reply.status_code, reply.text) == (503, "")


@pytest.mark.parametrize("given", [None, "", "thé", SECRET[:-1], SECRET + "s", SECRET.upper()])
async def test_without_the_secret_nothing_is_accepted(house: House, given: str | None) -> None:
    """Strangers who found the address are turned away, however near they guess."""
    headers = {} if given is None else {name.encode(): given.encode() for name in HEADERS}
    async with browsing(house) as client:
        assert (await client.post("/telegram", json={"update_id": 7}, headers=headers)).status_code == 403
        assert house.accepted == []


async def test_strangers_are_not_listened_to(house: House) -> None:
    """They hear so before anything of their body has come."""
    async with browsing(house) as client, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        writer.write(b"POST /telegram HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n")
        assert b" 403 " in await reader.readline()
        writer.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"7",
        b"{}",
        b'{"update_id": "7"}',
        b'{"update_id": true}',
        b'{"update_id": -1}',
        b'{"update_id": 1e3}',
        b'{"update_id": 99999999999999999999}',
        b"\xff\xfe{",
        b"[" * 200_000,
    ],
)
async def test_what_is_no_update_is_refused(house: House, body: bytes) -> None:
    """Only a JSON object with a whole-number update_id that fits 64 bits is one."""
    async with browsing(house) as client:
        assert (await client.post("/telegram", content=body, headers=HEADERS)).status_code == 400
        assert house.accepted == []


async def test_a_body_past_the_limit_is_refused(house: House) -> None:
    """An endless body, announced or not, is cut off."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 2**16

    async with browsing(house) as client:
        long = json.dumps({"update_id": 1, "x": "y" * MAX_UPDATE})
        assert (await client.post("/telegram", content=long, headers=HEADERS)).status_code == 413
        with contextlib.suppress(httpx.TransportError):  # it may hang up while we still send: as good
            assert (await client.post("/telegram", content=endless(), headers=HEADERS)).status_code == 413
        assert house.accepted == []


async def test_a_body_that_never_ends_is_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender who announces more than it sends does not hold the line for ever."""
    monkeypatch.setattr(web, "BODY_SECONDS", 0.05)
    async with browsing(house) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        head = f"POST /telegram HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n{next(iter(HEADERS))}: {SECRET}\r\n\r\n{{"
        writer.write(head.encode())
        assert b"408" in await reader.readline()
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("path", ["/telegram", "/callback/known"])
async def test_a_sender_who_hangs_up_is_no_trouble(house: House, caplog: pytest.LogCaptureFixture, path: str) -> None:
    """An upload that is broken off ends its request and nothing else, without a line in the log."""
    async with browsing(house) as client:
        _, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        header = f"{next(iter(HEADERS))}: {SECRET}"
        writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n{header}\r\n\r\n{{".encode())
        await writer.drain()
        assert (await client.get("/healthz")).status_code == 200  # by now the server reads the body
        writer.transport.abort()
    # Serving ends only when every request has.
    assert house.accepted == []
    assert caplog.messages == []


async def test_a_callback_is_a_hint(house: House) -> None:
    """A known token answers 200 and an unknown one 404; the body is handed on, within its limit."""
    async with browsing(house) as client:
        assert (await client.post("/callback/known", content=b"x" * (MAX_CALLBACK + 1))).status_code == 200
        assert (await client.post("/callback/other", content=b"{")).status_code == 404
        assert house.hints == [("known", b""), ("other", b"{")]  # a body past the limit is dropped, the hint counts
        assert house.said == [b"", b"{"]  # too long is as good as nothing said
        house.broken = True
        reply = await client.post("/callback/known")
        assert (reply.status_code, reply.text) == (500, "Internal Server Error")


async def test_alive_and_metrics(house: House) -> None:
    """Liveness asks nobody; the metrics come in Prometheus' format."""
    house.broken = True
    async with browsing(house) as client:
        assert (await client.get("/healthz")).status_code == 200
        reply = await client.get("/metrics")
        assert "darkroom_duplicate_deliveries_total" in reply.text
        assert reply.headers["content-type"].startswith("text/plain")


async def test_ready_when_all_parts_are(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part is named; one that fails or hangs makes 503, and nothing of its error shows."""

    async def hangs() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(web, "CHECK_SECONDS", 0.05)
    async with browsing(house) as client:
        reply = await client.get("/readyz")
        assert (reply.status_code, reply.json()) == (200, {"ready": True, "checks": {"database": "ok"}})
    house.broken = True
    async with browsing(house, telegram=hangs) as client:
        reply = await client.get("/readyz")
        expected = {"ready": False, "checks": {"database": "failed", "telegram": "failed"}}
        assert (reply.status_code, reply.json()) == (503, expected)


async def test_readiness_is_asked_for_rarely(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty questions at once cost one round of checks, until the answer is stale."""
    monkeypatch.setattr(web, "READY_CACHE", 1000.0)
    async with browsing(house) as client:
        await asyncio.gather(*(client.get("/readyz") for _ in range(20)))
        assert house.asked == 1
    monkeypatch.setattr(web, "READY_CACHE", 0.0)
    async with browsing(house) as client:
        await client.get("/readyz")
        await client.get("/readyz")
        assert house.asked == 3


async def test_polling_mode_has_no_doors_for_strangers(house: House) -> None:
    """Without a webhook neither /telegram nor /callback exists."""
    async with browsing(house, webhook=False) as client:
        assert (await client.post("/telegram", headers=HEADERS)).status_code == 404
        assert (await client.post("/callback/known")).status_code == 404


async def test_a_taken_port_is_an_error_and_signals_stay_ours(house: House) -> None:
    """Starting on a port in use raises an OSError that names it; serving leaves the program's signal handlers alone."""
    before = signal.getsignal(signal.SIGTERM)
    async with browsing(house) as client:
        assert signal.getsignal(signal.SIGTERM) is before
        app = make_app(metrics=Metrics(), checks={})
        with pytest.raises(OSError, match=r"listen on 127\.0\.0\.1 port \d+: Address already in use"):
            async with serving(app, "127.0.0.1", client.base_url.port or 0):
                pass  # pragma: no cover


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 on this machine")
async def test_an_ipv6_address_works_too(house: House) -> None:
    """Host names with colons are IPv6 addresses."""
    app = make_app(metrics=Metrics(), checks={"database": house.check})
    try:
        async with serving(app, "::1", 0) as port, httpx.AsyncClient() as client:
            assert (await client.get(f"http://[::1]:{port}/readyz")).status_code == 200
    except OSError:
        pytest.skip("no IPv6 on this machine")
