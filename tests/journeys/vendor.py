"""`python -m tests.journeys.vendor`: a provider that does no work, speaks the gptge dialect and misbehaves on command.

For chaos and benchmarks, where the engine would cost more than the bot; tests/imaging/vendor.py plays the subtler
parts. A picture is known by the SHA-256 of the bytes that arrived, which also stands behind its result's end mark, so
that results can be told apart. What goes wrong is ordered per picture, so that nothing depends on who comes first::

    POST /vendor/order {"picture": "…", "post": ["busy", "lost"], "task": ["-8"], "get": […], "result": […]}
    GET  /vendor/report → {"pictures": {"…": {"posts": 3, "tasks": 1}}, "thrown": {"post busy": 1}, "times": [1.5, …]}
    GET  /vendor/report?posts=20 → the same, once so many POSTs came; times: when POSTs and questions came
    POST /vendor/hold            → no task ends, however long ago it should have, until POST /vendor/release

Orders: post: busy (429) · broken (500) · unauthorized · reset (cut before taking it) · lost (taken, then cut) ·
hang (taken, no answer) · garbage, html (taken). get: busy · broken · reset · hang · garbage · html · gone (404).
result: truncated · expired (403) · html · garbage · broken · reset. task: the state it ends in. seconds: how long it
takes. Whoever gave a callback_url is called once, when the task has ended.
"""

import argparse
import asyncio
import hashlib
import io
import json
import random
import signal
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, web
from PIL import Image

HTTP_CODES = {"busy": 429, "broken": 500, "unauthorized": 401, "gone": 404, "expired": 403}
NONSENSE = {"garbage": b'\x00\xff{"status": 200, "data": {', "html": b"<html><h1>502 Bad Gateway</h1></html>"}
CUT = {"reset", "lost"}
LONGEST = 600.0
OPERATION_DEFAULTS = {"colorization": "jpg", "scale": "jpg", "idphoto": "png", "segmentation": "png"}


@dataclass
class Picture:
    """A picture that arrived, and what is still to go wrong with it, by kind of request."""

    posts: int = 0
    tasks: int = 0
    orders: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))


@dataclass(frozen=True)
class Task:
    """A paid task: of which picture, in which format, in which state when, by `time.monotonic`."""

    picture: str
    extension: str
    state: int
    ends: float


class Vendor:
    """Tasks take between the two `seconds`, answers to POSTs between the two of `answer`; drawn from `seed`."""

    def __init__(self, seconds: tuple[float, float], answer: tuple[float, float], seed: int) -> None:
        self.url = ""
        self.links: list[str] = []  # image_url of the POSTs that had one
        self._seconds, self._answer = seconds, answer
        self._random = random.Random(seed)  # noqa: S311  chaos that can be repeated
        self._pictures: defaultdict[str, Picture] = defaultdict(Picture)
        self._tasks: dict[str, Task] = {}
        self._thrown: Counter[str] = Counter()
        self._times: list[float] = []
        self._came = asyncio.Event()
        self._released = asyncio.Event()
        self._released.set()
        self._calls: set[asyncio.Task[None]] = set()
        self._results = {extension: _blank(extension) for extension in ("jpg", "png", "webp")}

    def hold(self) -> None:
        """Let no task end from now on: whoever looks on may be slow."""
        self._released.clear()

    def release(self) -> None:
        """Let tasks end that should have by now, and the others in their time."""
        self._released.set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer whatever comes."""
        head, _, rest = request.path.lstrip("/").partition("/")
        if head == "vendor":
            return await self._told(request, rest)
        if head == "result":
            return await self._result(request, rest.partition(".")[0])
        self._times.append(time.time())
        if request.method == "POST":
            return await self._post(request, rest.removeprefix("pic/"))
        return await self._query(request, rest)

    async def _told(self, request: web.BaseRequest, what: str) -> web.Response:
        if what == "order":
            order = json.loads(await _body(request))
            queues = self._pictures[order.pop("picture")].orders
            for kind, wrongs in order.items():
                queues[kind].extend(wrongs)
        elif what == "hold":
            self.hold()
        elif what == "release":
            self.release()
        while sum(one.posts for one in self._pictures.values()) < int(request.query.get("posts", 0)):
            self._came.clear()
            await self._came.wait()
        seen = {sha: {"posts": one.posts, "tasks": one.tasks} for sha, one in self._pictures.items()}
        return web.json_response({"pictures": seen, "thrown": self._thrown, "times": self._times})

    async def _post(self, request: web.BaseRequest, operation: str) -> web.StreamResponse:
        fields, data = _form(request.headers.get("Content-Type", ""), await _body(request))
        self.links += [fields["image_url"]] if "image_url" in fields else []
        sha = hashlib.sha256(data).hexdigest()
        picture = self._pictures[sha]
        picture.posts += 1
        self._came.set()
        wrong = self._wrong(picture, "post")
        if wrong == "reset" or wrong in HTTP_CODES:
            return self._misbehave(request, wrong)
        task_id = f"{self._random.getrandbits(128):032x}"
        extension = fields.get("format") or OPERATION_DEFAULTS.get(operation, "jpg")
        state = int(self._wrong(picture, "task") or 1)
        ends = time.monotonic() + float(self._wrong(picture, "seconds") or self._random.uniform(*self._seconds))
        self._tasks[task_id] = Task(sha, extension.replace("jpeg", "jpg"), state, ends)
        picture.tasks += 1
        if "callback_url" in fields:
            call = asyncio.create_task(self._call(fields["callback_url"], task_id))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        if fields.get("sync") == "1":
            await self._ended(ends)
        await asyncio.sleep(self._random.uniform(*self._answer))
        if wrong == "hang":
            await asyncio.sleep(LONGEST)
        return self._misbehave(request, wrong) if wrong else self._shape(task_id)

    async def _call(self, url: str, task_id: str) -> None:
        """Say that a task has ended; whoever is not there does not hear of it."""
        await self._ended(self._tasks[task_id].ends)
        with suppress(ClientError, TimeoutError):
            async with ClientSession() as session, session.post(url, json={"task_id": task_id}):
                pass

    async def _ended(self, ends: float) -> None:
        await asyncio.sleep(ends - time.monotonic())
        await self._released.wait()

    async def _query(self, request: web.BaseRequest, task_id: str) -> web.StreamResponse:
        task = self._tasks.get(task_id)
        if task is None:
            return web.json_response({"status": 404, "message": "no such task"}, status=404)
        wrong = self._wrong(self._pictures[task.picture], "get")
        if wrong == "hang":
            await asyncio.sleep(LONGEST)
        return self._misbehave(request, wrong) if wrong else self._shape(task_id)

    async def _result(self, request: web.BaseRequest, task_id: str) -> web.StreamResponse:
        task = self._tasks[task_id]
        wrong = self._wrong(self._pictures[task.picture], "result")
        whole = self._results[task.extension] + task.picture.encode()
        if wrong == "truncated":
            response = web.StreamResponse(headers={"Content-Length": str(len(whole))})
            await response.prepare(request)
            await response.write(whole[: len(whole) // 2])
            if request.transport:
                request.transport.close()
            return response
        return self._misbehave(request, wrong) if wrong else web.Response(body=whole)

    def _wrong(self, picture: Picture, kind: str) -> str:
        """Take the next order of this kind for this picture; blank: behave."""
        queue = picture.orders[kind]
        wrong = queue.popleft() if queue else ""
        if wrong and wrong != "1":
            self._thrown[f"{kind} {wrong}"] += 1
        return wrong

    def _misbehave(self, request: web.BaseRequest, wrong: str) -> web.Response:
        if wrong in CUT:
            return _cut(request)
        if wrong in NONSENSE:
            return web.Response(body=NONSENSE[wrong], content_type="text/html")
        status = HTTP_CODES[wrong]
        body = {"status": status, "message": wrong}
        return web.json_response(body, status=status, headers={"Retry-After": "1"} if wrong == "busy" else None)

    def _shape(self, task_id: str) -> web.Response:
        task = self._tasks[task_id]
        state = task.state if self._released.is_set() and time.monotonic() >= task.ends else 4
        data: dict[str, Any] = {"task_id": task_id, "state": state, "progress": 100 if state == 1 else 30}
        if state == 1:
            data["image"] = f"{self.url}/result/{task_id}.{task.extension}?Signature=a%2Fb%3D"
        return web.json_response({"status": 200, "data": data})


async def _body(request: web.BaseRequest) -> bytes:
    """Read a body without aiohttp's limit of 1 MiB."""
    return b"".join([piece async for piece in request.content.iter_any()])


def _form(content_type: str, body: bytes) -> tuple[dict[str, str], bytes]:
    """Read a multipart body: its fields and its one file."""
    fields, data = {}, b""
    for part in body.split(b"--" + content_type.partition("boundary=")[2].strip('"').encode()):
        head, _, content = part.partition(b"\r\n\r\n")
        name = head.partition(b'name="')[2].partition(b'"')[0].decode()
        if b'filename="' in head:
            data = content[:-2]
        elif name:
            fields[name] = content[:-2].decode()
    return fields, data


def _cut(request: web.BaseRequest) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response()


def _blank(extension: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(out, {"jpg": "JPEG"}.get(extension, extension.upper()))
    return out.getvalue()


@asynccontextmanager
async def running(seconds: float = 0.0) -> AsyncIterator[Vendor]:
    """Have a vendor in this process whose tasks take so long."""
    vendor = Vendor((seconds, seconds), (0.0, 0.0), 1)
    runner = web.ServerRunner(web.Server(vendor.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield vendor
    finally:
        await runner.cleanup()


async def serve(arguments: argparse.Namespace) -> None:
    """Serve on a free loopback port until told to stop."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    vendor = Vendor(tuple(arguments.seconds), tuple(arguments.answer), arguments.seed)
    runner = web.ServerRunner(web.Server(vendor.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    vendor.url = f"http://127.0.0.1:{port}"
    partial = arguments.port_file.with_suffix(".partial")
    partial.write_text(str(port))
    partial.rename(arguments.port_file)  # whoever waits for the file finds it whole
    await stopped.wait()
    await runner.cleanup()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.journeys.vendor", description=__doc__)
    parser.add_argument("--port-file", type=Path, required=True, help="where to write the port once it listens")
    parser.add_argument("--seconds", type=float, nargs=2, default=(0.0, 0.0), help="shortest and longest task")
    parser.add_argument("--answer", type=float, nargs=2, default=(0.0, 0.0), help="the same for answers to a POST")
    parser.add_argument("--seed", type=int, default=1)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
