"""Engines and peers on free loopback ports in the test's own loop, and pictures to send."""

import asyncio
import contextlib
import io
import socket
import time
from collections.abc import AsyncIterator, Callable

import httpx
import uvicorn
from PIL import Image
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from engine.app import build
from engine.config import Config

KEY, OTHER_KEY = "sk-test-one", "sk-test-two"
BEARER = {"Authorization": f"Bearer {KEY}"}
API_KEY = {"X-API-KEY": KEY}


def config(**changes: object) -> Config:
    values: dict[str, object] = {"workers": 1, "operators": "tests.engine.stub"}
    return Config(keys=(SecretStr(KEY), SecretStr(OTHER_KEY)), **(values | changes))  # type: ignore[arg-type]


def picture(size: tuple[int, int] = (40, 30), kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(file, kind)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


class Clock:
    """A clock that moves when told."""

    now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(uvicorn.Config(app, port=0, log_level="error", access_log=False, timeout_graceful_shutdown=1))
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self.ready.set()


@contextlib.asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[str]:
    """Serve an app; yields its URL."""
    server = _Server(app)
    running = asyncio.create_task(server._serve())
    await asyncio.wait({running, ready := asyncio.create_task(server.ready.wait())}, return_when="FIRST_COMPLETED")
    assert ready.done(), running.exception()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running


class Running:
    """An engine that runs, and a client that knows its key."""

    def __init__(self, app: Starlette, url: str, client: httpx.AsyncClient) -> None:
        self.engine = app.state.engine
        self.url = url
        self.client = client

    async def post(self, path: str, data: bytes | None = None, /, **fields: str) -> httpx.Response:
        """Create a task by either dialect's path, with both dialects' keys."""
        parts: dict[str, tuple[str | None, bytes]] = {name: (None, value.encode()) for name, value in fields.items()}
        if "image_url" not in fields:
            parts["image_file"] = ("photo.png", picture() if data is None else data)
        return await self.client.post(path, files=parts)

    async def finished(self, path: str, **headers: str) -> dict[str, object]:
        """Poll a task until it is over."""
        while True:
            data: dict[str, object] = (await self.client.get(path, headers=headers)).json()["data"]
            if data["state"] not in {0, 2, 3, 4}:
                return data


@contextlib.asynccontextmanager
async def running_engine(clock: Callable[[], float] = time.monotonic, **changes: object) -> AsyncIterator[Running]:
    app = build(config(**changes), clock)
    async with serving(app) as url, httpx.AsyncClient(base_url=url, headers=BEARER | API_KEY, timeout=60) as client:
        yield Running(app, url, client)


class Peer:
    """Another server: hosts pictures, takes callbacks, counts what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.bodies: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self.redirect = "/loop"
        self.failures = 0  # callbacks to answer with 500 first
        self.app = Starlette(
            routes=[
                Route("/callback", self._callback, methods=["POST"]),
                Route("/{what:path}", self._host),
            ]
        )

    async def _host(self, request: Request) -> Response:
        what = request.path_params["what"]
        self.asked.append(what)
        if what == "redirect":
            return RedirectResponse("/picture")
        if what in {"loop", "elsewhere"}:
            return RedirectResponse(self.redirect)
        found = {"picture": picture(), "text": b"<html>", "large": bytes(300_000)}
        return Response(found.get(what, b""), 200 if what in found else 404)

    async def _callback(self, request: Request) -> Response:
        self.asked.append("callback")
        if self.failures:
            self.failures -= 1
            return Response(status_code=500)
        self.bodies.put_nowait(await request.json())
        return Response()


@contextlib.asynccontextmanager
async def running_peer() -> AsyncIterator[Peer]:
    peer = Peer()
    async with serving(peer.app) as peer.url:
        yield peer
