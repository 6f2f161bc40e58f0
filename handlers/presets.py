"""/presets: every ID photo size by its document, a page at a time, and a button that asks for the portrait."""

from collections.abc import Mapping

from telegram import InlineKeyboardMarkup, Update

from handlers import sizes
from handlers.addressing import speaker_of
from handlers.context import Context
from handlers.idphoto import ask_portrait
from handlers.pressed import Act, Pressed
from imaging.operations import IdPhoto


async def presets(update: Update, context: Context) -> None:
    """/presets: the first page."""
    if update.message:
        words, markup = _screen(context, speaker_of(update.message), 0)
        await context.reply(update.message, words, markup)


def _screen(context: Context, user_id: int, page: int) -> tuple[str, InlineKeyboardMarkup]:
    language = context.known_language
    shown = sizes.of_page(page, language)
    rows = sizes.grid(shown, language, user_id, "preset")
    words = f"{context.say('presets')}\n\n{sizes.listing(shown, language, context.say)}"
    return words, InlineKeyboardMarkup([*rows, sizes.turning(page, user_id, "presets")])


async def turn(pressed: Pressed, context: Context) -> None:
    """Show another page."""
    await pressed.show(context, *_screen(context, pressed.press.user_id, pressed.page(pressed.press.first)))


async def choose(pressed: Pressed, context: Context) -> None:
    """Ask whoever pressed for the portrait."""
    operation = IdPhoto.parse(pressed.preset(pressed.press.first).id)
    # In answer to the person's own message, because a reply field opens only for those who are answered.
    await ask_portrait(context, pressed.message.reply_to_message or pressed.message, pressed.person, operation)


ACTS: Mapping[str, Act] = {"presets": turn, "preset": choose}
