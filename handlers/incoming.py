"""From what a person sent to a request for the desk: finding the picture, asking for it, offering what can be done."""

from collections.abc import Callable, Mapping
from mimetypes import guess_type
from typing import TypeVar

from telegram import ExternalReplyInfo, ForceReply, Message, Update
from telegram.ext.filters import MessageFilter

from handlers.addressing import command_in, is_private, speaker_of
from handlers.albums import gather, pictures_of, tell_unseen
from handlers.context import Context
from handlers.errors import misunderstood
from handlers.keyboards import menu, menu_words
from handlers.links import BadLinkError, link_in
from handlers.requests import make_requests, submit, without_fresh
from handlers.wishes import Placed, Wish
from handlers.words import Param
from imaging.errors import ArgumentError
from imaging.operations import Operation, load
from jobs.job import Picture
from storage import chats

# Picture files that people have and Python's table of media types may not know.
_MORE_SUFFIXES = (".heic", ".heif", ".avif", ".webp", ".jfif")
T = TypeVar("T", bound=Operation)


def picture_in(message: Message | ExternalReplyInfo | None) -> Picture | None:
    """Give the picture a message carries: a photo in its largest size, an image file or a still sticker."""
    if message is None:
        return None
    if message.photo:
        best = max(message.photo, key=lambda size: size.width * size.height)
        return Picture(best.file_id, best.file_unique_id, "photo", None, best.file_size, best.width, best.height)
    file, sticker = message.document, message.sticker
    if file and not message.animation and _is_image(file.mime_type, file.file_name):
        return Picture(file.file_id, file.file_unique_id, "document", file.file_name, file.file_size)
    if sticker and not sticker.is_animated and not sticker.is_video:
        return Picture(
            sticker.file_id,
            sticker.file_unique_id,
            "sticker",
            None,
            sticker.file_size,
            sticker.width,
            sticker.height,
        )
    return None


def _is_image(mime_type: str | None, name: str | None) -> bool:
    """Tell whether a file says that it is a picture. It may lie: whether it is one is seen when it is opened."""
    suffixed = (name or "").lower()
    guessed = guess_type(suffixed)[0] or ""
    return any(kind.startswith("image/") for kind in (mime_type or "", guessed)) or suffixed.endswith(_MORE_SUFFIXES)


class _Pictured(MessageFilter):
    def filter(self, message: Message) -> bool:
        return picture_in(message) is not None


PICTURED = _Pictured("PICTURED")
"""Lets messages through that carry a picture."""


async def take(
    update: Update,
    context: Context,
    kind: type[T],
    mention: Callable[[T], Mapping[str, Param]] = lambda _: {},
    parse: Callable[[str], T] | None = None,
) -> None:
    """Do the command of operation `kind` on the picture it came with or answers to, or ask for one.

    `mention` gives what the words of `ask_<operation>` tell about what will be done; `parse` reads the words typed.
    """
    message = update.message
    if message is None:
        return
    picture, link = picture_in(message), None
    try:
        typed, fresh = without_fresh(context.typed)
        if picture is None:
            link, typed = link_in(typed)
        wish = Wish(operation := (parse or kind.parse)(typed), fresh)
    except ArgumentError as error:
        await context.reply(message, misunderstood(context, error))
        return
    except BadLinkError:
        await context.reply(message, context.say("link_refused"))
        return
    own, answered = picture or link, message.reply_to_message or message.external_reply
    if picture and message.media_group_id:
        await gather(update, context, message, picture, wish)
    elif picture := own or picture_in(answered):
        shown = answered if own is None and isinstance(answered, Message) else None
        await accept(context, message, speaker_of(message), f"m{message.message_id}", picture, wish, shown)
    elif message.effective_attachment:
        await context.reply(message, context.say("send_a_photo"))
    else:
        words = context.say(f"ask_{kind.name}", **mention(operation))
        await ask(context, message, speaker_of(message), wish, words)


async def accept(
    context: Context,
    message: Message,
    user_id: int,
    source: str,
    picture: Picture,
    wish: Wish,
    shown: Message | None = None,
) -> bool:
    """Hand the request to the desk; the answer goes to `message`. False: refused, and the person knows.

    `shown`: the message with the picture if it is another one; if it is of an album, all of that is meant.
    """
    pictures = await pictures_of(context, shown) if shown else []
    if shown and not any(placed.message_id == shown.message_id for placed in pictures):
        pictures = []  # what was not seen when it came is known by itself only
    requests = make_requests(context, message, user_id, source, pictures or [Placed(message.message_id, picture)], wish)
    taken = await submit(context, message, requests)
    if shown and shown.media_group_id and taken:
        await tell_unseen(context, message, pictures)
    return taken


async def ask(context: Context, message: Message, person: int, wish: Wish, words: str) -> None:
    """Ask for the photo, in answer to `message`, and remember for this person in this chat what it is for.

    In a group only an answer to the bot's own message reaches it, hence the reply field opened for that one person.
    """
    force = ForceReply(selective=True, input_field_placeholder=context.say("ask_placeholder"))
    prompt = await context.reply(message, words, None if is_private(message) else force)
    wanted = (wish.operation.name, wish.operation.model_dump_json(), prompt.message_id)
    await context.house.db.persist(lambda conn: chats.expect(conn, message.chat_id, person, *wanted, fresh=wish.fresh))


async def photo(update: Update, context: Context) -> None:
    """Take a picture that came without a command of ours: the one asked for, or, in a private chat, offer the menu."""
    message = update.message
    picture = picture_in(message)
    if message is None or picture is None or command_in(message):
        return
    wish = await _awaited(context, message)
    if message.media_group_id:
        await gather(update, context, message, picture, wish, awaited=True)
    elif wish:
        await _take_awaited(context, message, picture, wish)
    elif is_private(message):
        words, buttons = menu_words(context.say, picture), menu(context.say, speaker_of(message), picture)
        await context.reply(message, words, buttons)


async def _awaited(context: Context, message: Message) -> Wish | None:
    """Give what whoever wrote `message` was asked to send a photo for here."""
    where = (message.chat_id, speaker_of(message))
    expected = await context.house.db.look(lambda conn: chats.expected(conn, *where))
    return Wish(load(expected.operation, expected.options), expected.fresh) if expected else None


async def _take_awaited(context: Context, message: Message, picture: Picture, wish: Wish) -> None:
    """Do what a picture was asked for, and expect none any more."""
    person = speaker_of(message)
    await accept(context, message, person, f"m{message.message_id}", picture, wish)
    # After the job is written down: if we die in between, the photo is taken twice as one job, not lost.
    await context.house.db.persist(lambda conn: chats.forget_expected(conn, message.chat_id, person))


async def something_else(update: Update, context: Context) -> None:
    """Say what to send: in a private chat always, in a group only to whoever answers the bot's question."""
    message = update.message
    if message is None or command_in(message):  # a command that came this far is for another bot
        return
    if await _link_taken(context, message):
        return
    answered = message.reply_to_message
    if not is_private(message):
        if answered is None or answered.from_user is None or answered.from_user.id != context.bot.id:
            return
        here = (message.chat_id, speaker_of(message))
        expected = await context.house.db.look(lambda conn: chats.expected(conn, *here))
        if expected is None or expected.prompt_id != answered.message_id:
            return
    await context.reply(message, context.say("send_a_photo"))


async def _link_taken(context: Context, message: Message) -> bool:
    """Take a link for the photo that was asked for."""
    try:
        link, _ = link_in(message.text or "")
    except BadLinkError:
        return False
    if link is None or (wish := await _awaited(context, message)) is None:
        return False
    await _take_awaited(context, message, link, wish)
    return True
