"""Finds the entities a Telegram server finds by itself: commands, mentions, hashtags, links; in UTF-16 units."""

import re
from typing import Any

Entity = dict[str, Any]
FOUND = re.compile(
    r"(?P<url>https?://[^\s<>\"]+)"
    r"|(?<![\w/@<>])(?P<bot_command>/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?)(?![\w/])"
    r"|(?<![\w@])(?P<mention>@[A-Za-z][A-Za-z0-9_]{3,31})\b"
    r"|(?<![\w#])(?P<hashtag>#\w*[^\W\d]\w*)"
)


def utf16(text: str) -> int:
    """Return the length of *text* in UTF-16 code units, in which Telegram counts."""
    return len(text) + sum(ord(char) > 0xFFFF for char in text)  # noqa: PLR2004  past the first plane: two units


def found_in(text: str) -> list[Entity]:
    """Return the entities of *text* in order."""
    return [
        {
            "type": match.lastgroup,
            "offset": utf16(text[: match.start()]),
            "length": utf16(match.group()),
        }
        for match in FOUND.finditer(text)
    ]


def command_of(text: str) -> tuple[str, str | None] | None:
    """Return (command, addressed username) when *text* starts with a bot command, else None."""
    match = FOUND.match(text)
    if match is None or not match["bot_command"]:
        return None
    command, _, username = match["bot_command"][1:].partition("@")
    return command, username or None
