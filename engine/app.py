"""The routes of both dialects, and the life of everything behind them."""

import asyncio
import contextlib
import functools
import hmac
import math
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from engine import intake, replies
from engine.config import Config
from engine.fetching import Fetcher
from engine.limits import RateLimit, find_key
from engine.pool import Pool
from engine.replies import Dialect
from engine.tasks import Order, QueueFull, Task, TaskBook
from imaging import wire
from imaging.wire import ReturnType, State

MEDIA_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
BUSY_SECONDS = 1  # Retry-After of a full queue


class Engine:
    """One engine: its pool, its tasks, its handlers."""

    def __init__(self, config: Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._rate = RateLimit(config.rate, clock)
        self.pool = Pool(config.operators, size=config.workers, seconds=config.task_seconds)
        self.fetcher: Fetcher
        self.book: TaskBook

    @contextlib.asynccontextmanager
    async def life(self, _app: Starlette) -> AsyncIterator[None]:
        """Warm the workers before the first request; leave no process and no file."""
        config = self._config
        self.fetcher = Fetcher(allow_private=config.allow_private, max_bytes=config.max_bytes)
        with tempfile.TemporaryDirectory(prefix="darkroom-engine-", ignore_cleanup_errors=True) as folder:
            self.book = TaskBook(
                self.pool,
                self.fetcher,
                Path(folder),
                limit=config.queue,
                keep_seconds=config.keep_seconds,
                clock=self._clock,
            )
            try:
                await self.pool.start()
                self.book.start()
                yield
            finally:
                await self.book.close()
                await self.pool.close()
                await self.fetcher.close()

    async def admit(self, request: Request, given: str) -> None:
        """Let a known key within its rate pass. Raises HTTPException 401, 429."""
        key = find_key(self._config.keys, given)
        if key is None:
            await intake.discard(request, self._config.max_bytes)
            raise HTTPException(401, "Invalid API key")
        wait = self._rate.wait(key)
        if wait:
            await intake.discard(request, self._config.max_bytes)
            raise HTTPException(429, "Too many requests", {"Retry-After": str(math.ceil(wait))})

    async def create(self, request: Request, dialect: Dialect) -> Response:
        """Take a picture; with sync=1 wait for the result."""
        if request.path_params["operation"] not in intake.OPERATION_OF:
            raise HTTPException(404)
        task_id = str(uuid.uuid4())
        base_url = (self._config.public_url or str(request.base_url)).rstrip("/")
        source = self.book.folder / f"{task_id}.source"
        try:
            with self.book.arriving():
                order = await intake.read_order(
                    request, dialect, source, max_bytes=self._config.max_bytes, base_url=base_url
                )
                await self._check_callback(order)
                task = self.book.submit(task_id, order, functools.partial(self._call_back, dialect=dialect))
        except QueueFull:
            await intake.discard(request, self._config.max_bytes)
            raise HTTPException(429, "The queue is full", {"Retry-After": str(BUSY_SECONDS)}) from None
        except BaseException:
            source.unlink(missing_ok=True)
            raise
        if order.sync:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(task.done.wait(), self._config.sync_seconds)
        if order.return_type == ReturnType.BINARY and task.state == State.DONE:
            return _file(task.files.get("image") or task.files["mask"])
        return await _reply(task, dialect)

    async def query(self, request: Request, dialect: Dialect) -> Response:
        """Say how a task is doing."""
        task = self.book.find(request.path_params["task_id"])
        operation = request.path_params.get("operation")
        if task is None or operation not in (None, wire.PATHS[task.order.operation.name]):
            raise HTTPException(404, "No such task")
        return await _reply(task, dialect, query=True)

    async def result(self, request: Request) -> Response:
        """Hand over a result to whoever has its whole link."""
        name: str = request.path_params["name"]
        task = self.book.find(name[:36])  # a file's name begins with its task's id, a UUID
        signature = request.query_params.get("signature", "")
        if task is None or not hmac.compare_digest(signature.encode(), task.signature.encode()):
            raise HTTPException(404, "No such result")
        for path in task.files.values():
            if path.name == name:
                return _file(path)
        raise HTTPException(404, "No such result")

    async def health(self, _request: Request) -> Response:
        """200 while any worker is warm, 503 otherwise."""
        return JSONResponse({"warm": self.pool.warm}, 200 if self.pool.warm else 503)

    async def _check_callback(self, order: Order) -> None:
        """Refuse at once what would be refused when the task is done. Raises HTTPException 400."""
        if order.callback_url and not await self.fetcher.allows(order.callback_url):
            raise HTTPException(400, "callback_url leads to a private address")

    async def _call_back(self, task: Task, *, dialect: Dialect) -> None:
        if task.order.callback_url:
            body = await asyncio.to_thread(replies.body, task, dialect, query=True)
            await self.fetcher.post(task.order.callback_url, body)


async def _reply(task: Task, dialect: Dialect, *, query: bool = False) -> Response:
    """Answer about a task; a base64 result is read and wrapped off the event loop."""
    if task.order.return_type == ReturnType.URL:
        return JSONResponse(replies.body(task, dialect, query=query))
    return await asyncio.to_thread(lambda: JSONResponse(replies.body(task, dialect, query=query)))


def _file(path: Path) -> Response:
    return FileResponse(path, media_type=MEDIA_TYPES[path.suffix], headers={"X-Content-Type-Options": "nosniff"})


def _handler(
    engine: Engine, dialect: Dialect, action: Callable[[Request, Dialect], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    """Put the dialect's key check before an action."""

    async def handle(request: Request) -> Response:
        if dialect == "gptge":
            scheme, _, key = request.headers.get("authorization", "").partition(" ")
            given = key.strip() if scheme.lower() == "bearer" else ""
        else:
            given = request.headers.get("x-api-key", "")
        await engine.admit(request, given)
        return await action(request, dialect)

    return handle


async def _refuse(_request: Request, error: Exception) -> Response:
    """Every refusal has a JSON body, as both dialects have it."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = error.detail if isinstance(error, HTTPException) else HTTPStatus(status).phrase
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    content: dict[str, Any] = {"status": status, "message": message}
    return JSONResponse(content, status, headers)


def build(config: Config, clock: Callable[[], float] = time.monotonic) -> Starlette:
    """Put the whole application together; `clock` (seconds, any origin) tells when results expire."""
    engine = Engine(config, clock)
    gptge, picwish = wire.GPTGE_CREATE + "{operation}", wire.PICWISH_CREATE + "{operation}"
    routes = [
        Route(gptge, _handler(engine, "gptge", engine.create), methods=["POST"]),
        Route(wire.GPTGE_QUERY + "{task_id}", _handler(engine, "gptge", engine.query), methods=["GET"]),
        Route(picwish, _handler(engine, "picwish", engine.create), methods=["POST"]),
        Route(picwish + "/{task_id}", _handler(engine, "picwish", engine.query), methods=["GET"]),
        Route("/results/{name}", engine.result, methods=["GET"]),
        Route("/healthz", engine.health, methods=["GET"]),
    ]
    app = Starlette(
        routes=routes,
        lifespan=engine.life,
        # A client that leaves amid its upload is no fault of ours that the log should show.
        exception_handlers={HTTPException: _refuse, ClientDisconnect: _refuse, Exception: _refuse},
    )
    app.state.engine = engine
    return app
