"""ID photo sizes and backgrounds as buttons and as lists."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from telegram import InlineKeyboardButton

from handlers.presses import button
from imaging.presets import PRESETS, Preset

Say = Callable[..., str]
Row = list[InlineKeyboardButton]

PAGE = 10
PAGES = -(-len(PRESETS) // PAGE)
SHORT = 20
"""Characters that half a phone's width shows."""

BACKGROUNDS: Mapping[str, str] = {
    "FFFFFF": "white",
    "E6E6E6": "light",
    "438EDB": "blue",
    "FF0000": "red",
    "png": "none",
}
"""What stands behind a background's button (colours as in imaging.arguments), and the ending of its words' key."""

# What people who speak a language mostly need, first things first.
_USUAL: Mapping[str, Sequence[str]] = {
    "en": ("us", "us_visa", "gb", "eu", "in", "passport"),
    "zh": ("cn_1inch", "cn_2inch", "cn", "us_visa", "jp_visa", "eu"),
    "ru": ("ru", "3x4", "eu", "us_visa", "cn_visa", "4x6"),
    "es": ("es", "us_visa", "eu", "ar", "co", "passport"),
    "fa": ("ir", "3x4", "4x6", "eu", "us_lottery", "us_visa"),
}


def flag(preset: Preset) -> str:
    """Give the country's flag, or a globe for sizes of no country, and a space."""
    letters = (chr(0x1F1E6 + ord(letter) - ord("a")) for letter in preset.country)
    return f"{''.join(letters) or '🌐'} "


def measures(preset: Preset) -> str:
    """Give the size as it is printed, e.g. `35×45`, in millimetres."""
    return f"{preset.width_mm:g}×{preset.height_mm:g}"


def label(preset: Preset, language: str) -> str:
    """Give the short name that fits on a button."""
    return f"{flag(preset)}{preset.kind_name(language)}"


def title(preset: Preset, language: str) -> str:
    """Give the whole name for a list."""
    country = preset.country_name(language)
    return f"{flag(preset)}{country + ' · ' if country else ''}{preset.kind_name(language)}"


def usual(language: str, chosen: str | None) -> list[Preset]:
    """Give the presets offered first, the one chosen in /settings before all others."""
    names = [*([chosen] if chosen else []), *_USUAL.get(language, _USUAL["en"])]
    return [PRESETS[name] for name in dict.fromkeys(names) if name in PRESETS]


def of_page(number: int, language: str) -> list[Preset]:
    """Give the presets of a page, counted from 0, the usual ones first; of the last page where there is none."""
    first = min(number, PAGES - 1) * PAGE
    ordered = dict.fromkeys([*usual(language, None), *PRESETS.values()])
    return list(ordered)[first : first + PAGE]


def listing(presets: Iterable[Preset], language: str, say: Say) -> str:
    """Give a line for each preset: name, size, and what to type for it."""
    return "\n".join(say("preset_line", name=title(one, language), size=measures(one), word=one.id) for one in presets)


def grid(presets: Iterable[Preset], language: str, user_id: int, verb: str, *before: object) -> list[Row]:
    """Give a button for each preset, two in a row if both are short; a press does `verb` with `before` and the id."""
    rows: list[Row] = []
    for one in presets:
        made = button(label(one, language), verb, user_id, *before, one.id)
        if rows and len(rows[-1]) == 1 and max(len(made.text), len(rows[-1][0].text)) <= SHORT:
            rows[-1].append(made)
        else:
            rows.append([made])
    return rows


def turning(page: int, user_id: int, verb: str, *before: object) -> Row:
    """Give the buttons that turn pages; the first and the last lead to each other."""
    back, on = (page - 1) % PAGES, (page + 1) % PAGES
    middle = button(f"{page + 1}/{PAGES}", verb, user_id, *before, page)
    return [button("◀", verb, user_id, *before, back), middle, button("▶", verb, user_id, *before, on)]


def backgrounds(say: Say, asked: str | None, make: Callable[[str, str], InlineKeyboardButton]) -> list[Row]:
    """Give a button for each background, made by `make(words, value)`; the one `asked` for is marked."""
    named = {value: say(f"colour_{key}") for value, key in BACKGROUNDS.items()}
    return in_rows([make(f"{words} ✓" if value == asked else words, value) for value, words in named.items()], 2)


def in_rows(buttons: Sequence[InlineKeyboardButton], width: int) -> list[Row]:
    """Put `width` buttons into each row."""
    return [list(buttons[first : first + width]) for first in range(0, len(buttons), width)]
