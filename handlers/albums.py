"""Albums: their pictures come one by one, without an end mark, the caption on any of them.

They gather in the database, so that their pictures may come to several processes: each picture moves the moment when
its album is due. Who wrote the last one waits for that moment; should it end meanwhile, `complete_overdue` is for the
others.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from pydantic import TypeAdapter
from telegram import Message, Update

from handlers.addressing import is_private, speaker_of
from handlers.context import AlbumKey, App, Context
from handlers.keyboards import menu, menu_words
from handlers.requests import make_requests, submit
from handlers.wishes import Placed, Wish
from imaging.operations import load
from jobs.job import Picture
from storage import albums, chats, inbox
from storage import jobs as rows
from storage.database import Connection, Row
from storage.preferences import Preferences
from storage.preferences import get as preferences_of

QUIET_SECONDS = 0.6
"""An album is complete when no picture of it came for so long; those that come later are done one by one."""

LEASE_SECONDS = 15.0
"""Whoever completes an album has it for so long; after that others take it on."""

AGAIN_SECONDS = 5.0
"""So often whoever is still at it has it for as long again."""

PATIENCE_SECONDS = 2.0
"""So long after it was due an album is left to whoever waits for it."""

_PICTURE = TypeAdapter(Picture)
log = structlog.get_logger()


async def gather(
    update: Update,
    context: Context,
    message: Message,
    picture: Picture,
    wish: Wish | None = None,
    *,
    awaited: bool = False,
) -> None:
    """Take one picture of an album, with the wish for all of it if this message says one, or it was `awaited`."""
    key = (message.chat_id, message.media_group_id or "")
    described = _PICTURE.dump_json(picture).decode()
    person, wished = speaker_of(message), wish.dump() if wish else None

    async def write(conn: Connection) -> tuple[float, bool] | None:
        if not await albums.add(conn, key[0], message.message_id, key[1], person, described):
            return None
        return await albums.gather(conn, *key, update.update_id, wished, awaited=awaited, quiet=QUIET_SECONDS)

    if gathered := await context.house.db.transact(write):
        due_at, whole = gathered
        application: App = context.application  # type: ignore[assignment]  # PTB forgets its type of context here
        _wait(application, key, due_at, 0.0 if whole else QUIET_SECONDS)


async def complete_overdue(application: App) -> None:
    """Complete the albums that nobody waits for any more.

    A database of one process has no other at its start; what then still comes of an album is waited for anew.
    """
    db = application.bot_data.house.db
    patience, quiet = (PATIENCE_SECONDS, 0.0) if db.on_server else (None, QUIET_SECONDS)
    for row in await db.look(lambda conn: albums.left(conn, patience)):
        key = (row["chat_id"], row["group_id"])
        waiting = application.bot_data.albums.get(key)
        if waiting is None or waiting.done():
            _wait(application, key, row["due_at"], quiet)


async def pictures_of(context: Context, message: Message) -> list[Placed]:
    """Give the pictures of the album that a message belongs to, in their order, as far as the bot has seen them."""
    if message.media_group_id is None:
        return []
    return await context.house.db.look(partial(_pictures, key=(message.chat_id, message.media_group_id)))


async def _pictures(conn: Connection, key: AlbumKey) -> list[Placed]:
    found = await albums.pictures(conn, *key)
    return [Placed(row["message_id"], _PICTURE.validate_json(row["picture"])) for row in found]


def _wait(application: App, key: AlbumKey, due_at: float, seconds: float) -> None:
    """Complete the album after some seconds, unless another picture comes to this process first."""
    waiting = application.bot_data.albums
    if earlier := waiting.pop(key, None):
        earlier.cancel()
    waiting[key] = application.bot_data.house.errands.run(_when_due(application, key, due_at, seconds))


async def _when_due(application: App, key: AlbumKey, due_at: float, seconds: float) -> None:
    await asyncio.sleep(seconds)
    del application.bot_data.albums[key]  # from here on nothing but the end of the program cuts it short
    try:
        await _complete(application, key, due_at)
    except Exception:
        log.exception("album left for later")


@dataclass(frozen=True, slots=True)
class _Whole:
    """An album that is complete: its row, what was said, its pictures, and which jobs it has already."""

    row: Row
    update: inbox.RawUpdate | None
    pictures: Sequence[Placed]
    jobs: Sequence[Row]
    preferences: Preferences


async def _complete(application: App, key: AlbumKey, due_at: float) -> None:
    """Do with the album what was asked for, unless another picture came or another process was faster."""
    db = application.bot_data.house.db
    whole = await db.persist(partial(_take, key=key, due_at=due_at))
    if whole is None:
        return
    mine = whole.row["due_at"]
    doing = asyncio.create_task(_do(application, whole))
    try:
        while not (await asyncio.wait([doing], timeout=AGAIN_SECONDS))[0]:
            longer = await db.persist(partial(_claim, key=key, due_at=mine))
            mine = longer["due_at"] if longer else mine
        doing.result()
    finally:
        doing.cancel()
        await asyncio.wait([doing])
    await db.persist(lambda conn: albums.complete(conn, *key, mine))


async def _claim(conn: Connection, key: AlbumKey, due_at: float) -> Row | None:
    return await albums.claim(conn, *key, due_at, LEASE_SECONDS)


async def _take(conn: Connection, key: AlbumKey, due_at: float) -> _Whole | None:
    """Claim an album and read all that is needed to complete it."""
    row = await _claim(conn, key, due_at)
    if row is None:
        return None
    update = await inbox.get(conn, row["asked"] or row["update_id"])
    pictures, jobs = await _pictures(conn, key), await rows.of_source(conn, key[0], _source(key[1]))
    return _Whole(row, update, pictures, jobs, await preferences_of(conn, key[0]))


async def _do(application: App, whole: _Whole) -> None:
    update = Update.de_json(dict(whole.update), application.bot) if whole.update else None
    if update is None or update.message is None or not whole.pictures:
        return  # somebody had it forgotten
    context = Context.from_update(update, application)
    context.prefer(whole.preferences)
    try:
        await _do_wish(context, update.message, whole)
    except Exception as error:
        db = application.bot_data.house.db
        if db.on_server and db.passes(error):
            raise  # others may reach it
        await application.process_error(update, error)  # told and logged like any handler's failure


async def _do_wish(context: Context, message: Message, whole: _Whole) -> None:
    row, pictures = whole.row, whole.pictures
    person, wish = speaker_of(message), Wish.load(row["wish"]) if row["wish"] else None
    if whole.jobs:
        await _join(context, message, whole, wish)
    elif wish:
        requests = make_requests(context, message, person, _source(row["group_id"]), pictures, wish)
        # A single one, too, by its number: another process may be at it together with one that came meanwhile.
        requests = [request.at(placed.message_id) for request, placed in zip(requests, pictures, strict=True)]
        await submit(context, message, requests)
    elif is_private(message):
        largest = max((one.picture for one in pictures), key=lambda one: max(one.width or 0, one.height or 0))
        await context.reply(message, menu_words(context.say, largest), menu(context.say, person, largest))
    if row["awaited"]:
        await context.house.db.persist(lambda conn: chats.forget_expected(conn, message.chat_id, person))
    if wish:
        await tell_unseen(context, message, pictures)


def _source(group_id: str) -> str:
    return f"a{group_id}"


async def _join(context: Context, late: Message, whole: _Whole, wish: Wish | None) -> None:
    """Let pictures that came late have what they, or else the rest of their album, were to have."""
    first = whole.jobs[0]
    wish = wish or Wish(load(first["operation"], first["options"]))
    known = {row["place"] for row in whole.jobs} | {row["reply_to"] for row in whole.jobs}
    for placed in whole.pictures:
        if placed.message_id not in known:
            (request,) = make_requests(context, late, first["user_id"], first["source"], [placed], wish)
            await submit(context, late, [request.at(placed.message_id)])


async def tell_unseen(context: Context, asked: Message, pictures: Sequence[Placed]) -> None:
    """Say, once for an album, that privacy mode hides the rest of it."""
    shown = asked if asked.media_group_id else asked.reply_to_message or asked
    if is_private(asked) or len(pictures) > 1 or shown.media_group_id is None:
        return
    chat_id, group_id = asked.chat_id, shown.media_group_id
    if await context.house.db.transact(lambda conn: albums.tell(conn, chat_id, group_id)):
        await context.reply(asked, context.say("album_unseen"))
