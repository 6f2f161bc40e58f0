"""Albums: their pictures come one by one, without an end mark, the caption on any of them."""

import asyncio
from collections.abc import Sequence

from pydantic import TypeAdapter
from telegram import Message, Update

from handlers.addressing import is_private, speaker_of
from handlers.context import Context
from handlers.keyboards import menu, menu_words
from handlers.requests import make_requests, submit
from handlers.wishes import Gathering, Placed, Wish
from imaging.operations import load
from jobs.job import Picture
from storage import albums, chats
from storage import jobs as rows

QUIET_SECONDS = 0.6
"""An album is complete when no picture of it came for so long; those that come later are done one by one."""

MOST = 10
"""Pictures in one album (Bot API, InputMedia)."""

_PICTURE = TypeAdapter(Picture)


async def gather(
    update: Update,
    context: Context,
    message: Message,
    picture: Picture,
    wish: Wish | None = None,
    *,
    awaited: bool = False,
) -> None:
    """Take one picture of an album, with the wish for all of it if this message says one, or it was `awaited`.

    The update stays in the inbox until the album is complete and accepted, so that a crash in between loses nothing.
    """
    await remember(context, message, picture)
    key = (message.chat_id, message.media_group_id or "")
    gathering = context.bot_data.albums.get(key)
    if gathering is None or gathering.task is None:
        gathering = context.bot_data.albums[key] = Gathering(message)
        gathering.task = context.house.errands.run(_complete(update, context, key, gathering))
    gathering.pictures += 1
    if wish is not None and gathering.wish is None:
        gathering.wish, gathering.asked, gathering.awaited = wish, message, awaited
    gathering.more.set()
    context.house.errands.hold(update.update_id, gathering.task)


async def remember(context: Context, message: Message, picture: Picture) -> None:
    """Write down that a picture belongs to an album."""
    described = _PICTURE.dump_json(picture).decode()
    async with context.house.db.begin() as conn:
        await albums.add(
            conn, message.chat_id, message.message_id, message.media_group_id or "", speaker_of(message), described
        )


async def pictures_of(context: Context, message: Message) -> list[Placed]:
    """Give the pictures of the album that a message belongs to, in their order, as far as the bot has seen them."""
    if message.media_group_id is None:
        return []
    async with context.house.db.read() as conn:
        found = await albums.pictures(conn, message.chat_id, message.media_group_id)
    return [Placed(row["message_id"], _PICTURE.validate_json(row["picture"])) for row in found]


async def _complete(update: Update, context: Context, key: tuple[int, str], gathering: Gathering) -> None:
    """Wait for the last picture, then do with the album what was asked for."""
    try:
        while gathering.pictures < MOST:
            gathering.more.clear()
            async with asyncio.timeout(QUIET_SECONDS):
                await gathering.more.wait()
    except TimeoutError:
        pass
    if context.bot_data.albums.get(key) is gathering:
        del context.bot_data.albums[key]
    try:
        await _do(context, gathering)
    except Exception as error:  # noqa: BLE001  told and logged like any handler's failure
        await context.application.process_error(update, error)


async def _do(context: Context, gathering: Gathering) -> None:
    pictures = await pictures_of(context, gathering.first)
    asked, wish = gathering.asked, gathering.wish
    if asked is not None and wish is not None:
        person = speaker_of(asked)
        await submit(context, asked, make_requests(context, asked, person, _source(asked), pictures, wish))
        if gathering.awaited:
            async with context.house.db.begin() as conn:
                await chats.forget_expected(conn, asked.chat_id, person)
        await tell_unseen(context, asked, pictures)
    elif not await _join(context, gathering.first, pictures) and is_private(gathering.first):
        message = gathering.first
        largest = max((one.picture for one in pictures), key=lambda one: max(one.width or 0, one.height or 0))
        buttons = menu(context.say, speaker_of(message), largest)
        await context.reply(message, menu_words(context.say, largest), buttons)


def _source(message: Message) -> str:
    return f"a{message.media_group_id}"


async def _join(context: Context, late: Message, pictures: Sequence[Placed]) -> bool:
    """Let pictures that came late have what the rest of their album has; False when nobody asked for anything."""
    async with context.house.db.read() as conn:
        done = await rows.of_source(conn, late.chat_id, _source(late))
    if not done:
        return False
    wish = Wish(load(done[0]["operation"], done[0]["options"]))
    known = {row["place"] for row in done} | {row["reply_to"] for row in done}
    for placed in pictures:
        if placed.message_id not in known:
            (request,) = make_requests(context, late, done[0]["user_id"], _source(late), [placed], wish)
            await submit(context, late, [request.at(placed.message_id)])
    return True


async def tell_unseen(context: Context, asked: Message, pictures: Sequence[Placed]) -> None:
    """Say, once for an album, that privacy mode hides the rest of it."""
    told = context.bot_data.albums_told
    shown = asked if asked.media_group_id else asked.reply_to_message or asked
    key = (asked.chat_id, shown.media_group_id)
    if is_private(asked) or len(pictures) > 1 or key in told:
        return
    if len(told) > 1000:  # noqa: PLR2004  albums of the last hours, and no more
        told.clear()
    told.add(key)
    await context.reply(asked, context.say("album_unseen"))
