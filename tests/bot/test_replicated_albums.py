"""Albums whose pictures come to several processes, any of which may end at any moment: one wish, done once."""

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from bot import intake as intake_module
from handlers import albums as albums_module
from handlers.albums import complete_overdue
from storage import albums, chats
from storage.tables import albums as rows
from tests.bot.replicas import SOON, Replica, replicas
from tests.databases import path, raw, reached, template, url
from tests.handlers.telegram_wire import ANNA, BORIS, GROUP, PHOTO, PRIVATE, message

__all__ = ["path", "template", "url"]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Give what lets the quiet after a picture be over: else it lasts, however slow this machine is."""
    over = asyncio.Event()

    async def sleep(seconds: float) -> None:
        if seconds:
            await over.wait()

    monkeypatch.setattr(intake_module, "DONE_SECONDS", 0.001)
    monkeypatch.setattr(albums_module, "asyncio", SimpleNamespace(**vars(asyncio) | {"sleep": sleep}))
    monkeypatch.setattr(albums_module, "PATIENCE_SECONDS", 0.0)
    return over


def picture(caption: str = "", chat: dict[str, Any] = PRIVATE, person: dict[str, Any] = ANNA) -> dict[str, Any]:
    said = message(chat, person, caption, media_group_id="g", **PHOTO)
    for size in said["photo"]:
        assert size["file_unique_id"]
    return said


def said_by(*all_of: Replica) -> list[str]:
    return [text for each in all_of for text in each.wire.texts()]


@pytest.mark.parametrize("wished", [0, 6, 9])
async def test_ten_pictures_on_two_replicas(server_url: str, wished: int) -> None:
    """They alternate, the wish on any of them: one request of ten, one glance, and no wait after the tenth."""
    sent = [picture("/enhance 1" if number == wished else "") for number in range(10)]
    async with replicas(server_url, 2) as (one, other):
        for number, each in enumerate(sent):
            await (one, other)[number % 2].take(each)
        await one.until_complete()
        made = await other.jobs()
        assert [job["place"] for job in made] == [each["message_id"] for each in sent]
        assert {job["album"] for job in made} == {sent[wished]["message_id"]}
        assert len({job["source"] for job in made}) == 1
        assert said_by(one, other) == []
        calls = Counter(name for each in (one, other) for name, _ in each.wire.calls)
        assert calls["setMessageReaction"] == 1


async def test_one_menu(server_url: str, quiet: asyncio.Event) -> None:
    """An album without words gets one menu, whichever process its last picture came to."""
    async with replicas(server_url, 2) as (one, other):
        sent = [picture() for _ in range(3)]
        for number, each in enumerate(sent):
            await (one, other)[number % 2].take(each)
        await one.until_seen(3)
        quiet.set()
        await one.until_complete()
        (told,) = [*one.wire.sent(), *other.wire.sent()]
        assert told["reply_parameters"]["message_id"] == sent[0]["message_id"]
        assert await one.jobs() == []


async def test_the_first_of_two_wishes_counts(url: str, quiet: asyncio.Event) -> None:
    """Captions on two pictures: the first is what is done."""
    async with replicas(url, 1) as (one,):
        for caption in ("", "/enhance 2", "/colorize"):
            await one.take(picture(caption))
        await one.until_seen(3)
        quiet.set()
        await one.until_complete()
        assert [job["operation"] for job in await one.jobs()] == ["enhance"] * 3


async def test_what_was_awaited_is_no_more(url: str, quiet: asyncio.Event) -> None:
    """A command that waited for its photo has it with the album."""
    async with replicas(url, 1) as (one,):
        await one.take(message(PRIVATE, ANNA, "/enhance 1"))
        while not one.wire.sent():
            await asyncio.sleep(0.005)
        for _ in range(2):
            await one.take(picture())
        await one.until_seen(2)
        quiet.set()
        await one.until_complete()
        assert len(await one.jobs()) == 2
        assert await one.db.look(lambda conn: chats.expected(conn, 7, 7)) is None


async def test_a_late_picture_joins(url: str, quiet: asyncio.Event) -> None:
    """It is done by itself and as the others were, unless it says something else."""
    quiet.set()
    async with replicas(url, 1) as (one,):
        for caption, count in (("/enhance 1", 1), ("", 2), ("/colorize", 3)):
            await one.take(picture(caption))
            await one.until_seen(count)
            await one.until_complete()
        made = await one.jobs()
        assert [job["operation"] for job in made] == ["enhance", "enhance", "colorize"]
        assert [job["place"] for job in made] == [job["reply_to"] for job in made]


async def test_a_picture_that_came_while_the_first_was_taken(server_url: str, quiet: asyncio.Event) -> None:
    """However slow the database is: two processes complete the album at once, and each picture is one job."""
    quiet.set()
    async with replicas(server_url, 2) as (one, other), reached(server_url) as db:
        sent = [picture("/enhance 1"), picture()]
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        async with db.begin() as conn:
            await conn.lock("chat 7")  # which either needs to write down its jobs
            for count, (each, said) in enumerate(zip((one, other), sent, strict=True), 1):
                await each.take(said)
                await each.until_handled()  # else the other's picture would be this process's, too
                while len(await raw(conn, waiting)) < count:
                    await asyncio.sleep(0.01)
        await one.until_complete()
        assert [job["place"] for job in await one.jobs()] == [each["message_id"] for each in sent]


async def test_its_process_dies_while_it_gathers(url: str, quiet: asyncio.Event) -> None:
    """Whoever lives, or starts next, completes it."""
    async with replicas(url, 1) as (one,):
        for caption in ("/enhance 1", "", ""):
            await one.take(picture(caption))
        await one.until_seen(3)
        await one.die()
        assert (await one.album() or {})["due_at"] is not None
        if one.db.on_server:
            async with one.db.begin() as conn:
                await raw(conn, "UPDATE albums SET due_at = due_at - 1")
    quiet.set()
    async with replicas(url, 1) as (other,):
        for _ in range(3):
            await complete_overdue(other.app)
        await other.until_complete()
        assert len(await other.jobs()) == 3
        assert len({job["album"] for job in await other.jobs()}) == 1


async def test_its_process_was_taken_for_dead(server_url: str) -> None:
    """It drops what it waited for, and may be the one that completes it in the end."""
    async with replicas(server_url, 1) as (one,):
        await one.take(picture("/enhance 1"))
        await one.until_seen(1)
        await one.until_handled()
        await one.app.bot_data.house.errands.drop()
        async with one.db.begin() as conn:
            await raw(conn, "UPDATE albums SET due_at = due_at - 1")
        await complete_overdue(one.app)
        await one.until_complete()
        assert len(await one.jobs()) == 1


@pytest.mark.parametrize("lease", [0.0, 30.0])
async def test_its_process_dies_while_it_completes(server_url: str, lease: float) -> None:
    """After the lease it is another's; before, it is nobody's."""
    async with replicas(server_url, 2) as (one, other):
        await one.take(picture("/enhance 1"))
        await one.until_seen(1)
        await one.die()
        album = await one.album()
        assert album
        due_at = album["due_at"]
        claimed = await one.db.transact(lambda conn: albums.claim(conn, 7, "g", due_at, lease))
        assert claimed
        assert claimed["due_at"] > due_at or not lease
        await complete_overdue(other.app)
        if lease:
            await asyncio.gather(*other.app.bot_data.albums.values())
            assert await other.jobs() == []
        else:
            await other.until_complete()
            assert len(await other.jobs()) == 1


async def test_its_process_dies_after_its_jobs_were_written(url: str, quiet: asyncio.Event) -> None:
    """Done again it makes no second job, and says nothing."""
    async with replicas(url, 1) as (one,):
        for caption in ("/enhance 1", ""):
            await one.take(picture(caption))
        await one.until_seen(2)
        before = await one.album()
        quiet.set()
        await one.until_complete()
        assert before
        told = {"due_at": 1.0, **{name: before[name] for name in ("asked", "wish", "awaited")}}
        async with one.db.begin() as conn:
            await conn.all(sa.update(rows).values(**told))
        await complete_overdue(one.app)
        await one.until_complete()
        assert len(await one.jobs()) == 2
        assert said_by(one) == []


async def test_a_picture_handled_twice(url: str, quiet: asyncio.Event) -> None:
    """A process that ends between writing a picture down and marking its update: the next one changes nothing."""
    async with replicas(url, 1) as (one,):
        for _ in range(2):
            await one.take(picture())
        await one.until_seen(2)
        quiet.set()
        await one.until_complete()
        await one.until_handled()
        async with one.db.begin() as conn:
            await raw(conn, "UPDATE inbox SET done_at = NULL")
        await one.intake.claim()
        await one.until_handled()
        assert (await one.album() or {})["due_at"] is None
        assert len(said_by(one)) == 1


async def test_what_goes_wrong_is_not_tried_forever(url: str, quiet: asyncio.Event) -> None:
    """A chat that takes no message gets none, and its album is done with."""
    quiet.set()
    async with replicas(url, 1) as (one,):
        one.wire.failing = {"sendMessage": (400, "Bad Request: not enough rights")}
        await one.take(picture())
        await one.until_seen(1)
        await one.until_complete()
        assert one.wire.texts()
        assert await one.jobs() == []


async def test_a_long_completion_keeps_its_album(
    server_url: str, quiet: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its process is at it, however long Telegram takes, it has it again and again, and no other takes it."""
    monkeypatch.setattr(albums_module, "AGAIN_SECONDS", 0.05)
    quiet.set()
    async with replicas(server_url, 2) as (one, other):
        one.wire.gate = asyncio.Event()
        await one.take(picture())
        await one.wire.reached.wait()
        for _ in range(3):
            due_at = (await one.album() or {})["due_at"]
            while (await one.album() or {})["due_at"] == due_at:
                await asyncio.sleep(0.01)
            await complete_overdue(other.app)
            assert not other.app.bot_data.albums
        one.wire.gate.set()
        await one.until_complete()
        assert len(said_by(one)) == 1
        assert said_by(other) == []


async def test_told_once_what_is_hidden(server_url: str) -> None:
    """Privacy mode hides the rest of an album: whoever answers it first is told, by any process, once."""
    shown = picture(chat=GROUP, person=BORIS)
    async with replicas(server_url, 2) as (one, other):
        for each in (one, other, one):
            await each.take(message(GROUP, ANNA, "/enhance@DarkroomBot 1 fresh", reply_to_message=shown))
        async with asyncio.timeout(SOON):
            while len(await one.jobs()) < 3:
                await asyncio.sleep(0.01)
        await one.app.stop()
        await one.app.start()
        assert sum("privately" in text for text in said_by(one, other)) == 1


async def test_forgotten_while_it_gathers(url: str, quiet: asyncio.Event) -> None:
    """Nothing comes of an album whose person had all forgotten, and old ones are pruned."""
    async with replicas(url, 1) as (one,):
        await one.take(picture("/enhance 1"))
        await one.until_seen(1)
        async with one.db.begin() as conn:
            await raw(conn, "DELETE FROM album_pictures")
        quiet.set()
        await one.until_complete()
        assert await one.jobs() == []
        await one.db.transact(lambda conn: albums.prune(conn, 2e9))
        assert await one.album() is None
