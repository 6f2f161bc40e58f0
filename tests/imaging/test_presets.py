"""The ID photo presets: complete, sourced, and found by the names people use in five languages."""

from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.arguments import colour
from imaging.operations import IdPhoto
from imaging.preset_data import COUNTRIES, DOCUMENTS, KINDS, LANGUAGES
from imaging.presets import PRESETS, find

# Every name that the tables promise: country alone, and country with document, in one language.
NAMES = [
    (f"{country} {kind}", preset.id)
    for preset in PRESETS.values()
    if preset.country
    for language in LANGUAGES
    for country, kind in product(
        COUNTRIES[preset.country][language].split("/"), KINDS[preset.kind][language].split("/")
    )
]


def test_there_are_enough_documents_and_each_is_whole() -> None:
    """At least 30 documents, with sane measures, a background, a source, and names in all languages."""
    assert len(PRESETS) == len(DOCUMENTS) >= 30
    assert {"us", "us_visa", "eu", "gb", "ru", "cn", "in", "jp", "kr", "ca", "au", "cn_1inch", "cn_2inch"} <= set(
        PRESETS
    )
    for preset in PRESETS.values():
        assert 20 <= preset.width_mm <= preset.height_mm <= 70 or preset.width_mm == preset.height_mm
        assert colour(preset.background.lower()) == preset.background
        assert preset.source.startswith(("https://", "http://"))
        assert all(preset.kind_name(language) for language in (*LANGUAGES, "xx"))
        assert all(bool(preset.country_name(language)) == bool(preset.country) for language in LANGUAGES)
        assert len(f"idphoto_{preset.id}".encode()) <= 64  # a deep link and callback data hold it


@pytest.mark.parametrize(
    ("name", "preset_id"),
    [
        ("us", "us"),
        ("USA", "us"),
        ("us visa", "us_visa"),
        ("visa for the United States", "us_visa"),
        ("美国签证", "us_visa"),
        ("виза в США", "us_visa"),
        ("visa de Estados Unidos", "us_visa"),
        ("ویزای آمریکا", "us_visa"),
        ("паспорт", "ru"),
        ("паспорт России", "ru"),
        ("загранпаспорт РФ", "ru"),
        ("护照", "cn"),
        ("一寸", "cn_1inch"),
        ("1寸", "cn_1inch"),
        ("中国 二寸", "cn_2inch"),
        ("2 inch", "cn_2inch"),
        ("小二寸", "cn_small2inch"),
        ("驾照", "cn_licence"),
        ("pasaporte", "es"),
        ("DNI", "es_id"),
        ("japon", "jp"),
        ("Japón", "jp"),
        ("گذرنامه", "ir"),
        ("پاسپورت", "ir"),
        ("passport", "passport"),
        ("Schengen", "eu"),
        ("шенген", "eu"),
        ("in", "in"),
        ("de", "de"),
        ("India passport", "in"),
        ("PAN", "in_pan"),
        ("3х4", "3x4"),  # noqa: RUF001  the letter of a Russian keyboard
        ("۳×۴", "3x4"),
        ("Green Card", None),  # reads as a colour
        ("visa", None),  # whose?
        ("", None),
        ("Atlantis", None),
        ("us china", None),
    ],
)
def test_names_people_use(name: str, preset_id: str | None) -> None:
    """Names, codes and documents lead where their speakers mean; the unclear ones lead nowhere."""
    preset = find(name)
    assert (preset.id if preset else None) == preset_id


@given(st.sampled_from(NAMES), st.randoms())
def test_order_and_case_do_not_matter(named: tuple[str, str], random: Random) -> None:
    """Any order of words and any case find the same preset."""
    name, preset_id = named
    words = name.split()
    random.shuffle(words)
    for text in (" ".join(words), name.upper(), name.title()):
        preset = find(text)
        assert preset is not None
        assert (preset.kind, preset.country) == (PRESETS[preset_id].kind, PRESETS[preset_id].country)


def test_every_preset_can_be_typed_after_the_command() -> None:
    """No name is taken for a colour, a size or a format, and every preset's size is one the API makes."""
    for name, preset_id in [*NAMES, *((preset_id, preset_id) for preset_id in PRESETS)]:
        operation, preset = IdPhoto.parse(name), PRESETS[preset_id]
        assert operation.background == preset.background, name
        assert operation.width == round(preset.width_mm / 25.4 * preset.dpi), name
        assert operation.height == round(preset.height_mm / 25.4 * preset.dpi), name


def test_india_gets_the_pixels_its_portal_wants() -> None:
    """35x45 mm at India's resolution are the 630x810 pixels that Passport Seva demands."""
    operation = IdPhoto.parse("India")
    assert (operation.width, operation.height) == (630, 810)


@given(st.text())
def test_any_text_is_looked_up(text: str) -> None:
    """A lookup never fails."""
    preset = find(text)
    assert preset is None or preset in PRESETS.values()
