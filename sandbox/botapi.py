"""Answers Bot API calls and downloads over HTTP: parses, meets faults, calls the method, writes it down."""

# ruff: noqa: ANN401  a result may be any JSON value

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from sandbox import methods  # noqa: F401  importing them registers them
from sandbox.errors import Refused
from sandbox.faults import Fault, Faults
from sandbox.parameters import Upload, coerce, method_name
from sandbox.registry import Call, implementation
from sandbox.updates import MOST
from sandbox.world import Bot, World

Json = dict[str, Any]
SENDING = {"sendMessage", "sendPhoto", "sendDocument", "sendMediaGroup"}
NOTHING_HEARD = 499  # what the call log says of a broken connection
MOST_FIELDS = 1000
FIELD_BYTES = 2**20


def answer(body: object, status: int = 200) -> Response:
    """Return *body* as the server writes JSON."""
    return Response(json.dumps(body, separators=(",", ":")), status, media_type="application/json")


def break_connection(request: Request) -> Response:
    """Reset the connection under the request; what is returned then reaches nobody."""
    request.scope["sandbox.transport"].abort()
    return Response(status_code=NOTHING_HEARD)


@dataclass(frozen=True)
class Attempt:
    """A call as it came in, and the fault it is going to meet."""

    bot: Bot
    method: str
    raw: Json
    fault: Fault | None


class BotApi:
    """The part of the server that bots talk to."""

    def __init__(self, world: World, faults: Faults) -> None:
        self.world = world
        self.faults = faults

    async def call(self, request: Request) -> Response:
        """Answer ``/bot<token>/<method>``."""
        try:
            bot = self.bot(request.path_params["token"])
            method = method_name(request.path_params["method"])
            raw = await read(request)
        except Refused as refused:
            return answer(refused.body(), refused.status)
        fault = self.faults.next_for(method, raw.get("chat_id"))
        note = self.note(bot, method, raw)
        response = await self.respond(request, note, Attempt(bot, method, raw, fault))
        note["status"] = response.status_code
        self.world.wake()
        return response

    async def respond(self, request: Request, note: Json, attempt: Attempt) -> Response:
        """Let the call meet its fault, if any, and answer it."""
        fault = attempt.fault
        if fault:
            await self.faults.wait(fault)
            if fault.kind == "reset":
                return break_connection(request)
        try:
            result = await self.perform(attempt)
        except Refused as refused:
            note["error"] = refused.description
            return answer(refused.body(), refused.status)
        if fault and fault.kind == "lost":
            return break_connection(request)
        if fault and fault.kind == "garbage":
            return Response("<html>Bad Gateway</html>", 200, media_type="text/html")
        return answer({"ok": True, "result": result})

    async def perform(self, attempt: Attempt) -> Any:
        """Run the method, or raise what the call is refused with."""
        function = implementation(attempt.method)
        parameters, uploads = coerce(attempt.method, attempt.raw)
        if attempt.fault and attempt.fault.kind == "error":
            raise attempt.fault.refusal()
        if attempt.method in SENDING:
            self.faults.flood.check(parameters["chat_id"])
        return await function(Call(self.world, attempt.bot, parameters, uploads))

    def bot(self, token: str) -> Bot:
        """Return the bot with this token; 401 for another's."""
        if token not in self.world.bots:
            raise Refused(401, "Unauthorized")
        return self.world.bots[token]

    def note(self, bot: Bot, method: str, raw: Json) -> Json:
        """Write the call down for those who want to know what the bot did."""
        shown = {
            name: {"file": value.name, "size": len(value.data), "mime": value.mime}
            if isinstance(value, Upload)
            else value
            for name, value in raw.items()
        }
        note = {"bot": bot.id, "method": method, "params": shown, "time": time.time(), "status": None}
        self.world.record(note)
        return note

    async def download(self, request: Request) -> Response:
        """Answer ``/file/bot<token>/<path>``."""
        try:
            self.bot(request.path_params["token"])
            file = self.world.paths[request.path_params["path"]]
        except (Refused, KeyError):
            refused = Refused(404, "Not Found")
            return answer(refused.body(), refused.status)
        fault = self.faults.next_for("download", None)
        if fault:
            await self.faults.wait(fault)
            if fault.kind in {"reset", "lost"}:
                return break_connection(request)
            if fault.kind == "error":
                return answer(fault.refusal().body(), fault.status)
        return Response(file.data, media_type="application/octet-stream")


async def read(request: Request) -> Json:
    """Return a call's parameters and files, wherever they stand: query, form, JSON or multipart."""
    raw: Json = dict(parse_qsl(request.scope["query_string"].decode(), keep_blank_values=True))
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        async with request.form(max_files=MOST, max_fields=MOST_FIELDS, max_part_size=FIELD_BYTES) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    mime = value.content_type or "application/octet-stream"
                    raw[name] = Upload(value.filename or name, mime, await value.read())
                else:
                    raw[name] = value
        return raw
    body = await request.body()
    if kind.startswith("application/json"):
        try:
            return {**raw, **json.loads(body)}
        except (ValueError, TypeError):
            raise Refused(400, "Bad Request: can't parse the JSON body") from None
    return raw | dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
