"""Talking with the bot: what it answers, what it leaves alone, and what it remembers."""

import signal
import sys
from asyncio import create_subprocess_exec, subprocess, wait_for
from pathlib import Path

import pytest

from tests.journeys.conftest import House, answer
from tests.journeys.pictures import jpeg
from tests.journeys.stage import START_SECONDS, stage, surroundings

PHOTO = jpeg("coffee", longest=120)


async def test_groups_are_left_alone_unless_addressed(house: House) -> None:
    """In a group the bot greets, then says nothing to photos, chatter, other bots' commands or edits."""
    ann = await house.person()
    group = await house.tg.group("Family", [ann])
    welcome = await group.wait_for()
    await ann.send_photo(group, photo=PHOTO)
    await ann.send(group, text="what a cup")
    await ann.send_photo(group, photo=PHOTO, caption="/enhance@another_bot")
    mine = await ann.send(group, text="hello")
    await ann.edit(mine, "/id@darkroom_bot", group)
    asked = await ann.send(group, text="/id@darkroom_bot")
    reply = await answer(group, asked)
    assert str(group.id) in reply.words
    assert [message.id for message in await group.messages() if message.by_bot] == [welcome.id, reply.id]


async def test_the_next_photo_is_remembered_for_the_person_who_asked(house: House) -> None:
    """In a group only the person who gave the command is awaited; /cancel forgets it."""
    ann, ben = await house.person("Ann"), await house.person("Ben")
    group = await house.tg.group("Family", [ann, ben])
    asked = await ann.send(group, text="/enhance@darkroom_bot 1")
    prompt = await answer(group, asked)
    forced = prompt.forces_reply
    assert forced is not None
    assert forced["selective"]
    await ben.send_photo(group, photo=PHOTO, reply_to=prompt)
    taken = await ann.send_photo(group, photo=PHOTO, reply_to=prompt)
    assert (await answer(group, taken)).has_file
    await house.settled()
    cancelled = await ann.send(group, text="/cancel@darkroom_bot")
    assert "nothing to cancel" in (await answer(group, cancelled)).words
    assert sum(message.has_file and message.by_bot for message in await group.messages()) == 1


async def test_what_was_asked_survives_a_restart(closed_house: House) -> None:
    """A command given before a restart still waits for its photo afterwards."""
    async with closed_house.bot():
        ann = await closed_house.person()
        await answer(ann.chat, await ann.send(text="/enhance 1"))
    async with closed_house.bot():
        taken = await ann.send_photo(photo=PHOTO)
        assert (await answer(ann.chat, taken, result=True)).has_file


async def test_other_peoples_buttons_do_nothing(house: House) -> None:
    """A button pressed twice, or of a photo that is gone, is answered and makes no second job."""
    ann = await house.person()
    asked = await ann.send_photo(photo=PHOTO)
    menu = await answer(ann.chat, asked)
    await ann.press(menu, menu.buttons[1])
    assert (await answer(ann.chat, asked, result=True)).has_file
    gone = await ann.send_photo(photo=PHOTO)
    menu = await answer(ann.chat, gone)
    await ann.delete(gone)
    await ann.press(menu, menu.buttons[1], inaccessible=True)
    told = await ann.chat.wait_for_event("answer")
    assert told


async def test_sigterm_stops_within_ten_seconds_and_a_second_bot_is_refused(tmp_path: Path) -> None:
    """The bot as a process: a second one on its database leaves with a sentence, check still works, SIGTERM ends it."""
    async with stage(tmp_path) as house:
        ann = await house.tg.person("Ann")
        await ann.chat.wait_for(after=await ann.start())
        bot = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **surroundings(tmp_path, house.bot_env)}
        second = await create_subprocess_exec(sys.executable, "-m", "bot", "run", **bot)
        output, _ = await wait_for(second.communicate(), START_SECONDS)
        assert second.returncode == 1
        assert b"another darkroom already runs" in output
        check = await create_subprocess_exec(sys.executable, "-m", "bot", "check", **bot)
        output, _ = await wait_for(check.communicate(), START_SECONDS)
        assert check.returncode == 0, output
        house.bot.send_signal(signal.SIGTERM)
        assert await wait_for(house.bot.wait(), 10) == 0
    assert house.bot_env["DARKROOM_BOT_TOKEN"] not in (tmp_path / "bot.log").read_text()


async def test_an_operators_settings_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Demo, tests and benchmarks run beside a `.env` for the real thing, and take nothing from it."""
    (tmp_path / ".env").write_text("DARKROOM_PROVIDERS=none at all\nDARKROOM_PUBLIC_URL=https://photos.example\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stage").mkdir()
    async with stage(tmp_path / "stage") as house:
        ann = await house.tg.person("Ann")
        assert await ann.chat.wait_for(after=await ann.start())


async def test_an_answer_gets_through_an_outage(house: House) -> None:
    """A handler's words reach the person although Telegram fails twice: nobody is left without a refusal's reason."""
    ann = await house.person()
    for kind in ("error", "reset"):
        await house.tg.fault(kind, "sendMessage")
    asked = await ann.send(text="/id")
    assert str(ann.id) in (await answer(ann.chat, asked)).words
