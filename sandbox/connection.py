"""The wire between the client and the control API, and what comes over it."""

# ruff: noqa: ANN401  what the control API takes and answers may be any JSON value

import json
import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import httpx
from httpx_aiohttp import AiohttpTransport

Json = dict[str, Any]
Picture = Path | str | bytes
Part = tuple[str, bytes, str]
PATIENCE = 30.0
POLL = 20.0


class ControlError(Exception):
    """The sandbox could not do what was asked; the words say why."""


class WaitedInVain(Exception):  # noqa: N818  it reads as what happened
    """Nothing that was waited for happened in time; the words tell what did."""


class Connection:
    """A connection to a sandbox. *url* is the Bot API's base, *token* and ``bot`` (a User) the first bot's."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self.bot: Json = {}
        plain = AiohttpTransport(verify=False)
        self._http = httpx.AsyncClient(base_url=url, transport=plain, timeout=PATIENCE + POLL)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        self.bot = await self.do("bot", token=self.token)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.__aexit__(None, None, None)

    @property
    def base_url(self) -> str:
        """What python-telegram-bot calls base_url."""
        return f"{self.url}/bot"

    @property
    def base_file_url(self) -> str:
        """What python-telegram-bot calls base_file_url."""
        return f"{self.url}/file/bot"

    async def do(self, action: str, *, files: Sequence[Part] = (), **asked: Any) -> Any:
        """Call the control API; *files* are (name, bytes, MIME type)."""
        if files:
            parts = [(f"file{number}", part) for number, part in enumerate(files)]
            response = await self._http.post(f"/sandbox/{action}", data={"body": json.dumps(asked)}, files=parts)
        else:
            response = await self._http.post(f"/sandbox/{action}", json=asked)
        body = response.json()
        if not body["ok"]:
            raise ControlError(body["description"])
        return body["result"]

    async def file(self, unique: str) -> bytes:
        """Return a file's bytes."""
        response = await self._http.get(f"/sandbox/file/{unique}")
        response.raise_for_status()
        return response.content

    async def download(self, message: "Message") -> bytes:
        """Return the bytes of the message's file, or of its biggest photo."""
        return await self.file(message.file["file_unique_id"])


class Message(dict[str, Any]):
    """A message as people see it: Telegram's JSON with a few shorthands."""

    @property
    def id(self) -> int:
        """The message's id."""
        return int(self["message_id"])

    @property
    def words(self) -> str:
        """Text or caption."""
        return str(self.get("text") or self.get("caption") or "")

    @property
    def by_bot(self) -> bool:
        """Whether a bot wrote it."""
        return bool(self["from"]["is_bot"])

    @property
    def file(self) -> Json:
        """The document, sticker or biggest photo; KeyError when it has none."""
        if "photo" in self:
            return self["photo"][-1]  # type: ignore[no-any-return]  # JSON
        return self["document"] if "document" in self else self["sticker"]  # type: ignore[no-any-return]  # JSON

    @property
    def has_file(self) -> bool:
        """Whether there is a picture or file in it."""
        return bool({"photo", "document", "sticker"} & self.keys())

    @property
    def buttons(self) -> list[str]:
        """The words on the inline buttons."""
        rows = self.get("reply_markup", {}).get("inline_keyboard", [])
        return [button["text"] for row in rows for button in row]

    @property
    def forces_reply(self) -> Json | None:
        """The ForceReply that makes people's apps answer this message, if it has one."""
        shown: Json = self.get("_markup", {})
        return shown if "force_reply" in shown else None

    @property
    def replies_to(self) -> int | None:
        """The id of the message it replies to."""
        replied = self.get("reply_to_message")
        return int(replied["message_id"]) if replied else None


def standing(events: Sequence[Json]) -> dict[int, Message]:
    """Return the messages that *events* leave in the chat, by id, as last edited."""
    messages: dict[int, Message] = {}
    for event in events:
        if event["what"] in {"message", "edited"}:
            messages[event["message"]["message_id"]] = Message(event["message"])
        elif event["what"] == "deleted":
            messages.pop(event["message_id"], None)
    return messages


def part(picture: Picture, name: str | None = None, mime: str | None = None) -> Part:
    """Return a picture as a multipart file: (name, bytes, MIME type)."""
    if isinstance(picture, bytes):
        name, data = name or "picture.jpg", picture
    else:
        name, data = name or Path(picture).name, Path(picture).read_bytes()
    return name, data, mime or mimetypes.guess_type(name)[0] or "application/octet-stream"
