"""The sandbox's server: the Bot API and the control API on one loopback socket."""

import asyncio
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox import webhooks
from sandbox.botapi import BotApi
from sandbox.client import Telegram
from sandbox.control import Control
from sandbox.faults import Faults
from sandbox.world import World

TOKEN = "123456789:AAsandbox-token-of-no-worth-0123456789"  # noqa: S105  it opens only a sandbox
LAST_WORDS = 1.0
BOTH = ["GET", "POST"]


class Protocol(H11Protocol):
    """uvicorn's protocol, which also hands the application the transport, so that it can break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Remember the connection under each request that comes over it."""
        super().connection_made(transport)
        app = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "sandbox.transport": transport}, receive, send)

        self.app = with_transport


def routes(world: World, faults: Faults) -> list[Route]:
    """Return the server's routes."""
    bots, control = BotApi(world, faults), Control(world, faults)
    return [
        Route("/bot{token}/{method}", bots.call, methods=BOTH),
        Route("/file/bot{token}/{path:path}", bots.download),
        Route("/sandbox/file/{unique}", control.file),
        Route("/sandbox/{action}", control.call, methods=["POST"]),
    ]


class Sandbox:
    """A Telegram on this machine, with one bot to begin with.

    ``async with Sandbox() as tg`` serves on a free loopback port of the running loop and gives the
    client through which people act; ``tg.url`` is where a bot finds its Bot API.
    """

    def __init__(
        self,
        token: str = TOKEN,
        *,
        username: str = "darkroom_bot",
        name: str = "Darkroom",
        privacy: bool = True,
        port: int = 0,
    ) -> None:
        self.world = World()
        self.faults = Faults()
        self.bot = self.world.add_bot(token, username, name, privacy=privacy)
        self._port = port
        self._server: uvicorn.Server | None = None
        self._client: Telegram | None = None

    async def start(self) -> str:
        """Begin to serve; return the URL."""
        # asyncio sets TCP_NODELAY only where the protocol is named; without it each answer waits 40 ms
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        app = Starlette(routes=routes(self.world, self.faults))
        config = uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level=None,
            access_log=False,
            date_header=False,
            server_header=False,
            timeout_keep_alive=60,
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup([listener])
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def stop(self) -> None:
        """Stop serving: end what waits, then break what is still open."""
        self.world.closing.set()
        stopping = [webhooks.stop(bot) for bot in self.world.bots.values()]
        await asyncio.gather(*(task for task in stopping if task), return_exceptions=True)
        if self._server is None:
            return
        for server in self._server.servers:
            server.close()
        for connection in list(self._server.server_state.connections):
            connection.shutdown()
        if tasks := set(self._server.server_state.tasks):
            for task in (await asyncio.wait(tasks, timeout=LAST_WORDS))[1]:
                task.cancel()
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        self._server = None

    async def __aenter__(self) -> Telegram:
        url = await self.start()
        self._client = await Telegram(url, self.bot.token).__aenter__()
        return self._client

    async def __aexit__(self, *exc: object) -> None:
        if self._client:
            await self._client.__aexit__(*exc)
        await self.stop()
