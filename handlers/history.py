"""What a person asked for lately: how it is doing, the same again, and giving it up."""

from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from telegram import Message, Update

from handlers.addressing import speaker_of
from handlers.context import Context
from handlers.overview import jobs_all
from handlers.requests import submit
from jobs.job import Request
from storage import chats
from storage import jobs as rows
from storage.database import Row

if TYPE_CHECKING:
    from handlers.words import Param

LISTED = 10
"""Requests that /jobs lists at most."""

_LOOKED_AT = 100  # jobs, the albums among them as many as their pictures


async def _recent(context: Context, message: Message) -> list[list[Row]]:
    """Give this person's latest requests here, newest first, each with its jobs."""
    async with context.house.db.read() as conn:
        found = await rows.recent(conn, message.chat_id, speaker_of(message), _LOOKED_AT)
    return [list(jobs) for _, jobs in groupby(found, key=lambda row: row["source"])]


async def jobs(update: Update, context: Context) -> None:
    """/jobs: one's own recent and running photos in this chat; `/jobs all`, for admins, everyone's."""
    message = update.message
    if message is None:
        return
    if context.typed.strip().lower() == "all":
        await jobs_all(update, context)
        return
    recent = await _recent(context, message)
    if not recent:
        await context.reply(message, context.say("jobs_none"))
        return
    lines = [_line(context, request) for request in recent[:LISTED]]
    await context.reply(message, "\n".join((context.say("jobs_title"), *lines)))


def _line(context: Context, request: list[Row]) -> str:
    """Say how one request is doing; of an album, what is least far."""
    unfinished = [row for row in request if not row["told"]]
    row = min(unfinished or request, key=lambda row: row["updated_at"])
    said: dict[str, Param] = {
        "operation": context.say(f"button_{row['operation']}"),
        "state": context.say(f"job_{row['state']}"),
        "when": datetime.fromtimestamp(row["created_at"], UTC),
    }
    if len(request) > 1:
        return context.say("jobs_line_album", n=len(request), **said)
    return context.say("jobs_line", **said)


async def again(update: Update, context: Context) -> None:
    """/again: the last request once more, all of it."""
    message = update.message
    if message is None:
        return
    recent = await _recent(context, message)
    if not recent:
        await context.reply(message, context.say("again_none"))
        return
    newest = recent[0][0]
    last = await context.house.db.look(lambda conn: rows.of_source(conn, message.chat_id, newest["source"]))
    await submit(context, message, [Request.of(row).again(message.message_id) for row in last])


async def cancel(update: Update, context: Context) -> None:
    """/cancel: forget what this person was asked for here; else give up what they are waiting for."""
    message = update.message
    if message is None:
        return
    here = (message.chat_id, speaker_of(message))
    # Asked first, because deleting it once more would find nothing.
    if await context.house.db.look(lambda conn: chats.expected(conn, *here)):
        await context.house.db.transact(lambda conn: chats.forget_expected(conn, *here))
        await context.reply(message, context.say("cancelled"))
        return
    stopped = 0
    for request in await _recent(context, message):
        if any(not row["told"] for row in request):
            stopped += await context.house.desk.cancel_request(request[0]["id"])
    key = "stopped" if stopped else "nothing_to_cancel"
    await context.reply(message, context.say(key, n=stopped))
