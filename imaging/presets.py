"""ID photo sizes by document: find one by name, country or code in any of the bot's languages."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product

from imaging.preset_data import COUNTRIES, DOCUMENTS, KINDS, LANGUAGES, MAIN_BY_KIND

# Words that change nothing: "visa de Estados Unidos", "виза в сша", "photo for visa".
_STOPWORDS = frozenset({"a", "and", "de", "del", "el", "for", "in", "la", "los", "of", "para", "photo", "size", "the"})
_STOPWORDS |= {"в", "для", "на", "фото", "عکس", "برای", "照", "照片", "尺寸"}


@dataclass(frozen=True)
class Preset:
    """One document's photo. Sizes in millimetres, `dpi` dots per inch, `background` RRGGBB.

    `id` fits callback data and deep links; the first preset of a country has the country's code as id.
    """

    id: str
    country: str
    kind: str
    width_mm: float
    height_mm: float
    dpi: int
    background: str
    source: str

    def country_name(self, language: str) -> str:
        """Return the country's name in a language of LANGUAGES (English for others); blank for sizes of no country."""
        names = COUNTRIES.get(self.country)
        return _first(names, language) if names else ""

    def kind_name(self, language: str) -> str:
        """Return the document's name in a language of LANGUAGES (English for others)."""
        return _first(KINDS[self.kind], language)


def _first(names: Mapping[str, str], language: str) -> str:
    """Return the name shown: the first of the aliases in a language."""
    return names.get(language, names["en"]).split("/")[0]


def _presets() -> Iterator[Preset]:
    seen: set[str] = set()
    for country, kind, width, height, dpi, background, source in DOCUMENTS:
        name = country if country and country not in seen else "_".join(filter(None, (country, kind)))
        seen.add(country)
        yield Preset(name, country, kind, width, height, dpi, background, source)


PRESETS: Mapping[str, Preset] = {preset.id: preset for preset in _presets()}


def find(text: str) -> Preset | None:
    """Find the preset a name means, whatever the order of its words, accents and case; None when unknown or unclear.

    A country alone means its passport (its first document); a document alone means what speakers of that
    language mostly mean: `passport` is ICAO's size, `паспорт` Russia's, `护照` China's.
    """
    return _index().get(_key(text))


def _key(text: str) -> str:
    """Words without accents and marks, sorted, without the words that change nothing."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    plain = "".join(c if c.isalnum() or c == "." else " " for c in plain if unicodedata.category(c) != "Cf")
    words = plain.translate(str.maketrans("يك", "یک")).replace(".", "").split()
    return " ".join(sorted(word for word in words if word not in _STOPWORDS))


@cache
def _index() -> Mapping[str, Preset]:
    """Every name of every preset. Earlier rows win where two documents share a name."""
    index: dict[str, Preset] = {}
    for preset in PRESETS.values():
        kinds = _aliases(KINDS[preset.kind])
        countries = [*_aliases(COUNTRIES[preset.country]), preset.country] if preset.country else []
        names = [preset.id]
        names += [f"{a}{gap}{b}" for a, b in product(countries, kinds) for gap in (" ", "")]
        if preset.id == preset.country:
            names += countries
        if not preset.country:
            names += kinds
        for name in names:
            index.setdefault(_key(name), preset)
    for name, preset_id in MAIN_BY_KIND.items():
        index.setdefault(_key(name), PRESETS[preset_id])
    return index


def _aliases(names: Mapping[str, str]) -> list[str]:
    return [alias for language in LANGUAGES for alias in names[language].split("/")]
