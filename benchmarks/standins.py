"""`python -m benchmarks.standins`: the least Telegram and the least provider, in one process that is no bottleneck.

Both are one asyncio.Protocol that reads no more of a request than it must. Whoever measures asks for a load::

    POST /control/load {"jobs": 500, "at_once": 32, "chats": 400, "photo": 100000, "result": 100000, "seconds": 0}

and is answered when every photo has had its reply: {"seconds": 2.9, "waits": [seconds of each job, …], "firsts": […]},
or, as soon as anybody is sent words (other than how far a photo is, which make no sound): {"trouble": words}. A wait
runs from the moment the update is given to the bot until the last byte of the reply is here, a first until the next
getFile: that of the same photo, if one is sent at a time. At most `at_once` photos are
unanswered; a provider's task takes `seconds`. `GET /control/polled` is answered after the next getUpdates with when it
came, by the machine's monotonic clock.
"""

import argparse
import asyncio
import contextlib
import io
import json
import time
from collections import deque
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.wire import Answer, Server, reply, whole

ME = {"id": 123456789, "is_bot": True, "first_name": "bench", "username": "bench_bot"}


class Load:
    """A number of photos to be sent and answered; see the module."""

    def __init__(self, *, jobs: int, at_once: int, chats: int, photo: int, result: int, seconds: float) -> None:
        self.at_once, self.chats, self.seconds = at_once, chats, seconds
        self.photo, self.result = picture(photo), picture(result)
        self.unsent = jobs
        self.jobs = jobs
        self.given: dict[int, deque[float]] = {}
        self.waits: list[float] = []
        self.firsts: list[float] = []
        self.asked: float | None = None
        self.began = time.monotonic()
        self.over: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def delivered(self, chat: int) -> None:
        """Note that a chat has its oldest reply."""
        if self.given.get(chat):
            self.waits.append(time.monotonic() - self.given[chat].popleft())
        if len(self.waits) == self.jobs and not self.over.done():
            body = {"seconds": time.monotonic() - self.began, "waits": self.waits, "firsts": self.firsts}
            self.over.set_result(reply(body))

    def begun(self) -> None:
        """Note that the bot asks for a photo."""
        if self.asked is not None:
            self.firsts.append(time.monotonic() - self.asked)
            self.asked = None


class World:
    """Telegram's and the provider's side of the load at hand."""

    def __init__(self) -> None:
        self.url = ""
        self.load: Load | None = None
        self._number = 0
        self._poll: asyncio.Future[bytes] | None = None
        self._polled: list[asyncio.Future[bytes]] = []

    def answer(self, method: bytes, path: str, start: bytes) -> Answer:
        """Answer a request: its path and the first bytes of its body."""
        parts = path.partition("?")[0].strip("/").split("/")
        if parts[0] == "control":
            return self._control(parts[1], start)
        if parts[0] == "file" and self.load:
            return whole(self.load.photo)
        if parts[0] == "result" and self.load:
            return whole(self.load.result)
        if parts[0] == "task":
            return self._task(method)
        return self._telegram(parts[-1], start)

    def _control(self, what: str, start: bytes) -> Answer:
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if what == "polled":
            self._polled.append(future)
            return future
        self.load = Load(**json.loads(start))
        self._hand_out()
        return self.load.over

    def _task(self, method: bytes) -> Answer:
        done = reply(
            {
                "status": 200,
                "data": {"task_id": "bench-1", "state": 1, "progress": 100, "image": f"{self.url}/result/1.jpg"},
            }
        )
        if method == b"GET" or not self.load or not self.load.seconds:
            return done
        loop = asyncio.get_running_loop()
        later: asyncio.Future[bytes] = loop.create_future()
        loop.call_later(self.load.seconds, later.set_result, done)
        return later

    def _telegram(self, method: str, start: bytes) -> Answer:
        match method:
            case "getUpdates":
                return good([]) if b"timeout=0" in start else self._get_updates()  # the naive bot's farewell
            case "getMe":
                return good(ME)
            case "getMyDescription" | "getMyShortDescription":
                return good({"description": "", "short_description": ""})  # each has its field
            case "getFile":
                if self.load:
                    self.load.begun()
                return good({"file_id": "f", "file_unique_id": "u", "file_path": "photos/1.jpg"})
            case "sendPhoto" | "sendDocument":
                chat = int(_field(start, "chat_id"))
                if self.load:
                    self.load.delivered(chat)
                    self._hand_out()
                return good({"message_id": 7, "date": 0, "chat": {"id": chat, "type": "private"}})
            case "sendMessage" if self.load and b"disable_notification" not in start and not self.load.over.done():
                self.load.over.set_result(reply({"trouble": start.decode(errors="replace")}))
        return good(result=True)

    def _get_updates(self) -> Answer:
        for future in self._polled:
            future.set_result(reply({"at": time.monotonic()}))
        self._polled.clear()
        if self._poll and not self._poll.done():
            self._poll.set_result(good([]))  # Telegram, too, ends the older of two
        self._poll = asyncio.get_running_loop().create_future()
        self._hand_out()
        return self._poll

    def _hand_out(self) -> None:
        load, poll = self.load, self._poll
        if not load or not poll or poll.done():
            return
        sent = load.jobs - load.unsent
        count = min(load.unsent, load.at_once - (sent - len(load.waits)), 100)
        if count > 0:
            load.unsent -= count
            poll.set_result(good([self._update(load) for _ in range(count)]))

    def _update(self, load: Load) -> dict[str, Any]:
        self._number += 1
        chat = 1000 + self._number % load.chats
        load.asked = time.monotonic()
        load.given.setdefault(chat, deque()).append(load.asked)
        person = {"id": chat, "is_bot": False, "first_name": "Ann", "username": f"ann{chat}", "language_code": "en"}
        sizes = [
            {"file_id": f"f{self._number}{side}", "file_unique_id": f"u{self._number}", "width": side, "height": side}
            for side in (90, 320, 800)
        ]
        message = {
            "message_id": self._number,
            "date": 1_790_000_000,
            "chat": {"id": chat, "type": "private", "first_name": "Ann", "username": f"ann{chat}"},
            "from": person,
            "photo": sizes,
            "caption": "/colorize",
            "caption_entities": [{"type": "bot_command", "offset": 0, "length": 9}],
        }
        return {"update_id": self._number, "message": message}


def good(result: object) -> bytes:
    """Write Telegram's answer."""
    return reply({"ok": True, "result": result})


def _field(start: bytes, name: str) -> str:
    """Find a field in a multipart or JSON body."""
    _, found, rest = start.partition(f'name="{name}"'.encode())
    if not found:
        return str(json.loads(start)[name])
    return rest.split(b"\r\n\r\n", 1)[1].split(b"\r\n", 1)[0].decode()


def picture(size: int) -> bytes:
    """Make a JPEG of `size` bytes (or its own few, if those are more): what is too much stands behind its end."""
    out = io.BytesIO()
    Image.effect_noise((800, 600), 40).save(out, "JPEG", quality=20)
    return out.getvalue() + bytes(max(0, size - out.tell() - 2)) + b"\xff\xd9"


async def serve(port_file: Path) -> None:
    """Serve on a free loopback port until killed."""
    world = World()
    server = await asyncio.get_running_loop().create_server(lambda: Server(world.answer), "127.0.0.1", 0, backlog=1000)
    port = server.sockets[0].getsockname()[1]
    world.url = f"http://127.0.0.1:{port}"
    partial = port_file.with_suffix(".partial")
    partial.write_text(str(port))
    partial.rename(port_file)  # whoever waits for the file finds it whole
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.standins")
    parser.add_argument("--port-file", type=Path, required=True)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parser.parse_args().port_file))
