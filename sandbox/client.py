"""A Telegram in the sandbox, as tests and the demo play it: an async client of the control API.

``async with Telegram(url, token) as tg`` speaks to a sandbox in another process; ``async with Sandbox() as tg``
starts one in this process. Then::

    ann = await tg.person("Ann")
    photo = await ann.send_photo(photo=Path("ann.jpg"), caption="/colorize")
    reply = await ann.chat.wait_for(lambda message: message.has_file and message.by_bot, after=photo)
    data = await tg.download(reply)
"""

# ruff: noqa: ANN401, ASYNC109  further fields of a User may be any JSON; the server's long polls keep time

from collections.abc import Sequence
from typing import Any

from sandbox.characters import Chat, Person
from sandbox.connection import PATIENCE, Connection, ControlError, Json, Message, WaitedInVain

__all__ = ["Chat", "ControlError", "Message", "Person", "Telegram", "WaitedInVain"]


class Telegram(Connection):
    """The whole sandbox, from outside: who is there, what the bots called, what shall go wrong."""

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

    async def calls(
        self, method: str | None = None, *, least: int = 0, begun: bool = False, timeout: float = PATIENCE
    ) -> list[Json]:
        """Return the bots' calls (bot, method, params, time, status, error) once there are at least *least*.

        Calls not answered yet (a long poll, say) count only when *begun*. Params stand as they were sent.
        """
        return await self.do("calls", method=method, least=least, begun=begun, timeout=timeout)  # type: ignore[no-any-return]  # JSON

    async def counts(self) -> Json:
        """Return ``{"calls": {method: n}, "messages": {chat key: n}}``."""
        return await self.do("counts")  # type: ignore[no-any-return]  # JSON

    async def fault(self, kind: str, method: str = "", **more: Any) -> None:
        """Let the next call of *method* meet a fault: see sandbox.faults.Fault for kinds and fields."""
        await self.do("fault", kind=kind, method=method, **more)

    async def no_faults(self) -> None:
        """Forget the faults that are still to come, and let those go on that wait in one."""
        await self.do("fault")

    async def flood(self, *, per_second: int = 0, per_chat_second: int = 0, per_group_minute: int = 0) -> None:
        """Set flood limits on sent messages; 0 is off."""
        await self.do(
            "flood", per_second=per_second, per_chat_second=per_chat_second, per_group_minute=per_group_minute
        )

    async def commands(self) -> list[Json]:
        """Return what the bot set with setMyCommands: scope, language_code, commands."""
        return await self.do("commands", bot=self.bot["id"])  # type: ignore[no-any-return]  # JSON
