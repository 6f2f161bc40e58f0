"""What every handler is given: the house around it, and who is speaking in which language."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from telegram import ForceReply, InlineKeyboardMarkup, Message, ReplyParameters, Update
from telegram.error import TelegramError
from telegram.ext import Application, CallbackContext, ContextTypes, ExtBot

from handlers.errands import Errands
from handlers.words import Param, Words
from jobs.delivery import insist
from storage.preferences import Preferences

if TYPE_CHECKING:
    from jobs.dispatch import Desk
    from jobs.job import SendAs
    from storage.database import Database
    from storage.ledger import Terms

OUTAGE_SECONDS = 600.0
"""How long an answer is tried."""

AlbumKey = tuple[int, str]
"""A chat and Telegram's media_group_id."""

log = structlog.get_logger()


class Providers(Protocol):
    """What admins may see of the providers and do to them; see imaging.routing.Router."""

    def states(self) -> Mapping[str, str]:
        """Give each provider's state: closed, open, half_open or paused."""

    def pause(self, name: str) -> None:
        """Give a provider no new tasks."""

    def resume(self, name: str) -> None:
        """Give a provider tasks again."""


@dataclass(frozen=True, slots=True)
class House:
    """The rooms a handler may call, and what the operator decided. `allowed_chats` None: every chat.

    `costs` are credits per operation name, at the most; `least_costs` at the least, where that differs. `packs` are
    Telegram Stars by credits for sale. `providers` are this process's own, if it talks to any.
    `latency` gives a provider's seconds per request lately. `errands` go on after their handlers have returned.
    `keep_days`: how long finished jobs are kept. `at_once` lets a call to Telegram through unpaced (bot.windows).
    """

    db: "Database"
    desk: "Desk"
    words: Words
    terms: "Terms"
    costs: Mapping[str, int]
    admin_ids: frozenset[int]
    allowed_chats: frozenset[int] | None
    least_costs: Mapping[str, int] = field(default_factory=dict)
    packs: Mapping[int, int] = field(default_factory=dict)
    providers: Providers | None = None
    latency: Callable[[str], float | None] = lambda _: None
    errands: Errands = field(default_factory=Errands)
    keep_days: int = 30
    at_once: int | None = None


class Hall:
    """PTB's bot_data, which it makes by itself and without arguments; `register` hangs the house in it.

    `members`: by (chat, person), who is a group's admin and until when (time.monotonic) that is believed
    (handlers.guards). `albums`: what waits here until one of them is due (handlers.albums).

    Both may be in memory where other processes share the database: what Telegram said is true for each of them and
    believed for a minute only, as if it had been asked then; and who waits for an album may end, as the database knows
    when it is due.
    """

    house: House

    def __init__(self) -> None:
        self.albums: dict[AlbumKey, asyncio.Task[None]] = {}
        self.members: dict[tuple[int, int], tuple[float, bool]] = {}


class Context(CallbackContext[ExtBot[Any], dict[Any, Any], dict[Any, Any], Hall]):
    """PTB's context, with the house, the person's language and a way to answer.

    `typed` is what stands behind the command, if the update is one; `preferences` are the chat's.
    """

    typed: str = ""
    language: str | None = None
    preferences: Preferences = Preferences()

    @classmethod
    def from_update(cls, update: object, application: "App") -> "Context":
        """Note whose language to speak."""
        context = super().from_update(update, application)
        if isinstance(update, Update) and update.effective_user:
            context.language = update.effective_user.language_code
        return context

    def prefer(self, chosen: Preferences) -> None:
        """Go by what the chat chose."""
        self.preferences = chosen
        self.language = chosen.language or self.language

    @property
    def send_as(self) -> "SendAs | None":
        """How this chat wants its results."""
        wanted = self.preferences.send_as
        return wanted if wanted in {"photo", "file", "both"} else None  # type: ignore[return-value]  # just checked

    @property
    def known_language(self) -> str:
        """The person's language if we have it, else English."""
        return self.house.words.match(self.language)

    @property
    def house(self) -> House:
        """The rooms around the handlers."""
        return self.bot_data.house

    def say(self, key: str, /, **params: Param) -> str:
        """Give the words for `key` in the person's language."""
        return self.house.words.say(self.language, key, **params)

    def ago(self, moment: float) -> str:
        """Say how long ago a moment (seconds since the epoch) was, as the person's language does."""
        return self.house.words.show(self.language, datetime.fromtimestamp(moment, UTC))

    async def reply(self, to: Message, text: str, markup: ForceReply | InlineKeyboardMarkup | None = None) -> Message:
        """Answer the message `to` with `text`, in its topic, also when it was deleted meanwhile.

        An outage is waited out: who is refused must hear it. Raises TimeoutError after OUTAGE_SECONDS.
        """
        async with asyncio.timeout(OUTAGE_SECONDS):
            return await insist(
                lambda: self.bot.send_message(
                    to.chat_id,
                    text,
                    message_thread_id=topic_of(to),
                    reply_parameters=ReplyParameters(to.message_id, allow_sending_without_reply=True),
                    reply_markup=markup,
                )
            )

    async def send_file(self, to: Message, data: bytes, name: str, caption: str) -> Message:
        """Answer the message `to` with a file, in its topic, also when it was deleted meanwhile."""
        return await self.bot.send_document(
            to.chat_id,
            data,
            caption,
            filename=name,
            disable_content_type_detection=True,
            message_thread_id=topic_of(to),
            reply_parameters=ReplyParameters(to.message_id, allow_sending_without_reply=True),
        )

    async def quietly(self, call: Awaitable[object]) -> None:
        """Make a call to Telegram that is a courtesy: nothing depends on it, so its failure is only logged."""
        try:
            await call
        except TelegramError as error:
            log.info("courtesy_failed", reason=error.message)


App = Application[ExtBot[Any], Context, dict[Any, Any], dict[Any, Any], Hall, Any]
CONTEXT_TYPES = ContextTypes(context=Context, bot_data=Hall)
"""For `ApplicationBuilder.context_types`."""


def topic_of(message: Message) -> int | None:
    """Give the forum topic to answer in. In other groups message_thread_id counts replies and must not be sent."""
    return message.message_thread_id if message.is_topic_message else None
