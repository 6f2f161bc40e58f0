"""Who and where, in the client: people and what they do, chats and what happens in them."""

# ruff: noqa: ANN401, ASYNC109  further fields of a message may be any JSON; the server's long polls keep time

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.connection import (
    PATIENCE,
    POLL,
    Connection,
    Json,
    Message,
    Part,
    Picture,
    WaitedInVain,
    part,
    standing,
)


@dataclass
class Chat:
    """A chat, seen by the people in it. *key* names it in the control API, ``id`` in the Bot API."""

    tg: Connection
    key: str
    shape: Json

    @property
    def id(self) -> int:
        """The chat's id, as bots know it."""
        return int(self.shape["id"])

    async def events(self, *, after: int = 0, timeout: float = 0.0) -> list[Json]:
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
        timeout: float = PATIENCE,
    ) -> Message:
        """Return the first message after *after* (new or edited) that *predicate* accepts, when it comes."""
        return (await self.wait_for_all(predicate, count=1, after=after, timeout=timeout))[0]

    async def wait_for_all(
        self,
        predicate: Callable[[Message], bool] = lambda message: message.by_bot,
        *,
        count: int,
        after: "Message | int" = 0,
        timeout: float = PATIENCE,
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

    async def wait_for_event(self, what: str, *, after: int = 0, timeout: float = PATIENCE) -> Json:
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

    async def permit(self, **permissions: bool) -> None:
        """Set what members that are no admins may do: can_send_photos=False and the like."""
        await self.tg.do("permit", chat=self.key, permissions=permissions)

    async def topic(self, person: "Person", name: str) -> int:
        """Open a forum topic; return its message_thread_id."""
        return int(await self.tg.do("topic", chat=self.key, person=person.id, name=name))

    async def migrate(self, person: "Person") -> "Chat":
        """Let a basic group become a supergroup; return the new chat."""
        made = await self.tg.do("migrate", chat=self.key, person=person.id)
        return Chat(self.tg, made["key"], made)


@dataclass
class Person:
    """Somebody who uses Telegram; ``chat`` is the private chat with the first bot, where things go by default."""

    tg: Connection
    user: Json
    chat: Chat

    @property
    def id(self) -> int:
        """The person's user id."""
        return int(self.user["id"])

    async def chat_with(self, bot_id: int) -> Chat:
        """Return the private chat with another bot than the first."""
        shape = await self.tg.do("private", person=self.id, bot=bot_id)
        return Chat(self.tg, shape["key"], shape)

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
        self, chat: Chat | None, reply_to: Message | None, files: Sequence[Part], **asked: Any
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

    async def pay(self, message: Message, chat: Chat | None = None, **more: Any) -> Json:
        """Pay an invoice in Stars; return the SuccessfulPayment. *more*: twice (the bot hears twice), patience."""
        key = (chat or self.chat).key
        paid: Json = await self.tg.do("pay", person=self.id, chat=key, message=message.id, **more)
        return paid

    async def react(self, message: Message, emoji: str, chat: Chat | None = None) -> None:
        """React to a message."""
        await self.tg.do("react", person=self.id, chat=(chat or self.chat).key, message=message.id, emoji=emoji)

    async def block(self, *, blocked: bool = True) -> None:
        """Block the first bot, or unblock it."""
        await self.tg.do("block", person=self.id, bot=self.tg.bot["id"], blocked=blocked)

    async def set_member(self, chat: Chat, user_id: int, status: str) -> None:
        """Add, promote or remove somebody: member, administrator, left, kicked."""
        await self.tg.do("member", person=self.id, chat=chat.key, user=user_id, status=status)
