"""A press as the acts behind the buttons see it, and what they share: finding the picture, changing the screen."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from telegram import CallbackQuery, InlineKeyboardMarkup, Message

from handlers.context import Context
from handlers.incoming import picture_in
from handlers.presses import Press
from imaging.presets import PRESETS, Preset
from jobs.job import Job, Picture
from storage import jobs as rows
from storage.database import Row

_NUMBER = re.compile(r"[0-9]{1,18}")  # what every database can hold


class StaleError(Exception):
    """The press is about something that is no longer there."""


@dataclass(slots=True)
class Pressed:
    """`press` came with `query` on a button under the bot's `message`."""

    press: Press
    query: CallbackQuery
    message: Message
    answered: bool = False

    async def answer(self, context: Context, toast: str | None) -> None:
        """Answer the press, once; Telegram turns a wheel on the button until then."""
        if not self.answered:
            self.answered = True
            await context.quietly(self.query.answer(toast))

    @property
    def person(self) -> int:
        """The id of who pressed."""
        return self.query.from_user.id

    def picture(self, *, result: bool = False) -> tuple[Picture, Message]:
        """Give the picture the buttons are about and its message: a result, or what the menu answers.

        Raises StaleError when it is gone, with `result` also when the bot did not make it: a press can be made up, and
        what people send is of any size.
        """
        for message in (self.message, None if result else self.message.reply_to_message):
            if message is not None and (picture := picture_in(message)):
                return picture, message
        raise StaleError

    async def row(self, context: Context) -> Row:
        """Give the job that the first argument names, as it stands in the database. Raises StaleError."""
        number = self.press.first
        if not _NUMBER.fullmatch(number):
            raise StaleError
        row = await context.house.db.look(lambda conn: rows.get(conn, int(number)))
        if row is None or row["chat_id"] != self.message.chat_id:
            raise StaleError
        return row

    async def job(self, context: Context) -> Job:
        """Give the job that the first argument names. Raises StaleError."""
        return Job.of(await self.row(context))

    def preset(self, word: str) -> Preset:
        """Give the preset with this id. Raises StaleError."""
        if word not in PRESETS:
            raise StaleError
        return PRESETS[word]

    def page(self, word: str) -> int:
        """Give the number of a page. Raises StaleError."""
        if not (word.isascii() and word.isdigit()):
            raise StaleError
        return int(word)

    async def show(self, context: Context, text: str, markup: InlineKeyboardMarkup | None) -> None:
        """Put another screen into the message at once; under a picture only the buttons change."""
        where, now = (self.message.chat_id, self.message.message_id), context.house.at_once
        if self.message.text is None:
            edit = context.bot.edit_message_reply_markup(*where, reply_markup=markup, rate_limit_args=now)
            await context.quietly(edit)
        else:
            await context.quietly(context.bot.edit_message_text(text, *where, reply_markup=markup, rate_limit_args=now))


Act = Callable[[Pressed, Context], Awaitable[str | None]]
"""Does what a verb says; gives the words of the toast. Raises StaleError."""
