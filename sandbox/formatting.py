"""Reads parse_mode: HTML and MarkdownV2 into a text and its entities."""

import html
import re
from typing import Any

from sandbox.entities import found_in, utf16
from sandbox.errors import Refused, bad_request

Entity = dict[str, Any]
TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler",
    "code": "code", "pre": "pre", "a": "text_link", "blockquote": "blockquote", "tg-emoji": "custom_emoji",
}  # fmt: skip
TAG = re.compile(r"<(/?)([a-z-]*)([^>]*)>", re.IGNORECASE)
ATTRIBUTE = re.compile(r"""\s([a-z-]+)=["']?([^"'>]*)""")


def formatted(text: str, parse_mode: str | None, entities: list[Entity] | None) -> tuple[str, list[Entity]]:
    """Return the trimmed text and its entities; those found by the server come in addition to those given."""
    if parse_mode and parse_mode.lower() == "html":
        text, entities = from_html(text)
    elif parse_mode and parse_mode.lower() == "markdownv2":
        text, entities = from_markdown(text)
    elif parse_mode:
        raise bad_request("unsupported parse_mode")
    lead = utf16(text) - utf16(text.lstrip())
    text = text.strip()
    kept = [{**entity, "offset": max(0, entity["offset"] - lead)} for entity in entities or []]
    return text, sorted([*kept, *found_in(text)], key=lambda entity: (entity["offset"], -entity["length"]))


def _broken(words: str) -> Refused:
    return bad_request(f"can't parse entities: {words}")


def from_html(source: str) -> tuple[str, list[Entity]]:
    """Read Telegram's HTML; 400 for tags it does not have and tags that do not match."""
    text, at = "", 0
    opened: list[tuple[str, Entity]] = []
    entities: list[Entity] = []
    for tag in TAG.finditer(source):
        text += html.unescape(_plain(source, at, tag.start()))
        at = tag.end()
        name, byte = tag[2].lower(), len(source[: tag.start()].encode())
        if not tag[1]:
            opened.append((name, {"offset": utf16(text), **_described(name, tag[3], byte)}))
            continue
        if not opened or opened[-1][0] != name:
            raise _broken(f"Unmatched end tag at byte offset {byte}")
        entity = opened.pop()[1]
        entity["length"] = utf16(text) - entity["offset"]
        entities += [entity] if entity["length"] and entity["type"] else []
    text += html.unescape(_plain(source, at, len(source)))
    if opened:
        raise _broken(f'Can\'t find end tag corresponding to start tag "{opened[-1][0]}"')
    return text, entities


def _plain(source: str, start: int, end: int) -> str:
    piece = source[start:end]
    if "<" in piece:
        byte = len(source[: start + piece.index("<")].encode())
        raise _broken(f"Unclosed start tag at byte offset {byte}")
    return piece


def _described(name: str, rest: str, byte: int) -> Entity:
    """Return what the start tag says of its entity."""
    attributes = dict(ATTRIBUTE.findall(rest))
    if name == "span" and attributes.get("class") == "tg-spoiler":
        return {"type": "spoiler"}
    if name not in TAGS:
        raise _broken(f'Unsupported start tag "{name}" at byte offset {byte}')
    kind = TAGS[name]
    if kind == "text_link":
        return {"type": kind, "url": html.unescape(attributes.get("href", ""))}
    if kind == "custom_emoji":
        return {"type": kind, "custom_emoji_id": attributes.get("emoji-id", "")}
    if kind == "blockquote" and "expandable" in rest:
        return {"type": "expandable_blockquote"}
    return {"type": kind}


MARKS = {"*": "bold", "__": "underline", "_": "italic", "~": "strikethrough", "||": "spoiler"}
TOKEN = re.compile(
    r"\\(?P<escaped>[!-~])|```(?:(?P<language>\w+)\n)?(?P<pre>.*?)```|`(?P<code>[^`]*)`|\]\((?P<url>[^)]*)\)|(?P<mark>\|\||__|[*_~\[])|(?P<reserved>[\]()>#+\-=|{}.!`])|(?P<plain>.)",
    re.DOTALL,
)


def from_markdown(source: str) -> tuple[str, list[Entity]]:
    """Read MarkdownV2; 400 for a reserved character that is not escaped and marks that are not closed."""
    text = ""
    opened: list[tuple[str, Entity]] = []
    entities: list[Entity] = []
    for token in TOKEN.finditer(source):
        kind, value = token.lastgroup or "pre", token[token.lastgroup or "pre"]
        start = utf16(text)
        if kind in {"plain", "escaped"}:
            text += value
        elif kind in {"pre", "code"}:
            inner = re.sub(r"\\([\\`])", r"\1", value)
            text += inner
            language = {"language": token["language"]} if kind == "pre" and token["language"] else {}
            entities.append({"type": kind, "offset": start, "length": utf16(inner), **language})
        elif kind == "mark" and (value == "[" or not opened or opened[-1][0] != value):
            opened.append((value, {"type": MARKS.get(value, "text_link"), "offset": start}))
        elif kind == "mark" or (kind == "url" and opened and opened[-1][0] == "["):
            entity = opened.pop()[1] | {"length": 0}
            entity["length"] = start - entity["offset"]
            entities.append(entity | ({"url": value} if kind == "url" else {}))
        else:
            raise _broken(f"Character '{value[:1] or ']'}' is reserved and must be escaped with the preceding '\\'")
    if opened:
        byte = len(source.encode())
        raise _broken(f"Can't find end of {opened[-1][1]['type']} entity at byte offset {byte}")
    return text, entities
