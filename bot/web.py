"""The web side: Telegram's webhook, providers' callbacks, /healthz, /readyz and /metrics on uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import socket
from typing import TYPE_CHECKING

import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from storage.inbox import is_update

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    from pydantic import SecretStr
    from starlette.requests import Request

    from bot.metrics import Metrics
    from storage.inbox import RawUpdate

MAX_UPDATE = 2**20  # bytes; Telegram's updates stay far below
MAX_CALLBACK = 2**16  # bytes of a callback's body that are read
BODY_SECONDS = 10.0  # a body that takes longer is an attack or a dead line
CHECK_SECONDS = 3.0  # longest time one readiness check may take
READY_CACHE = 5.0  # seconds an answer of /readyz is reused, so that asking often costs nothing
STOP_SECONDS = 3  # grace for open requests at the end; the whole program has 10

log = structlog.get_logger()


class _TooLargeError(Exception):
    """The body is longer than allowed."""


async def _body(request: Request, limit: int) -> bytes:
    """Read at most `limit` bytes.

    Raises _TooLargeError past them, TimeoutError for a dawdling sender, ClientDisconnect for one that went away.
    """
    body = bytearray()
    async with asyncio.timeout(BODY_SECONDS):
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise _TooLargeError
    return bytes(body)


def _as_update(body: bytes) -> RawUpdate | None:
    """Return the update in `body`, or None when it is not one."""
    try:
        update = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return update if is_update(update) else None


class Readiness:
    """Runs named checks side by side; a check raises when its part is not ready. Answers are cached."""

    def __init__(self, checks: Mapping[str, Callable[[], Awaitable[object]]]) -> None:
        self._checks = checks
        self._lock = asyncio.Lock()
        self._answer: dict[str, bool] = {}
        self._stale_at = float("-inf")

    async def states(self) -> dict[str, bool]:
        """Return whether each part is ready."""
        async with self._lock:
            now = asyncio.get_running_loop().time
            if now() >= self._stale_at:
                outcomes = await asyncio.gather(*(self._try(name) for name in self._checks))
                self._answer = dict(zip(self._checks, outcomes, strict=True))
                self._stale_at = now() + READY_CACHE
            return self._answer

    async def _try(self, name: str) -> bool:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._checks[name]()
        except Exception as error:  # noqa: BLE001  whatever fails in a check means "not ready"
            log.warning("not ready", part=name, error=repr(error))
            return False
        return True


def make_app(
    *,
    metrics: Metrics,
    checks: Mapping[str, Callable[[], Awaitable[object]]],
    accept: Callable[[RawUpdate], Awaitable[bool]] | None = None,
    secret: SecretStr | None = None,
    on_callback: Callable[[str, bytes], Awaitable[bool]] | None = None,
) -> Starlette:
    """Make the application; `accept` and `on_callback` decide whether /telegram and /callback exist.

    `accept` returns once the update is written down, and raises when it could not be or gives False when no more are
    taken (Telegram then sends it again, which may reach another process). `secret` must come with `accept`.
    `on_callback` takes the URL's token and the body, and tells whether it was known.
    """
    readiness = Readiness(checks)

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(_request: Request) -> Response:
        states = await readiness.states()
        ready = all(states.values())
        words = {name: "ok" if fine else "failed" for name, fine in states.items()}
        return JSONResponse({"ready": ready, "checks": words}, 200 if ready else 503)

    async def show_metrics(_request: Request) -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)

    routes = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", show_metrics)]
    if accept and secret:
        routes.append(Route("/telegram", _telegram(accept, secret), methods=["POST"]))
    if on_callback:
        routes.append(Route("/callback/{token}", _callback(on_callback), methods=["POST"]))
    return Starlette(routes=routes)


def _telegram(
    accept: Callable[[RawUpdate], Awaitable[bool]], secret: SecretStr
) -> Callable[[Request], Awaitable[Response]]:
    expected = secret.get_secret_value().encode()

    async def telegram(request: Request) -> Response:
        given = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        if not hmac.compare_digest(given.encode(), expected):
            return Response(status_code=403)
        try:
            update = _as_update(await _body(request, MAX_UPDATE))
        except _TooLargeError:
            return Response(status_code=413)
        except TimeoutError:
            return Response(status_code=408)
        except ClientDisconnect:
            return Response(status_code=400)  # heard by nobody
        if update is None:
            return Response(status_code=400)
        try:
            taken = await accept(update)
        except Exception:
            log.exception("update not accepted", update_id=update["update_id"])
            taken = False
        # Anything but 2xx makes Telegram send the update again, which is just what is wanted here.
        return Response(status_code=200 if taken else 503)

    return telegram


def _callback(on_callback: Callable[[str, bytes], Awaitable[bool]]) -> Callable[[Request], Awaitable[Response]]:
    async def callback(request: Request) -> Response:
        # The body is hearsay: whatever task it names is asked for by GET.
        body = b""
        with contextlib.suppress(_TooLargeError, TimeoutError, ClientDisconnect):
            body = await _body(request, MAX_CALLBACK)
        known = await on_callback(request.path_params["token"], body)
        return Response(status_code=200 if known else 404)

    return callback


class _Server(uvicorn.Server):
    """A uvicorn that leaves the signals to the program around it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: Starlette, host: str, port: int) -> AsyncIterator[int]:
    """Serve `app` in this loop while the block runs; yields the port (`port` 0: any free one).

    Raises OSError when the address cannot be had. Open requests get STOP_SECONDS at the end.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named asyncio turns Nagle's algorithm off, which would hold back answers for 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        message = f"cannot listen on {host} port {port}: {error.strerror}"
        raise OSError(message) from None
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,  # logs.py has set up logging
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    log.info("listening", host=host, port=listener.getsockname()[1])
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task
