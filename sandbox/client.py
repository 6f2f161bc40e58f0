"""People in the sandbox, as tests and the demo play them: an async client of the control API."""

import asyncio
import json
import mimetypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
from httpx_aiohttp import AiohttpTransport

Json = dict[str, Any]
Picture = Path | str | bytes
PATIENCE = 30.0
POLL = 20.0


class ControlError(Exception):
    """The sandbox could not do what was asked; the words say why."""


class WaitedInVain(Exception):  # noqa: N818  it reads as what happened
    """Nothing that was waited for happened in time; the words tell what did."""


class Telegram:
    """The whole sandbox, from outside. *url* is the Bot API's base, *token* and *bot* the first bot's."""

    def __init__(self, url: str, *, token: str, bot: Json | None = None) -> None:
        self.url = url
        self.token = token
        self.bot = bot or {"id": int(token.partition(":")[0])}
        self._http = httpx.AsyncClient(base_url=url, transport=AiohttpTransport(), timeout=PATIENCE + POLL)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
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

    async def do(self, action: str, *, files: Sequence[tuple[str, bytes, str]] = (), **asked: Any) -> Any:
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

    async def add_bot(self, token: str, username: str, name: str = "Bot", *, privacy: bool = True) -> Json:
        """Register a further bot, or set the privacy mode of one there is; return its User."""
        return await self.do("bot", token=token, username=username, name=name, privacy=privacy)  # type: ignore[no-any-return]  # JSON

    async def person(
        self, name: str, *, language: str | None = None, username: str | None = None, **user: Any
    ) -> "Person":
        """Make the acquaintance of somebody new."""
        about = {"first_name": name, "language_code": language, "username": username, **user}
        made = await self.do("person", **{key: value for key, value in about.items() if value is not None})
        chat = await self.do("private", person=made["id"], bot=self.bot["id"])
        return Person(self, made, Chat(self, chat["key"], chat))

    async def group(
        self,
        title: str,
        members: Sequence["Person"],
        *,
        supergroup: bool = True,
        forum: bool = False,
        bots: Sequence[int] | None = None,
        username: str | None = None,
    ) -> "Chat":
        """Create a group of these people (the first is its creator) and of the first bot, or of *bots* (ids)."""
        chosen = [self.bot["id"]] if bots is None else list(bots)
        ids = [person.id for person in members]
        made = await self.do(
            "group", title=title, members=ids, bots=chosen, supergroup=supergroup, forum=forum, username=username
        )
        return Chat(self, made["key"], made)

    async def calls(self, method: str | None = None, *, least: int = 0, timeout: float = PATIENCE) -> list[Json]:  # noqa: ASYNC109  the server keeps it
        """Return the bots' calls (method, params, time, error), waiting until there are at least *least*."""
        return await self.do("calls", method=method, least=least, timeout=timeout)  # type: ignore[no-any-return]  # JSON

    async def counts(self) -> Json:
        """Return ``{"calls": {method: n}, "messages": {chat key: n}}``."""
        return await self.do("counts")  # type: ignore[no-any-return]  # JSON

    async def fault(self, kind: str, method: str = "", **more: Any) -> None:
        """Let the next call of *method* meet a fault: see sandbox.faults.Fault for kinds and fields."""
        await self.do("fault", kind=kind, method=method, **more)

    async def no_faults(self) -> None:
        """Forget the faults that are still to come."""
        await self.do("fault")

    async def flood(self, *, per_second: int = 0, per_chat_second: int = 0, per_group_minute: int = 0) -> None:
        """Set flood limits on sent messages; 0 is off."""
        await self.do(
            "flood", per_second=per_second, per_chat_second=per_chat_second, per_group_minute=per_group_minute
        )

    async def commands(self) -> list[Json]:
        """Return what the bot set with setMyCommands: scope, language_code, commands."""
        return await self.do("commands", bot=self.bot["id"])  # type: ignore[no-any-return]  # JSON

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
    def replies_to(self) -> int | None:
        """The id of the message it replies to."""
        replied = self.get("reply_to_message")
        return int(replied["message_id"]) if replied else None


@dataclass
class Chat:
    """A chat, seen by the people in it. *key* names it in the control API, ``id`` in the Bot API."""

    tg: Telegram
    key: str
    shape: Json
    _seen: list[Json] = field(default_factory=list)

    @property
    def id(self) -> int:
        """The chat's id, as bots know it."""
        return int(self.shape["id"])

    async def events(self, *, after: int = 0, timeout: float = 0.0) -> list[Json]:  # noqa: ASYNC109  the server keeps it
        """Return all that happened after event number *after*: seq, what, and message or details."""
        return await self.tg.do("events", chat=self.key, after=after, timeout=timeout)  # type: ignore[no-any-return]  # JSON

    async def messages(self, *, after: "Message | int" = 0) -> list[Message]:
        """Return the messages that stand in the chat now, after the one given (or its id), as last edited."""
        first = after if isinstance(after, int) else after.id
        return [message for message in standing(await self.events()).values() if message.id > first]

    async def wait_for(
        self,
        predicate: Callable[[Message], bool] = lambda message: message.by_bot,
        *,
        after: "Message | int" = 0,
        timeout: float = PATIENCE,  # noqa: ASYNC109  it is kept by the server's long poll
    ) -> Message:
        """Return the first message after *after* (new or edited) that *predicate* accepts, when it comes."""
        return (await self.wait_for_all(predicate, count=1, after=after, timeout=timeout))[0]

    async def wait_for_all(
        self,
        predicate: Callable[[Message], bool] = lambda message: message.by_bot,
        *,
        count: int,
        after: "Message | int" = 0,
        timeout: float = PATIENCE,  # noqa: ASYNC109  it is kept by the server's long poll
    ) -> list[Message]:
        """Return the messages that *predicate* accepts as soon as there are *count*; WaitedInVain if not in time."""
        first = after if isinstance(after, int) else after.id
        events: list[Json] = []
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            events += await self.events(after=len(events), timeout=min(POLL, max(deadline - loop.time(), 0)))
            found = [message for message in standing(events).values() if message.id > first and predicate(message)]
            if len(found) >= count:
                return found
            if loop.time() >= deadline:
                said = [message.words or sorted(message) for message in standing(events).values()]
                raise WaitedInVain(f"{len(found)} of {count} messages in {timeout} s; there was {said}")

    async def wait_for_event(self, what: str, *, after: int = 0, timeout: float = PATIENCE) -> Json:  # noqa: ASYNC109  see wait_for
        """Return the first event of this kind (message, edited, deleted, reaction, action, answer) when it comes."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            events = await self.events(after=after, timeout=min(POLL, max(deadline - loop.time(), 0)))
            for event in events:
                if event["what"] == what:
                    return event
            after += len(events)
            if loop.time() >= deadline:
                raise WaitedInVain(f"no {what} in {timeout} s")

    async def topic(self, person: "Person", name: str) -> int:
        """Open a forum topic; return its message_thread_id."""
        return int(await self.tg.do("topic", chat=self.key, person=person.id, name=name))

    async def migrate(self, person: "Person") -> "Chat":
        """Let a basic group become a supergroup; return the new chat."""
        made = await self.tg.do("migrate", chat=self.key, person=person.id)
        return Chat(self.tg, made["key"], made)


def standing(events: Sequence[Json]) -> dict[int, Message]:
    """Return the messages that *events* leave in the chat, by id, as last edited."""
    messages: dict[int, Message] = {}
    for event in events:
        if event["what"] in {"message", "edited"}:
            messages[event["message"]["message_id"]] = Message(event["message"])
        elif event["what"] == "deleted":
            messages.pop(event["message_id"], None)
    return messages


@dataclass
class Person:
    """Somebody who uses Telegram; ``chat`` is the private chat with the first bot, where things go by default."""

    tg: Telegram
    user: Json
    chat: Chat

    @property
    def id(self) -> int:
        """The person's user id."""
        return int(self.user["id"])

    async def start(self) -> Message:
        """Open the bot's chat and press Start."""
        return await self.send(text="/start")

    async def send(
        self, chat: Chat | None = None, *, text: str, reply_to: Message | None = None, **more: Any
    ) -> Message:
        """Write something. *more*: thread, anonymous, sender_chat, extra (further fields of the message)."""
        return (await self._send(chat, reply_to, (), text=text, **more))[0]

    async def send_photo(
        self,
        chat: Chat | None = None,
        *,
        photo: Picture,
        caption: str = "",
        reply_to: Message | None = None,
        **more: Any,
    ) -> Message:
        """Send a picture the usual way: Telegram recompresses it."""
        return (await self._send(chat, reply_to, [part(photo)], caption=caption, **{"as": "photo"}, **more))[0]

    async def send_file(
        self,
        chat: Chat | None = None,
        *,
        file: Picture,
        name: str | None = None,
        mime: str | None = None,
        caption: str = "",
        reply_to: Message | None = None,
        **more: Any,
    ) -> Message:
        """Send a file as it is."""
        return (
            await self._send(chat, reply_to, [part(file, name, mime)], caption=caption, **{"as": "document"}, **more)
        )[0]

    async def send_sticker(
        self, chat: Chat | None = None, *, sticker: Picture, reply_to: Message | None = None, **more: Any
    ) -> Message:
        """Send a sticker."""
        return (await self._send(chat, reply_to, [part(sticker)], **{"as": "sticker"}, **more))[0]

    async def send_album(
        self,
        chat: Chat | None = None,
        *,
        pictures: Sequence[Picture],
        caption: str = "",
        files: bool = False,
        reply_to: Message | None = None,
        **more: Any,
    ) -> list[Message]:
        """Send several pictures at once, the caption on the first; *files* sends them as they are."""
        parts = [part(picture) for picture in pictures]
        return await self._send(
            chat, reply_to, parts, caption=caption, **{"as": "document" if files else "photo"}, **more
        )

    async def send_again(
        self, message: Message, chat: Chat | None = None, *, caption: str = "", source: Chat | None = None
    ) -> Message:
        """Send an earlier message's picture once more without uploading it (to any chat)."""
        target, origin = chat or self.chat, source or self.chat
        sent = await self.tg.do(
            "again", person=self.id, chat=target.key, source_chat=origin.key, source=message.id, caption=caption
        )
        return Message(sent[0])

    async def _send(
        self, chat: Chat | None, reply_to: Message | None, files: Sequence[tuple[str, bytes, str]], **asked: Any
    ) -> list[Message]:
        key = (chat or self.chat).key
        sent = await self.tg.do(
            "send", files=files, person=self.id, chat=key, reply_to=reply_to and reply_to.id, **asked
        )
        return [Message(message) for message in sent]

    async def edit(self, message: Message, text: str, chat: Chat | None = None) -> Message:
        """Change the words of one's message."""
        return Message(
            await self.tg.do("edit", person=self.id, chat=(chat or self.chat).key, message=message.id, text=text)
        )

    async def delete(self, message: Message, chat: Chat | None = None) -> None:
        """Delete a message."""
        await self.tg.do("delete", person=self.id, chat=(chat or self.chat).key, message=message.id)

    async def press(
        self, message: Message, button: str, chat: Chat | None = None, *, inaccessible: bool = False
    ) -> str:
        """Press an inline button by its words or data; return the callback query's id."""
        key = (chat or self.chat).key
        return str(
            await self.tg.do(
                "press", person=self.id, chat=key, message=message.id, button=button, inaccessible=inaccessible
            )
        )

    async def react(self, message: Message, emoji: str, chat: Chat | None = None) -> None:
        """React to a message."""
        await self.tg.do("react", person=self.id, chat=(chat or self.chat).key, message=message.id, emoji=emoji)

    async def block(self, *, blocked: bool = True) -> None:
        """Block the first bot, or unblock it."""
        await self.tg.do("block", person=self.id, bot=self.tg.bot["id"], blocked=blocked)

    async def set_member(self, chat: Chat, user_id: int, status: str) -> None:
        """Add, promote or remove somebody: member, administrator, left, kicked."""
        await self.tg.do("member", person=self.id, chat=chat.key, user=user_id, status=status)


def part(picture: Picture, name: str | None = None, mime: str | None = None) -> tuple[str, bytes, str]:
    """Return a picture as a multipart file: (name, bytes, MIME type)."""
    if isinstance(picture, bytes):
        name, data = name or "picture.jpg", picture
    else:
        name, data = name or Path(picture).name, Path(picture).read_bytes()
    return name, data, mime or mimetypes.guess_type(name)[0] or "application/octet-stream"
