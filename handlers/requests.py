"""What people asked for, on its way to the desk: accepted with a glance, or refused with what could be done."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message, ReactionTypeEmoji, Update

from handlers.context import Context, topic_of
from handlers.errors import refusal
from handlers.guards import may_press
from handlers.wishes import Placed, Wish
from jobs.dispatch import Refused
from jobs.job import Request
from storage import albums

SEEN = ReactionTypeEmoji("👀")
FRESH = "fresh"
"""The word that has a photo done anew that was done before."""


def without_fresh(typed: str) -> tuple[str, bool]:
    """Take the word FRESH out of what was typed; tell whether it was there."""
    words = typed.split()
    rest = [word for word in words if word.lower() != FRESH]
    return (" ".join(rest), True) if len(rest) < len(words) else (typed, False)


def make_requests(
    context: Context, message: Message, user_id: int, source: str, pictures: Sequence[Placed], wish: Wish
) -> list[Request]:
    """Make a request for each picture that `message` asked to have done; several are an album and come back as one."""
    several = len(pictures) > 1
    return [
        Request(
            chat_id=message.chat_id,
            thread_id=topic_of(message),
            user_id=user_id,
            reply_to=placed.message_id if several else message.message_id,
            source=source,
            place=placed.message_id if several else 0,
            picture=placed.picture,
            operation=wish.operation,
            language=context.known_language,
            send_as=context.send_as,
            album=message.message_id if several else None,
            fresh=wish.fresh,
        )
        for placed in pictures
    ]


async def submit(context: Context, message: Message, requests: Sequence[Request]) -> bool:
    """Hand requests to the desk; the answer goes to `message`. False: refused, and the person knows."""
    outcome = await context.house.desk.accept(requests)
    if isinstance(outcome, Refused):
        await _refuse(context, message, requests, outcome)
        return False
    if outcome.job_ids:
        look = context.bot.set_message_reaction(message.chat_id, message.message_id, SEEN)
        context.house.errands.run(context.quietly(look))
    return True


async def _refuse(context: Context, message: Message, requests: Sequence[Request], refused: Refused) -> None:
    """Say why nothing is done, with a button to do those pictures of an album that can be."""
    n, total, renews_at = refused.covered, len(requests), refused.params.get("renews_at")
    if not n:
        await context.reply(message, await refusal(context, message.chat_id, refused))
        return
    if isinstance(renews_at, datetime):
        words = context.say("album_short", n=n, total=total, renews_at=renews_at)
    else:
        why = await refusal(context, message.chat_id, refused)
        words = f"{why}\n{context.say('album_some', n=n, total=total)}"
    first = [request.columns() | {"fresh": request.fresh} for request in requests[:n]]
    about = (message.chat_id, requests[0].user_id, json.dumps(first))
    # Done again it makes a second offer, which no button knows and which is pruned.
    offer = await context.house.db.transact(lambda conn: albums.offer(conn, *about))
    button = InlineKeyboardButton(context.say("button_some", n=n), callback_data=f"some:{offer}")
    await context.reply(message, words, InlineKeyboardMarkup([[button]]))


async def some(update: Update, context: Context) -> None:
    """Do those pictures of an album that the credits cover; whatever else is asked in between counts first."""
    query = update.callback_query
    if query is None or query.data is None or not isinstance(query.message, Message):
        return
    number = int(query.data.partition(":")[2])
    offer = await context.house.db.look(lambda conn: albums.offered(conn, number))
    if offer is None or offer["chat_id"] != query.message.chat_id:
        toast: str | None = context.say("press_too_old")
    elif not await may_press(context, query, query.message, offer["user_id"]):
        toast = context.say("press_not_yours")
    else:
        requests = [replace(Request.of(row), fresh=row["fresh"]) for row in json.loads(offer["requests"])]
        asked = query.message.reply_to_message or query.message
        taken = await submit(context, asked, requests)
        if taken:
            await context.quietly(query.message.delete())
        toast = context.say("press_taken") if taken else None
    await context.quietly(query.answer(toast))
