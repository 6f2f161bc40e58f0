"""Reads what people type after a command: words, colours, sizes, file-size caps; any order and case."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from imaging.errors import ArgumentError

MM_PER_UNIT = {
    "mm": 1.0,
    "cm": 10.0,
    "inches": 25.4,
    "inch": 25.4,
    "in": 25.4,
    '"': 25.4,
    "мм": 1.0,
    "см": 10.0,
    "毫米": 1.0,
    "厘米": 10.0,
}
MM_PER_UNIT |= {"英寸": 25.4, "میلیمتر": 1.0, "سانتیمتر": 10.0}
BYTES_PER_UNIT = {"kb": 1000, "k": 1000, "кб": 1000, "mb": 1_000_000, "m": 1_000_000, "мб": 1_000_000}

# The backgrounds people ask for. Blue and red are those of Chinese ID photos (438EDB, FF0000), not the web's.
_COLOURS: Mapping[str, str] = {
    "FFFFFF": "white 白 白色 白底 белый белая blanco blanca سفید",
    "000000": "black 黑 黑色 黑底 чёрный черный negro سیاه مشکی",
    "438EDB": "blue 蓝 蓝色 蓝底 синий azul آبی",
    "FF0000": "red 红 红色 红底 красный rojo قرمز",
    "D8E6F3": "lightblue skyblue 浅蓝 浅蓝色 浅蓝底 голубой celeste",
    "E6E6E6": "lightgrey lightgray 浅灰 浅灰色",
    "BEBEBE": "grey gray 灰 灰色 灰底 серый gris خاکستری طوسی",
    "00B140": "green 绿 绿色 绿底 зелёный зеленый verde سبز",
    "FFFF00": "yellow 黄 黄色 жёлтый желтый amarillo زرد",
    "FFA500": "orange 橙色 оранжевый naranja نارنجی",
    "FFC0CB": "pink 粉色 розовый rosa صورتی",
    "F5F5DC": "beige 米色 бежевый",
    "FFFDD0": "cream кремовый crema",
}
COLOURS: Mapping[str, str] = {word: value for value, words in _COLOURS.items() for word in words.split()}
# "blue background" says no more than "blue".
_FILLERS = frozenset({"background", "bg", "фон", "fondo", "背景", "پسزمینه"})

_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
_TIMES = "x\u00d7\u2715\u2716\u0445*"  # × ✕ ✖, and the Cyrillic letter that a Russian keyboard gives
SEPARATORS = r"\s,;\u3001\u060c"  # also the Chinese and the Persian comma; NFKC makes the others plain
_BETWEEN = re.compile(rf"(?<=\d)(?:[{_TIMES}]|\s+[{_TIMES}]\s+)(?=\d)", re.ASCII)
_BESIDE = re.compile(rf"(?:(?<![^{SEPARATORS}])[{_TIMES}](?=\d))|(?:(?<=\d)[{_TIMES}](?![^{SEPARATORS}]))", re.ASCII)
_SEPARATORS = re.compile(rf"[{SEPARATORS}]+")
_LIGHT = re.compile(r"\blight[\s-]+(?=blue\b|gr[ae]y\b)")  # the one colour name of two words
_HEX = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})|[0-9a-f]{6}|(?=.*[a-f])[0-9a-f]{3}|000")
WORD_SHOWN = 40  # characters of a person's word that an answer repeats


@dataclass
class Found:
    """Values read so far, each with the word it came from, so that a contradiction can name both words."""

    operation: str
    example: str
    values: dict[str, Any] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, value: object, word: str) -> None:
        """Keep a value; raises ArgumentError `argument_conflict` when another was given before."""
        if name in self.values and self.values[name] != value:
            raise self.error("argument_conflict", first=self.words[name], second=word)
        self.values[name] = value
        self.words[name] = word

    def error(self, code: str, **params: str | int) -> ArgumentError:
        """Make an ArgumentError that carries the operation and its example; long words are cut."""
        cut = {key: value[:WORD_SHOWN] if isinstance(value, str) else value for key, value in params.items()}
        return ArgumentError(code, operation=self.operation, example=self.example, **cut)

    def unknown(self, word: str) -> ArgumentError:
        """Make the error for a word that means nothing here."""
        return self.error("argument_unknown", word=word)


def normalise(text: str) -> str:
    """Give one meaning one spelling: compatibility forms, case, digits, multiplication signs, invisible marks."""
    text = unicodedata.normalize("NFKC", text).casefold().translate(_DIGITS)
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cc") or c.isspace())
    return _LIGHT.sub("light", _BESIDE.sub("x", _BETWEEN.sub("x", text))).strip()


def split(text: str) -> list[str]:
    """Return the words of an already normalised text, fillers left out."""
    words = (word.strip(".!") for word in _SEPARATORS.split(text))
    return [word for word in words if word and word not in _FILLERS]


def colour(word: str) -> str | None:
    """Return a normalised word as RRGGBB, or None.

    Three bare digits are no colour (a half-typed size is likelier), save 000; `#123` is one.
    """
    if word in COLOURS:
        return COLOURS[word]
    if not _HEX.fullmatch(word):
        return None
    digits = word.removeprefix("#").upper()
    return digits if len(digits) == len("RRGGBB") else "".join(c * 2 for c in digits)


def read(words: Iterable[str], known: Mapping[str, tuple[str, object]], found: Found) -> list[str]:
    """Take the known words (`word: (field, value)`) into `found`; return the others in their order."""
    rest = []
    for word in words:
        if word in known:
            found.put(*known[word], word)
        else:
            rest.append(word)
    return rest


def read_colours(words: Iterable[str], found: Found) -> list[str]:
    """Take colours into `found` as `background`; return the other words."""
    rest = []
    for word in words:
        if value := colour(word):
            found.put("background", value, word)
        else:
            rest.append(word)
    return rest


def check_background(found: Found) -> None:
    """Let a background imply JPG; raises ArgumentError `argument_png_background` beside png."""
    if "background" not in found.values:
        return
    if found.values.get("format") == "png":
        raise found.error("argument_png_background", word=found.words["background"])
    found.values["format"] = "jpg"
