"""The message that shows how far a photo is, and its Cancel button."""

from typing import Any

import structlog
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message, ReplyParameters, Update
from telegram.error import TelegramError
from telegram.ext import ExtBot

from handlers.context import Context
from handlers.guards import may_press
from handlers.words import Words
from jobs.job import Job
from jobs.progress import Standing
from storage import jobs as rows

BAR = 10
"""Blocks of a full bar."""

_GONE = ("thread not found", "message to delete not found", "message to edit not found")
log = structlog.get_logger()


class ProgressScreen:
    """Shows progress in Telegram. `priority` keeps these calls behind every result (bot.pacing)."""

    def __init__(self, bot: ExtBot[Any], words: Words, priority: int) -> None:
        self._bot = bot
        self._words = words
        self._priority = priority

    async def show(self, job: Job, standing: Standing) -> int | None:
        """Send the message and give its id; None when Telegram does not take it."""
        reply = ReplyParameters(job.reply_to, allow_sending_without_reply=True) if job.reply_to else None
        try:
            sent = await self._bot.send_message(
                job.chat_id,
                self._text(job, standing),
                message_thread_id=job.thread_id,
                reply_parameters=reply,
                disable_notification=True,
                reply_markup=self._button(job),
                rate_limit_args=self._priority,
            )
        except TelegramError as error:
            log.info("progress_not_shown", reason=error.message)
            return None
        return sent.message_id

    async def change(self, job: Job, message_id: int, standing: Standing) -> None:
        """Bring the message up to date."""
        try:
            await self._bot.edit_message_text(
                self._text(job, standing), job.chat_id, message_id, reply_markup=self._button(job)
            )
        except TelegramError as error:
            log.info("progress_not_changed", reason=error.message)

    async def clear(self, job: Job, message_id: int) -> None:
        """Take the message away."""
        try:
            await self._bot.delete_message(job.chat_id, message_id)
        except TelegramError as error:
            log.info("progress_not_cleared", reason=error.message)

    def _button(self, job: Job) -> InlineKeyboardMarkup:
        stop = InlineKeyboardButton(self._words.say(job.language, "button_stop"), callback_data=f"stop:{job.id}")
        return InlineKeyboardMarkup([[stop]])

    def _text(self, job: Job, standing: Standing) -> str:
        say, language = self._words.say, job.language
        if standing.ahead is not None:
            key = "progress_waiting" if standing.ahead else "progress_next"
            return say(language, key, n=standing.ahead)
        filled = standing.percent * BAR // 100
        bar = "▰" * filled + "▱" * (BAR - filled)
        text = say(language, "progress_working", bar=bar, percent=standing.percent)
        if standing.total == 1:
            return text
        return f"{text}\n{say(language, 'progress_album', done=standing.done, total=standing.total)}"


async def stop(update: Update, context: Context) -> None:
    """Give up the request that a Cancel button belongs to, if whoever pressed it may."""
    query = update.callback_query
    if query is None or query.data is None or not isinstance(query.message, Message):
        return
    number = int(query.data.partition(":")[2])
    row = await context.house.db.look(lambda conn: rows.get(conn, number))
    if row is None or row["chat_id"] != query.message.chat_id:
        toast = context.say("press_too_old")
    elif not await may_press(context, query, query.message, row["user_id"]):
        toast = context.say("press_not_yours")
    else:
        stopped = await context.house.desk.cancel_request(row["id"])
        toast = context.say("press_stopped" if stopped else "press_stopped_late")
    await context.quietly(query.answer(toast))
