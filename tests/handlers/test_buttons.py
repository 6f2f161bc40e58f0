"""Presses that came too late, from the wrong person, or from nowhere; and screens as data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import InlineKeyboardMarkup

from handlers import sizes
from handlers.keyboards import menu, under_result
from handlers.presses import Press
from imaging.operations import OPERATIONS, load
from imaging.preset_data import LANGUAGES
from imaging.presets import PRESETS
from jobs.job import Job, Picture, State
from tests.handlers.conftest import WORDS, Stage
from tests.handlers.telegram_wire import ANNA, BORIS, GROUP, PHOTO, PRIVATE, message, press, receive

LOOSE = [
    ("do", ("dance", "")),
    ("do", ("enhance", "17x")),
    ("do", ()),
    ("back", ("77",)),
    ("back", ("x",)),
    ("page", ("0", "x")),
    ("size", ("0", "atlantis")),
    ("again", ("77",)),
    ("again", ("9" * 19,)),
    ("redo", ("77", "FFFFFF")),
    ("file", ("",)),
    ("sheet", ("77",)),
    ("print", ("77", "10x15", "JPG")),
    ("presets", ("x",)),
    ("preset", ("atlantis",)),
    ("setting", ("colour",)),
    ("choose", ("language", "xx")),
    ("choose", ("colour", "red")),
]


def said(key: str) -> str:
    return WORDS.say("en", key)


def say(key: str, **params: str | int) -> str:
    return WORDS.say("en", key, **params)


@pytest.mark.parametrize(("verb", "args"), LOOSE)
async def test_stale_or_made_up(stage: Stage, verb: str, args: tuple[str, ...]) -> None:
    """A press about something that is not there, as an old version or a tinkerer sends it, is answered in a toast."""
    buttons = message(PRIVATE, None, "Buttons", reply_to_message=message(PRIVATE, ANNA, **PHOTO))
    await receive(stage.app, callback_query=press(ANNA, Press(verb, 7, args).pack(), buttons))
    assert stage.wire.calls[-1] == ("answerCallbackQuery", stage.wire.calls[-1][1])
    assert stage.wire.calls[-1][1]["text"] == said("press_too_old")
    assert await stage.jobs() == []


async def test_another_chats_job_is_out_of_reach(stage: Stage) -> None:
    """Whoever makes up the number of somebody else's job gets nothing of it."""
    await stage.say(message(GROUP, BORIS, "/colorize", **PHOTO))
    (job,) = await stage.jobs()
    buttons = message(PRIVATE, None, **PHOTO)
    for verb in ("again", "file", "sheet", "colours", "redo"):
        data = Press(verb, 7, (str(job["id"]), "FFFFFF")).pack()
        await receive(stage.app, callback_query=press(ANNA, data, buttons))
        assert stage.wire.calls[-1][1]["text"] == said("press_too_old")
    assert len(await stage.jobs()) == 1


async def test_nobody_forgets_another(stage: Stage) -> None:
    """Not even a group's admin can have another person forgotten."""
    screen = message(PRIVATE, None, "Delete?")
    await receive(stage.app, callback_query=press(BORIS, Press("forget", 7).pack(), screen))
    assert stage.wire.calls[-1][1]["text"] == said("press_not_yours")


async def test_print_needs_an_id_photo(stage: Stage) -> None:
    """A print sheet is made of ID photos only, and another background only of what has one."""
    await stage.say(message(PRIVATE, ANNA, "/colorize", **PHOTO))
    (job,) = await stage.jobs()
    for verb, args in (("print", ("10x15", "JPG")), ("print", ("a0", "JPG")), ("redo", ("FFFFFF",))):
        data = Press(verb, 7, (str(job["id"]), *args)).pack()
        await receive(stage.app, callback_query=press(ANNA, data, message(PRIVATE, None, **PHOTO)))
        assert stage.wire.calls[-1][1]["text"] == said("press_too_old")


@pytest.mark.parametrize(("verb", "args"), [("print", ("a4", "JPG")), ("file", ())])
async def test_only_results_are_worked_on_here(stage: Stage, verb: str, args: tuple[str, ...]) -> None:
    """A made-up press has no file loaded that somebody sent, whose pixels could fill the memory."""
    sent = message(PRIVATE, ANNA, "/idphoto", **PHOTO)
    await stage.say(sent)
    (job,) = await stage.jobs()
    buttons = message(PRIVATE, None, "Buttons", reply_to_message=sent)
    await receive(stage.app, callback_query=press(ANNA, Press(verb, 7, (str(job["id"]), *args)).pack(), buttons))
    assert stage.wire.calls[-1][1]["text"] == said("press_too_old")
    assert "getFile" not in [name for name, _ in stage.wire.calls]


@given(
    st.sampled_from(sorted(OPERATIONS)),
    st.integers(1, 2**45),
    st.integers(-(2**52), 2**52),
    st.booleans(),
)
def test_every_button_fits(name: str, job_id: int, user_id: int, as_photo: bool) -> None:  # noqa: FBT001  hypothesis
    """Whatever job and person, each button's data fits 64 bytes and leads to something."""
    job = Job(
        id=job_id, chat_id=1, thread_id=None, user_id=user_id, reply_to=1, language="en", file_id="f", file_name=None,
        operation=load(name, "{}"), state=State.DELIVERED, provider="p", task_id="t", submits=1, worked=0.0, error=None,
        error_params=None, updated_at=0.0,
    )  # fmt: skip
    boards = [under_result(say, job, as_photo=as_photo), menu(say, user_id, Picture("f", "u", "photo"))]
    for button in (one for board in boards for row in board.inline_keyboard for one in row):
        assert isinstance(button.callback_data, str)
        assert len(button.callback_data.encode()) <= 64
        assert Press.read(button.callback_data) is not None


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_size_is_on_one_page(language: str) -> None:
    """The pages show each preset once, and the usual ones of every language come first."""
    shown = [one for page in range(sizes.PAGES) for one in sizes.of_page(page, language)]
    assert sorted(one.id for one in shown) == sorted(PRESETS)
    assert shown[: len(sizes.usual(language, None))] == sizes.usual(language, None)
    assert sizes.usual(language, "tr")[0].id == "tr"
    board = InlineKeyboardMarkup(sizes.grid(shown, language, 7, "size", "0"))
    assert all(len(one.text) <= sizes.SHORT for row in board.inline_keyboard for one in row if len(row) > 1)


async def test_pictures_telegram_refuses(stage: Stage) -> None:
    """Where Telegram takes no pictures, hello comes in words; ids it has forgotten are uploaded anew."""
    await stage.say(message(PRIVATE, ANNA, "/start"))
    stage.wire.failing = {"sendMediaGroup": (400, "Bad Request: wrong file identifier")}
    assert await stage.say(message(PRIVATE, ANNA, "/start")) == said("start")
    groups = [parameters for name, parameters in stage.wire.calls if name == "sendMediaGroup"]
    assert len(groups) == 3
    stage.wire.failing = {}
    assert await stage.say(message(PRIVATE, ANNA, "/start")) == said("start")
    assert await stage.say(message(GROUP, ANNA, "/start")) == said("start")
