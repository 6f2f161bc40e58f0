"""/settings: language, how results come, and the usual ID photo, for one chat; in a group its admins decide."""

from collections.abc import Container, Mapping

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message

from handlers import sizes
from handlers.addressing import speaker_of
from handlers.context import Context
from handlers.guards import decides, for_group_admins
from handlers.pressed import Act, Pressed, StaleError
from handlers.presses import button
from handlers.sizes import Row, in_rows
from imaging.presets import PRESETS
from storage import preferences
from storage.database import Connection
from storage.preferences import Preferences

DEFAULT = "-"
"""Stands in a button for "as it is when nobody chose"."""

_NAMES = ("language", "send_as", "id_size", "id_background")
_WAYS = ("photo", "file", "both")
_COLOURS = {value: key for value, key in sizes.BACKGROUNDS.items() if value != "png"}


@for_group_admins
async def settings(message: Message, context: Context) -> None:
    """Answer /settings with what is chosen and a button for each choice."""
    await context.reply(message, *_overview(context, speaker_of(message)))


def _overview(context: Context, user_id: int) -> tuple[str, InlineKeyboardMarkup]:
    lines = [context.say("settings"), ""]
    lines += [f"{context.say(f'setting_{name}')}: {_shown(context, name)}" for name in _NAMES]
    buttons = [button(context.say(f"setting_{name}"), "setting", user_id, name) for name in _NAMES]
    return "\n".join(lines), InlineKeyboardMarkup(in_rows(buttons, 2))


def _shown(context: Context, name: str) -> str:
    """Say what is chosen."""
    value = getattr(context.preferences, name)
    if value is None:
        return context.say(f"default_{name}")
    if name == "language":
        return context.house.words.name_of(value)
    if name == "send_as":
        return context.say(f"send_as_{value}")
    if name == "id_size":
        preset = PRESETS.get(value)
        return sizes.title(preset, context.known_language) if preset else value
    return context.say(f"colour_{_COLOURS[value]}") if value in _COLOURS else value


async def setting(pressed: Pressed, context: Context) -> str | None:
    """Show what one setting can be."""
    if not await decides(context, pressed.message.chat, pressed.person):
        return context.say("group_admin_only")
    name, user_id = pressed.press.first, pressed.press.user_id
    rows = _choices(context, name, user_id, pressed.page(pressed.press.second or "0"))
    rows.append([button(context.say(f"default_{name}"), "choose", user_id, name, DEFAULT)])
    rows.append([button(context.say("button_back"), "settings", user_id)])
    await pressed.show(context, context.say(f"which_{name}"), InlineKeyboardMarkup(rows))
    return None


def _choices(context: Context, name: str, user_id: int, page: int) -> list[Row]:
    def make(words: str, value: str) -> InlineKeyboardButton:
        return button(words, "choose", user_id, name, value)

    words, language = context.house.words, context.known_language
    if name == "language":
        return in_rows([make(words.name_of(one), one) for one in words.languages], 2)
    if name == "send_as":
        return [[make(context.say(f"send_as_{way}"), way)] for way in _WAYS]
    if name == "id_size":
        rows = sizes.grid(sizes.of_page(page, language), language, user_id, "choose", name)
        return [*rows, sizes.turning(page, user_id, "setting", name)]
    if name == "id_background":
        return in_rows([make(context.say(f"colour_{key}"), value) for value, key in _COLOURS.items()], 2)
    raise StaleError


async def choose(pressed: Pressed, context: Context) -> str | None:
    """Write a choice down and show them all."""
    name, value = pressed.press.first, pressed.press.second
    allowed: Mapping[str, Container[str]] = {
        "language": context.house.words.languages,
        "send_as": _WAYS,
        "id_size": PRESETS,
        "id_background": _COLOURS,
    }
    if value != DEFAULT and value not in allowed.get(name, ()):
        raise StaleError
    chat = pressed.message.chat
    if not await decides(context, chat, pressed.person):
        return context.say("group_admin_only")

    async def work(conn: Connection) -> Preferences:
        await preferences.choose(conn, chat.id, name, None if value == DEFAULT else value)
        return await preferences.get(conn, chat.id)

    context.preferences = await context.house.db.transact(work)
    context.language = context.preferences.language or pressed.query.from_user.language_code
    await back(pressed, context)
    return context.say("settings_saved")


async def back(pressed: Pressed, context: Context) -> None:
    """Show all choices."""
    await pressed.show(context, *_overview(context, pressed.press.user_id))


ACTS: Mapping[str, Act] = {"settings": back, "setting": setting, "choose": choose}
