"""The control API: ``POST /sandbox/<action>`` makes people act and tells what happened.

The body is JSON, or multipart with the JSON in the field ``body`` and files beside it.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox import membership, paying, people
from sandbox.botapi import answer, read
from sandbox.errors import Refused
from sandbox.faults import Fault, Faults
from sandbox.members import change
from sandbox.parameters import Upload
from sandbox.people import Act
from sandbox.world import Bot, Chat, World

Json = dict[str, Any]
Action = Callable[[Act], Awaitable[Any]]
PEOPLE: dict[str, Action] = {
    "send": people.send,
    "again": people.again,
    "edit": people.edit,
    "delete": people.delete,
    "press": people.press,
    "react": people.react,
    "member": membership.member,
    "block": membership.block,
    "migrate": membership.migrate,
    "permit": membership.permit,
    "pay": paying.pay,
    "topic": membership.new_topic,
}


class Control:
    """The part of the server that tests and the demo talk to."""

    def __init__(self, world: World, faults: Faults) -> None:
        self.world = world
        self.faults = faults
        self.actions: dict[str, Action] = PEOPLE | {
            "bot": self.bot,
            "person": self.person,
            "group": self.group,
            "private": self.private,
            "events": self.events,
            "calls": self.calls,
            "counts": self.counts,
            "fault": self.fault,
            "flood": self.flood,
            "commands": self.commands,
        }

    async def call(self, request: Request) -> Response:
        """Answer one control call; what cannot be done is a 400 with words."""
        try:
            action = self.actions[request.path_params["action"]]
            raw = await read(request)
            uploads = [value for value in raw.values() if isinstance(value, Upload)]
            asked = json.loads(raw["body"]) if uploads else raw
            return answer({"ok": True, "result": await action(Act(self.world, asked, uploads))})
        except Refused as refused:
            return answer(refused.body(), refused.status)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            wrong = Refused(400, f"Bad Request: {type(error).__name__}: {error}")
            return answer(wrong.body(), wrong.status)

    async def file(self, request: Request) -> Response:
        """Return a file's bytes by its file_unique_id, as people see it."""
        file = self.world.files.get(request.path_params["unique"])
        return Response(file.data, media_type=file.mime) if file else Response(status_code=404)

    async def bot(self, act: Act) -> Json:
        """Register a bot, or tell of one there is (``pending`` updates), changing its privacy mode if asked."""
        asked = act.asked
        bot: Bot | None = self.world.bots.get(asked["token"])
        if bot is None:
            bot = self.world.add_bot(asked["token"], asked["username"], asked["name"], privacy=True)
        bot.privacy = asked.get("privacy", bot.privacy)
        return bot.user | {"pending": len(bot.updates)}

    async def person(self, act: Act) -> Json:
        """Add a person; the body is their User without the id."""
        return self.world.add_person(**act.asked).user

    async def group(self, act: Act) -> Json:
        """Create a group; the creator is its first member, ``members`` and ``bots`` (ids) join silently."""
        asked = act.asked
        chat = self.world.add_group(asked["title"], supergroup=asked["supergroup"], forum=asked["forum"])
        if asked.get("username"):
            chat.shape["username"] = asked["username"]
        for number, user_id in enumerate(asked["members"]):
            chat.members[user_id] = {"status": "member" if number else "creator"}
        for bot_id in asked["bots"]:
            creator = self.world.user(asked["members"][0])
            change(self.world, chat, bot_id, "member", creator)
        return {"key": chat.key, **chat.shape}

    async def private(self, act: Act) -> Json:
        """Open a person's private chat with a bot."""
        bot = self.world.bots_by_id[act.asked["bot"]]
        chat = self.world.private_chat(act.person, bot)
        return {"key": chat.key, **chat.shape}

    async def events(self, act: Act) -> list[Json]:
        """Return what happened in a chat after event number ``after``, waiting up to ``timeout`` seconds."""
        chat: Chat = act.chat
        after = act.asked.get("after", 0)
        deadline = time.monotonic() + act.asked.get("timeout", 0)
        while len(chat.events) <= after:
            if not await self._wait(chat.changed, deadline):
                break
        return chat.events[after:]

    async def calls(self, act: Act) -> list[Json]:
        """Return the calls that were answered (of ``method``, if given), waiting until there are ``least``.

        With ``begun`` also those that still wait for their answer, as a long poll does.
        """
        deadline = time.monotonic() + act.asked.get("timeout", 0)
        while True:
            method, begun = act.asked.get("method"), act.asked.get("begun")
            found = [
                call
                for call in self.world.calls
                if method in {None, call["method"]} and (begun or call["status"] is not None)
            ]
            if len(found) >= act.asked.get("least", 0) or not await self._wait(self.world.called, deadline):
                return found

    async def counts(self, act: Act) -> Json:
        """Return how many calls of each method and how many messages in each chat there were."""
        chats = {chat.key: chat.last_id for chat in act.world.chats.values()}
        return {"calls": self.world.call_counts, "messages": chats}

    async def fault(self, act: Act) -> bool:
        """Ask for a fault (fields of Fault); no ``kind`` forgets all: see Faults.forget."""
        if "kind" in act.asked:
            self.faults.waiting.append(Fault(**act.asked))
        else:
            self.faults.forget()
        return True

    async def flood(self, act: Act) -> bool:
        """Set the flood limits; those not given are off."""
        for name in ("per_second", "per_chat_second", "per_group_minute"):
            setattr(self.faults.flood, name, act.asked.get(name, 0))
        return True

    async def commands(self, act: Act) -> list[Json]:
        """Return all commands a bot has set: scope, language and commands."""
        bot = self.world.bots_by_id[act.asked["bot"]]
        return [
            {"scope": json.loads(scope), "language_code": language, "commands": commands}
            for (scope, language), commands in bot.commands.items()
        ]

    async def _wait(self, event: asyncio.Event, deadline: float) -> bool:
        """Wait for *event*; False when the deadline came first or the server stops."""
        left = deadline - time.monotonic()
        if left <= 0 or self.world.closing.is_set():
            return False
        waiters = [asyncio.ensure_future(one.wait()) for one in (event, self.world.closing)]
        await asyncio.wait(waiters, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for waiter in waiters:
            waiter.cancel()
        return True
