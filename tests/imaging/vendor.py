"""A vendor on loopback that speaks either dialect over a real socket and misbehaves as told."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web
from PIL import Image

from imaging.client import HttpProvider
from imaging.provider import Upload

BODIES = Path(__file__).parent / "bodies"
TASK_ID = "3b950563-e53f-4036-a581-5ac04d0829b3"

EASY = httpx.Timeout(10)
"""Seconds nothing here ever takes, however busy the machine is."""

HASTY = httpx.Timeout(10, read=0.3)
"""For an answer that never comes."""

Behaviour = Callable[["Vendor", web.Request], Awaitable[web.StreamResponse]]


def picture(format_: str = "PNG", size: tuple[int, int] = (30, 40), colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, format_)
    return out.getvalue()


def upload(data: bytes = b"") -> Upload:
    data = data or picture("JPEG")
    return Upload(io.BytesIO(data), len(data), "photo.jpg", "image/jpeg")


def body(name: str, **data: object) -> dict[str, Any]:
    """Give a body of the seeds with fields of `data` changed (None: left out)."""
    found: dict[str, Any] = json.loads((BODIES / f"{name}.json").read_text())
    found["data"] |= data
    found["data"] = {key: value for key, value in found["data"].items() if value is not None}
    return found


def task(state: int, task_id: str = TASK_ID, **data: object) -> dict[str, Any]:
    return {"status": 200, "data": {"task_id": task_id, "state": state, **data}}


@dataclass
class Received:
    """One request as it arrived; a file is in `files` under its field's name."""

    method: str
    path: str
    headers: Mapping[str, str]
    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, tuple[str, str, bytes]] = field(default_factory=dict)
    at: float = 0.0


def says(what: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Behaviour:
    """Answer with JSON (RESULT stands for a result's URL), or with bytes as they are."""

    async def behave(vendor: Vendor, request: web.Request) -> web.StreamResponse:
        del request
        if isinstance(what, bytes):
            return web.Response(body=what, status=status, headers=headers)
        text = json.dumps(what).replace("RESULT", f"{vendor.url}/result?Signature=a%2Fb%2B%3D&Expires=1")
        return web.Response(text=text, status=status, headers=headers, content_type="application/json")

    return behave


async def resets(vendor: Vendor, request: web.Request) -> web.StreamResponse:
    """Cut the connection without an answer."""
    del vendor
    if request.transport:
        request.transport.abort()
    return web.Response()


async def hangs(vendor: Vendor, request: web.Request) -> web.StreamResponse:
    """Never answer."""
    del request
    await vendor.closing.wait()
    return web.Response()


def hurry(provider: HttpProvider, behaviour: Behaviour) -> None:
    """Let a provider's client be impatient where the vendor never answers."""
    if behaviour is hangs:
        provider._connections.timeout = HASTY


async def truncates(vendor: Vendor, request: web.Request) -> web.StreamResponse:
    """Promise a whole picture and send half of it."""
    del vendor
    data = picture()
    response = web.StreamResponse(headers={"Content-Length": str(len(data))})
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    if request.transport:
        request.transport.close()
    return response


class Vendor:
    """Answers POSTs, queries (GET) and results from its scripts; the last behaviour of a script goes on for ever."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[Received] = []
        self.closing = asyncio.Event()
        self.scripts: dict[str, list[Behaviour]] = {
            "POST": [says(task(0))],
            "GET": [says(body("gptge_query"))],
            "result": [says(picture())],
        }

    def will(self, kind: str, *behaviours: Behaviour) -> None:
        """Set the script of POST, GET or result."""
        self.scripts[kind] = list(behaviours)

    def count(self, kind: str) -> int:
        """Say how many requests of a kind came."""
        return sum(_kind(one.method, one.path) == kind for one in self.received)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Write a request down and answer it by the script."""
        got = Received(request.method, request.raw_path, request.headers, at=asyncio.get_running_loop().time())
        self.received.append(got)
        if request.method == "POST":
            for key, value in (await request.post()).items():
                if isinstance(value, web.FileField):
                    got.files[key] = (value.filename, value.content_type, value.file.read())
                else:
                    got.fields[key] = str(value)
        script = self.scripts[_kind(request.method, request.raw_path)]
        behaviour = script.pop(0) if len(script) > 1 else script[0]
        return await behaviour(self, request)


def _kind(method: str, path: str) -> str:
    return "result" if path.startswith("/result") else method


@asynccontextmanager
async def running() -> AsyncIterator[Vendor]:
    vendor = Vendor()
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_route("*", "/{path:.*}", vendor.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield vendor
    finally:
        vendor.closing.set()
        await runner.cleanup()
