"""ID photo sizes by document: find one by name, country or code in any of the bot's languages."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from imaging.arguments import normalise
from imaging.preset_data import COUNTRIES, DOCUMENTS, HOMES, KINDS, LANGUAGES

# Words that change nothing: "visa de Estados Unidos", "виза в сша", "photo for visa".
_STOPWORDS = frozenset({"a", "and", "de", "del", "el", "for", "in", "la", "los", "of", "para", "photo", "size", "the"})
_STOPWORDS |= {"в", "для", "на", "фото", "عکس", "برای", "照片", "尺寸"}

_ARABIC = str.maketrans("يك", "یک")  # Arabic letters on a Persian keyboard


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

    A country alone means its first document; a document alone means the one country that has it, or that of the
    language it is written in (`паспорт` is Russia's, `护照` China's); `passport` is ICAO's common size.
    """
    return PRESETS.get(text.strip().casefold()) or _index().get(_key(text))


def _key(text: str) -> str:
    """Words without accents and marks, sorted, without the words that change nothing."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", normalise(text)) if not unicodedata.combining(c))
    words = "".join(c if c.isalnum() else " " for c in plain.replace("'", "").translate(_ARABIC)).split()
    return " ".join(sorted([word for word in words if word not in _STOPWORDS] or words))


@cache
def _index() -> Mapping[str, Preset]:
    """Every name of every preset; where two claim one, the earlier rule below wins, then the earlier row."""
    names = [(name, preset) for preset in PRESETS.values() for name in _full_names(preset)]
    first = {preset.country: preset for preset in reversed(list(PRESETS.values())) if preset.country}
    names += [(name, preset) for country, preset in first.items() for name in _aliases(COUNTRIES[country])]
    for kind, by_language in KINDS.items():
        having = {preset.country: preset for preset in PRESETS.values() if preset.kind == kind}
        common = having.get("") or (next(iter(having.values())) if len(having) == 1 else None)
        for language, aliases in by_language.items():
            meant = having.get(HOMES.get(language, ""), common)
            names += [(alias, meant) for alias in aliases.split("/") if meant]
    index: dict[str, Preset] = {}
    for name, preset in names:
        index.setdefault(_key(name), preset)
    return index


def _full_names(preset: Preset) -> Iterator[str]:
    """Country and document, in any two languages; Chinese writes them as one word."""
    if preset.country:
        codes = {preset.country} - _STOPWORDS  # India's and Germany's codes are also prepositions
        for country in (*codes, *_aliases(COUNTRIES[preset.country])):
            for kind in _aliases(KINDS[preset.kind]):
                yield f"{country} {kind}"
                yield f"{country}{kind}"


def _aliases(names: Mapping[str, str]) -> list[str]:
    return [alias for language in LANGUAGES for alias in names[language].split("/")]
