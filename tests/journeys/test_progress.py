"""Waiting: what Ann sees while her photo is worked on, and how she gives it up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from sandbox.client import Chat, Message, Person
from storage import ledger
from storage.tables import jobs
from tests.journeys import vendor
from tests.journeys.conftest import House, answer
from tests.journeys.pictures import jpeg

pytestmark = pytest.mark.usefixtures("brisk", "soon")
PHOTO = jpeg("coffee", longest=80)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell of progress after a moment instead of seconds."""
    monkeypatch.setattr("jobs.progress.AFTER_SECONDS", 0.2)
    monkeypatch.setattr("jobs.progress.EVERY_SECONDS", 0.1)
    monkeypatch.setattr("jobs.delivery.FIRST_ACTION_SECONDS", 0.1)
    monkeypatch.setattr("bot.app.STOP_SECONDS", 0.1)


@asynccontextmanager
async def slow_bot(house: House, **changes: Any) -> AsyncIterator[vendor.Vendor]:
    """Have a bot whose provider ends nothing before it is released."""
    async with vendor.running() as slow, house.bot(gptge_url=slow.url, **changes):
        slow.hold()
        yield slow


async def shown(chat: Chat, after: Message) -> Message:
    """Give the message that shows progress."""
    return await chat.wait_for(lambda message: message.by_bot and message.buttons == ["Cancel"], after=after)


async def gone(chat: Chat, progress: Message) -> None:
    """Wait until a message is no longer there."""
    event = await chat.wait_for_event("deleted")
    assert event["message_id"] == progress.id


async def used(house: House, chat: Chat) -> int:
    async with house.database() as db, db.read() as conn:
        return (await ledger.quota(conn, chat.id, ledger.Terms(10))).used


async def test_a_quick_photo_is_only_glanced_at(house: House) -> None:
    """A photo that is done at once gets 👀 and its result, and nothing else."""
    ann = await house.person()
    asked = await ann.send_photo(photo=PHOTO, caption="/colorize")
    await answer(ann.chat, asked, result=True)
    glance = await ann.chat.wait_for_event("reaction")
    assert (glance["message_id"], glance["reaction"][0]["emoji"]) == (asked.id, "👀")


async def test_a_long_wait_is_shown_and_forgotten(closed_house: House) -> None:
    """Ann sees a bar that moves; when her photo comes, the bar goes."""
    async with slow_bot(closed_house) as slow:
        ann = await closed_house.person()
        asked = await ann.send_photo(photo=PHOTO, caption="/colorize")
        progress = await shown(ann.chat, asked)
        assert progress.replies_to == asked.id
        assert "▱" in progress.words
        assert "%" in progress.words
        assert await ann.chat.wait_for_event("action")
        slow.release()
        assert (await answer(ann.chat, asked, result=True)).has_file
        await gone(ann.chat, progress)


async def test_an_album_has_one_bar(closed_house: House) -> None:
    """Three pictures share one message, which counts them."""
    async with slow_bot(closed_house) as slow:
        ann = await closed_house.person()
        album = await ann.send_album(pictures=[PHOTO] * 3, caption="/colorize")
        progress = await shown(ann.chat, album[-1])
        assert "of 3 done" in progress.words
        slow.release()
        await ann.chat.wait_for_all(lambda message: message.by_bot and message.has_file, count=3)
        await gone(ann.chat, progress)
        assert sum(event["what"] == "deleted" for event in await ann.chat.events()) == 1


async def test_cancel_stops_it_free_of_charge(closed_house: House) -> None:
    """Ann presses Cancel: the bar goes, nothing comes and nothing is charged."""
    async with slow_bot(closed_house):
        ann = await closed_house.person()
        asked = await ann.send_photo(photo=PHOTO, caption="/colorize")
        progress = await shown(ann.chat, asked)
        await ann.press(progress, "Cancel")
        assert (await ann.chat.wait_for_event("answer"))["text"] == "Stopped. Nothing was charged."
        await gone(ann.chat, progress)
        assert await used(closed_house, ann.chat) == 0
        assert "cancelled" in (await answer(ann.chat, await ann.send(text="/jobs"))).words


async def test_the_place_in_the_queue(closed_house: House) -> None:
    """With one photo at a time the second waits in line, and can be given up there with /cancel like the first."""
    async with slow_bot(closed_house, concurrency=1):
        ann = await closed_house.person()
        ben = await closed_house.person("Ben")
        await shown(ann.chat, await ann.send_photo(photo=PHOTO, caption="/colorize"))
        first = await shown(ben.chat, await ben.send_photo(photo=PHOTO, caption="/colorize"))
        assert "yours is next" in first.words
        second = await shown(ben.chat, await ben.send_photo(photo=PHOTO, caption="/colorize"))
        assert "1 photo before yours" in second.words
        assert "all 2" in (await answer(ben.chat, await ben.send(text="/cancel"))).words
        assert await used(closed_house, ben.chat) == 0
        assert await used(closed_house, ann.chat) == 1


async def test_only_the_asker_or_a_group_admin_may_stop_it(closed_house: House) -> None:
    """In a group Ben may not cancel Cleo's photo; Ann, the group's owner, may."""
    async with slow_bot(closed_house):
        ann, ben = await closed_house.person("Ann"), await closed_house.person("Ben")
        cleo = await closed_house.person("Cleo")
        group = await closed_house.tg.group("Family", [ann, ben, cleo])
        asked = await cleo.send_photo(group, photo=PHOTO, caption="/colorize@darkroom_bot")
        progress = await shown(group, asked)
        assert (await pressed(ben, progress, group)).startswith("These buttons are for the person")
        assert await pressed(ann, progress, group) == "Stopped. Nothing was charged."


async def pressed(person: Person, message: Message, chat: Chat) -> str:
    """Press Cancel and give what the person is told."""
    query = await person.press(message, "stop:1", chat)
    seen = 0
    while True:
        event = await chat.wait_for_event("answer", after=seen)
        if event["query"] == query:
            return str(event["text"])
        seen = event["seq"]


async def test_a_bar_left_by_a_crash_goes_too(closed_house: House) -> None:
    """A bot that ends while a bar is shown takes it away when its next start has the result."""
    async with vendor.running() as slow:
        slow.hold()
        async with closed_house.bot(gptge_url=slow.url):
            ann = await closed_house.person()
            asked = await ann.send_photo(photo=PHOTO, caption="/colorize")
            progress = await shown(ann.chat, asked)
            await closed_house.until(sa.select(jobs.c.id).where(jobs.c.progress_id == progress.id))
        slow.release()
        async with closed_house.bot(gptge_url=slow.url):
            assert (await answer(ann.chat, asked, result=True)).has_file
            await gone(ann.chat, progress)
        said = [Message(event["message"]) for event in await ann.chat.events() if event["what"] == "message"]
        assert sum(message.buttons == ["Cancel"] for message in said) == 1
