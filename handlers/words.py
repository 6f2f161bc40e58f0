"""The words people read: one gettext catalogue a language, found by key, filled in as that language writes things.

Message ids are keys ("quota_used_up"), never sentences. A catalogue is read when somebody first speaks its language,
and at most once; English stands in for a language or a message that is missing.
"""

from datetime import UTC, datetime, timedelta
from functools import cached_property
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.dates import format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

ENGLISH = "en"
_LOCALES = Path(__file__).with_name("locales")
SORRY = "error_unexpected"
Param = str | int | datetime | timedelta

LONGEST_QUOTE = 255
"""Characters quoted of anything; a receipt's charge id has well over 128, and whoever sends it back needs all of it."""

# Unicode's isolates keep a Latin word inside a right-to-left sentence from pulling its neighbours along.
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"
# What could turn the rest of a sentence around when a stranger's word is quoted in it: Unicode's bidi controls.
_BIDI = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C])
_PERSIAN_DIGITS = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")


class Catalogue:
    """One language's sentences, and how it writes numbers and times."""

    def __init__(self, language: str) -> None:
        """Read `locales/<language>.po`; `language` must be one that is there."""
        self.language = language
        self.locale = Locale.parse(language)
        compiled = BytesIO()
        with (_LOCALES / f"{language}.po").open("rb") as source:
            write_mo(compiled, read_po(source, locale=language, abort_invalid=True))
        compiled.seek(0)
        self._sentences = GNUTranslations(compiled)

    @cached_property
    def _rtl(self) -> bool:
        return self.locale.text_direction == "rtl"

    def find(self, key: str, n: int | None) -> str | None:
        """Give the sentence as it stands in the catalogue, in the plural form for `n`; None if there is none."""
        # GNUTranslations gives the id itself, that is our key, when it has no sentence for it.
        text = self._sentences.gettext(key) if n is None else self._sentences.ngettext(key, key, n)
        if text == key and n is not None:
            text = self._sentences.gettext(key)
        return None if text == key else text

    def show(self, value: Param) -> str:
        """Write a number, a moment (as time from now) or a quoted text as this language does."""
        if isinstance(value, datetime):
            value = value - datetime.now(UTC)
            return self._digits(format_timedelta(value, add_direction=True, locale=self.locale))
        if isinstance(value, timedelta):
            return self._digits(format_timedelta(value, locale=self.locale))
        if isinstance(value, int):
            return self._digits(format_decimal(value, locale=self.locale, numbering_system="default"))
        quoted = value.translate(_BIDI)
        quoted = quoted if len(quoted) <= LONGEST_QUOTE else quoted[:LONGEST_QUOTE] + "…"
        return f"{_ISOLATE}{quoted}{_END_ISOLATE}" if self._rtl else quoted

    def _digits(self, text: str) -> str:
        # Babel knows each language's separators but writes Latin digits everywhere.
        return text.translate(_PERSIAN_DIGITS) if self.locale.default_numbering_system == "arabext" else text


class Words:
    """Every catalogue that is there, each read when first needed."""

    def __init__(self) -> None:
        """Look which languages there are; nothing is read yet."""
        self.languages = tuple(sorted(path.stem for path in _LOCALES.glob("*.po")))
        self._catalogues: dict[str, Catalogue] = {}

    def match(self, language_code: str | None) -> str:
        """Give the language we have for Telegram's IETF tag, e.g. "zh-hans" or "es_MX"; English for any other."""
        primary = (language_code or "").replace("_", "-").split("-")[0].lower()
        return primary if primary in self.languages else ENGLISH

    def name_of(self, language: str) -> str:
        """Give a language's name in itself, as its speakers look for it in a list."""
        return (self._catalogue(language).locale.get_display_name(language) or language).capitalize()

    def say(self, language: str | None, key: str, /, **params: Param) -> str:
        """Give the sentence for `key` in the person's language, with `params` written as that language does.

        The int `n` chooses the plural form. An `error_…` nobody wrote words for is said in general ones, so that no
        failure goes unanswered. Raises KeyError for any other key that no catalogue knows.
        """
        n = params.get("n")
        count = n if isinstance(n, int) else None
        for catalogue in (self._catalogue(self.match(language)), self._catalogue(ENGLISH)):
            sentence = catalogue.find(key, count)
            if sentence is not None:
                return sentence.format_map({name: catalogue.show(value) for name, value in params.items()})
        if key.startswith("error_") and key != SORRY:
            return self.say(language, SORRY)
        raise KeyError(key)

    def show(self, language: str | None, value: Param) -> str:
        """Write a number, a moment (as time from now) or a quoted text as the person's language does."""
        return self._catalogue(self.match(language)).show(value)

    def _catalogue(self, language: str) -> Catalogue:
        if language not in self._catalogues:
            self._catalogues[language] = Catalogue(language)
        return self._catalogues[language]
