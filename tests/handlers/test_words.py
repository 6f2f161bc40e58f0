"""The catalogues: complete, alike, and used; numbers and times as each language writes them."""

import ast
import re
import string
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

import handlers
from handlers.commands import ADMINS, EVERYONE, GROUP_ADMINS, SALE
from handlers.keyboards import PHOTO
from handlers.presses import Press
from handlers.sizes import BACKGROUNDS
from handlers.words import LONGEST_QUOTE, Words
from imaging import errors
from imaging.operations import OPERATIONS
from imaging.presets import PRESETS
from imaging.sheet import PAPERS
from jobs.job import State

WORDS = Words()
ROOM = Path(handlers.__file__).parent
HOUSE = ROOM.parent
# Keys whose ending is put together at run time, with everything it can be.
BUILT = {
    "command_": [*EVERYONE, *ADMINS, *GROUP_ADMINS, *SALE, "start"],
    "ask_": list(OPERATIONS),
    "button_": [*OPERATIONS, "auto", "person", "object", "stamp"],
    "colour_": list(BACKGROUNDS.values()),
    "paper_": list(PAPERS),
    **{prefix: ["language", "send_as", "id_size", "id_background"] for prefix in ("setting_", "which_", "default_")},
    "send_as_": ["photo", "file", "both"],
    "done_": list(OPERATIONS),
    "note_": ["converted", "shrunk", "first_frame", "cap_missed"],
    "refused_": ["spend_cap", "too_many_jobs", "member_cap", "person_cap", "too_fast"],
    "alert_": ["key_refused", "out_of_credit", "failures", "spend_cap"],
    "quota_": ["day", "week", "month"],
    "setquota_": ["day", "week", "month"],
    "chats_": ["top", "recent", "blocked"],
    "providers_": ["pause", "resume"],
    "provider_": ["closed", "half_open", "open", "paused"],
    "entry_": ["grant", "purchase", "hold", "settle", "release", "refund"],
    "job_": [*State],
}


def catalogue(language: str) -> Catalog:
    with (ROOM / "locales" / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def entries(language: str) -> dict[str, Message]:
    listed = (entry for entry in catalogue(language) if entry.id)
    return {entry.id if isinstance(entry.id, str) else entry.id[0]: entry for entry in listed}


def sentences(entry: Message) -> list[str]:
    return [entry.string] if isinstance(entry.string, str) else list(entry.string or ())


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def strings_in_code() -> set[str]:
    """Give every literal of the rooms that speak, so that a key written there counts as used."""
    files = chain(ROOM.glob("*.py"), (HOUSE / "jobs").glob("*.py"))
    nodes = chain.from_iterable(ast.walk(ast.parse(path.read_text("utf-8"))) for path in files)
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def error_codes() -> set[str]:
    """Give every code that a person may be told: the tree's, the ones typed words raise, the runner's own."""

    def tree(cls: type[errors.ImagingError]) -> set[str]:
        own = {cls.code} if isinstance(vars(cls).get("code"), str) else set()
        return own.union(*map(tree, cls.__subclasses__()))

    typed = set[str]()
    for path in (HOUSE / "imaging").glob("*.py"):
        typed |= set(re.findall(r'"(argument_[a-z_]+)"', path.read_text("utf-8")))
    assert len(typed) >= 5
    return tree(errors.ImagingError) | typed | {"timeout", "internal", "undeliverable"}


def test_every_error_has_words() -> None:
    """Every code of imaging's error tree, of the operations and of the runner has a sentence."""
    codes = error_codes()
    assert {"no_face", "gave_up", "argument_unknown"} <= codes
    assert {f"error_{code}" for code in codes} <= entries("en").keys()


def test_nothing_missing_and_nothing_unused() -> None:
    """What the code says stands in the catalogue, and what stands there is said somewhere."""
    there = set(entries("en"))
    built = {prefix + ending for prefix, endings in BUILT.items() for ending in endings}
    built |= {f"error_{code}" for code in error_codes()}
    literal = strings_in_code()
    assert built - there == set()
    assert there - built - literal == set()
    said = set(re.findall(r'say\("([a-z_]+)"', "".join(path.read_text("utf-8") for path in ROOM.glob("*.py"))))
    assert len(said) > 10
    assert said - there == set()


@pytest.mark.parametrize("language", WORDS.languages)
def test_same_messages_in_every_language(language: str) -> None:
    """Every catalogue has each message, whole, with English's placeholders, and a plural where English has one."""
    english, other = entries("en"), entries(language)
    assert set(other) == set(english)
    for key, entry in english.items():
        expected = set[str]().union(*map(placeholders, sentences(entry)))
        found = sentences(other[key])
        assert isinstance(entry.id, str) == isinstance(other[key].id, str), key
        assert all(found), key
        assert len(found) == (1 if isinstance(entry.id, str) else catalogue(language).num_plurals), key
        for sentence in found:
            # A form for exactly one may say "one" in words.
            assert expected - {"n"} <= placeholders(sentence) <= expected, key
        assert "n" not in expected or "n" in placeholders(found[-1]), key
        assert not other[key].fuzzy, key


@pytest.mark.parametrize("language", WORDS.languages)
def test_telegrams_limits(language: str) -> None:
    """What has a limit keeps it: commands 256, placeholders 64, toasts 200, messages 4096 characters."""
    limits = {
        "command_": 256,
        "ask_placeholder": 64,
        "press_": 200,
        "error_unexpected": 200,
        "button_": 20,
        "done_": 300,
    }
    for key, entry in entries(language).items():
        limit = next((limit for prefix, limit in limits.items() if key.startswith(prefix)), 4096)
        assert max(map(len, sentences(entry))) <= limit, key


@pytest.mark.parametrize("language", WORDS.languages)
def test_real_plurals(language: str) -> None:
    """Plural forms are chosen as Unicode's rules for the language have it."""
    forms = catalogue(language)
    rule = WORDS._catalogue(language).locale.plural_form
    chosen: dict[str, set[str]] = {}
    for n in range(130):
        chosen.setdefault(rule(n), set()).add(WORDS.say(language, "quota_left", n=n).translate(DIGITS))
    assert forms.num_plurals >= len(chosen)
    shapes = {category: {re.sub(r"\d+", "#", text) for text in texts} for category, texts in chosen.items()}
    assert all(len(shape) == 1 for shape in shapes.values())


DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹", "0123456789")


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("pt-BR", "en"),
        (None, "en"),
        ("", "en"),
        ("../../etc", "en"),
        ("EN_us", "en"),
        ("zh-hans", "zh"),
        ("zh_TW", "zh"),
        ("fa-IR", "fa"),
        ("ru", "ru"),
        ("es-419", "es"),
    ],
)
def test_match(code: str | None, language: str) -> None:
    """Telegram's language tags lead to a catalogue we have, and English stands in for the others."""
    assert WORDS.match(code) == language


def test_numbers_and_times() -> None:
    """Numbers are grouped, moments are told as time from now."""
    assert "1,234" in WORDS.say("en", "quota_left", n=1234)
    soon = datetime.now(UTC) + timedelta(hours=5, minutes=1)
    assert "in 5 hours" in WORDS.say("en", "refused_quota", renews_at=soon)
    assert WORDS._catalogue("en").show(timedelta(minutes=3)) == "3 minutes"


def test_each_in_its_own_way() -> None:
    """Russian takes three plurals, Persian its own digits, and keeps quoted Latin words apart in the line."""
    assert [WORDS.say("ru", "quota_left", n=n).split()[-1] for n in (1, 3, 5, 11, 21)] == [
        "кредит.",
        "кредита.",
        "кредитов.",
        "кредитов.",
        "кредит.",
    ]
    assert "\u06f1\u066c\u06f2\u06f3\u06f4" in WORDS.say("fa", "quota_left", n=1234)
    assert "\u2068-100\u2069" in WORDS.say("fa", "id_chat", chat="-100")
    assert "-100" in WORDS.say("zh-hans", "id_chat", chat="-100")


def test_lines_that_begin_with_a_command() -> None:
    """In a right-to-left language such a line begins with a mark, or the whole line would run left to right."""
    lines = [line for entry in entries("fa").values() for text in sentences(entry) for line in text.splitlines()]
    assert sum(line.startswith("\u200f/") for line in lines) > 10
    assert not [line for line in lines if line.startswith("/")]


def test_unknown_key() -> None:
    """A key that stands nowhere is a mistake of ours, and says so."""
    with pytest.raises(KeyError):
        WORDS.say("en", "no_such_key")


def test_unknown_error() -> None:
    """A failure nobody wrote words for is answered all the same, whatever it mentions."""
    assert WORDS.say("en", "error_brand_new", word="x") == WORDS.say("en", "error_unexpected")


@given(st.text())
def test_quotes_are_tame(word: str) -> None:
    """Whatever a person typed is quoted short, and cannot turn the rest of the sentence around."""
    for language in WORDS.languages:
        quoted = WORDS._catalogue(language).show(word).removeprefix("\u2068").removesuffix("\u2069")
        assert len(quoted) <= LONGEST_QUOTE + 1
        assert not set(quoted) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(st.sampled_from(sorted(PRESETS)), st.integers(-(2**52), 2**52), st.sampled_from(list(BACKGROUNDS)))
def test_callback_data(preset: str, user_id: int, background: str) -> None:
    """Every press fits Telegram's 64 bytes and is read as what was packed."""
    for press in (
        Press("do", user_id, ("idphoto", f"{preset} {background}")),
        Press("size", user_id, (str(2**40), preset)),
        Press("choose", user_id, ("id_background", "-")),
        Press("page", user_id, (PHOTO, "6")),
        Press("start", user_id),
    ):
        assert 1 <= len(press.pack().encode()) <= 64
        assert Press.read(press.pack()) == press


@given(st.none() | st.text(max_size=64) | st.text("2:-0159do", max_size=12).map("2:do:".__add__))
def test_any_callback_data(data: str | None) -> None:
    """Data from elsewhere is read as nothing, or as what packs into the same press."""
    press = Press.read(data)
    assert press is None or Press.read(press.pack()) == press
