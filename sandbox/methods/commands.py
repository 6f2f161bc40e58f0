"""Methods that set what people see of the bot: its commands, names and descriptions."""

import json
import re
from typing import Any

from sandbox.errors import bad_request
from sandbox.posting import chat_for_bot
from sandbox.registry import Call, method

Json = dict[str, Any]
COMMAND = re.compile(r"[a-z0-9_]{1,32}")
LANGUAGE = re.compile(r"[a-z]{2}|")
MOST_COMMANDS = 100
DESCRIPTION_LENGTH = 256
LIMITS = {"name": 64, "description": 512, "short_description": 120}
CHAT_SCOPES = {"chat", "chat_administrators", "chat_member"}


def _place(call: Call) -> tuple[str, str]:
    """Return the (scope, language) that commands are kept under; 400 for a chat the bot cannot know."""
    scope = call.get("scope", {"type": "default"})
    if scope["type"] in CHAT_SCOPES:
        chat_for_bot(call.world, call.bot, scope["chat_id"])
    return json.dumps(scope, sort_keys=True), _language(call)


def _language(call: Call) -> str:
    language: str = call.get("language_code", "")
    if not LANGUAGE.fullmatch(language):
        raise bad_request("invalid language code specified")
    return language


@method
async def setMyCommands(call: Call) -> bool:  # noqa: N802  Telegram's name
    """Set the commands of a scope and language."""
    if len(call["commands"]) > MOST_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in call["commands"]:
        if not COMMAND.fullmatch(command["command"].removeprefix("/")):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(command["description"]) <= DESCRIPTION_LENGTH:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    call.bot.commands[_place(call)] = call["commands"]
    return True


@method
async def getMyCommands(call: Call) -> list[Json]:  # noqa: N802  Telegram's name
    """Return the commands of exactly this scope and language."""
    return call.bot.commands.get(_place(call), [])


@method
async def deleteMyCommands(call: Call) -> bool:  # noqa: N802  Telegram's name
    """Forget the commands of a scope and language."""
    call.bot.commands.pop(_place(call), None)
    return True


def _set(call: Call, what: str) -> bool:
    value: str = call.get(what, "")
    if len(value) > LIMITS[what]:
        raise bad_request(f"{what.replace('_', ' ')} is too long")
    call.bot.profile[what, _language(call)] = value
    return True


def _get(call: Call, what: str, default: str = "") -> Json:
    profile = call.bot.profile
    return {what: profile.get((what, _language(call))) or profile.get((what, "")) or default}


@method
async def setMyName(call: Call) -> bool:  # noqa: N802  Telegram's name
    """Set the name in a language."""
    return _set(call, "name")


@method
async def getMyName(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Return the name in a language."""
    return _get(call, "name", call.bot.user["first_name"])


@method
async def setMyDescription(call: Call) -> bool:  # noqa: N802  Telegram's name
    """Set what an empty chat with the bot shows."""
    return _set(call, "description")


@method
async def getMyDescription(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Return what an empty chat with the bot shows."""
    return _get(call, "description")


@method
async def setMyShortDescription(call: Call) -> bool:  # noqa: N802  Telegram's name
    """Set what the bot's profile shows."""
    return _set(call, "short_description")


@method
async def getMyShortDescription(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Return what the bot's profile shows."""
    return _get(call, "short_description")
