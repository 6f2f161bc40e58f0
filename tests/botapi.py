"""A Bot API on loopback that answers what a test wants, to see what is sent and how failures are met."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from httpx_aiohttp import AiohttpTransport
from telegram.ext import ExtBot

from bot.request import TransportRequest

TOKEN = "123456:made-up-secret"
CHAT = {"id": 7, "type": "private", "first_name": "A"}
MESSAGE = {"message_id": 1, "date": 0, "chat": CHAT}
RESULTS: dict[str, object] = {"sendMediaGroup": [MESSAGE, MESSAGE], "sendChatAction": True, "getUpdates": []}


@dataclass
class Call:
    """A method called, its fields, and its files as (field's name, file's name, bytes)."""

    method: str
    fields: dict[str, Any] = field(default_factory=dict)
    files: list[tuple[str, str, bytes]] = field(default_factory=list)


def answer(result: object) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def error(status: int, description: str, **parameters: object) -> web.Response:
    body: dict[str, object] = {"ok": False, "error_code": status, "description": description}
    return web.json_response(body | ({"parameters": parameters} if parameters else {}), status=status)


Answer = web.StreamResponse | Callable[[web.Request], Any]


class BotApi:
    """The server: `answers` are given first, one by one; None in it breaks the connection."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[Call] = []
        self.answers: list[Answer | None] = []
        self.files: list[Answer | None] = []
        self.file = b""

    async def on_method(self, request: web.Request) -> web.StreamResponse:
        """Note the call and answer it."""
        call = Call(request.match_info["method"])
        if request.content_type == "multipart/form-data":
            reader = await request.multipart()
            while (part := await reader.next()) is not None:
                data = bytes(await part.read())  # type: ignore[union-attr]  # nothing sent is nested
                if part.filename:  # type: ignore[union-attr]  # as above
                    call.files.append((str(part.name), part.filename, data))  # type: ignore[union-attr]  # as above
                else:
                    call.fields[str(part.name)] = data.decode()  # type: ignore[union-attr]  # as above
        elif request.content_type == "application/json":
            call.fields = await request.json()
        else:
            call.fields = dict(await request.post())
        self.calls.append(call)
        if self.answers:
            return await self._give(self.answers.pop(0), request)
        if call.method == "getFile":
            return answer({"file_id": "f", "file_unique_id": "u", "file_path": "photos/one.jpg"})
        return answer(RESULTS.get(call.method, MESSAGE))

    async def on_file(self, request: web.Request) -> web.StreamResponse:
        """Give the file."""
        if self.files:
            return await self._give(self.files.pop(0), request)
        return web.Response(body=self.file)

    async def _give(self, what: Answer | None, request: web.Request) -> web.StreamResponse:
        if what is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if isinstance(what, web.StreamResponse):
            return what
        given: web.StreamResponse = await what(request)
        return given

    def named(self, method: str) -> list[Call]:
        """Give the calls of one method."""
        return [call for call in self.calls if call.method == method]


@asynccontextmanager
async def bot_api() -> AsyncIterator[BotApi]:
    """Serve for as long as the context lasts."""
    api = BotApi()
    app = web.Application(client_max_size=100 * 2**20)
    app.router.add_route("*", f"/bot{TOKEN}/{{method}}", api.on_method)
    app.router.add_get(f"/file/bot{TOKEN}/{{path:.*}}", api.on_file)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield api
    finally:
        await runner.cleanup()


@asynccontextmanager
async def bot_at(url: str) -> AsyncIterator[ExtBot[None]]:
    """Give PTB's client for a server, on the transport the program uses."""
    bot = ExtBot(
        TOKEN,
        base_url=f"{url}/bot",
        base_file_url=f"{url}/file/bot",
        request=TransportRequest(AiohttpTransport(), seconds=60),
    )
    try:
        yield bot
    finally:
        for request in bot._request:
            await request.shutdown()


def client() -> AiohttpTransport:
    """Give what downloads files and polls, as the program makes it."""
    return AiohttpTransport()
