"""Chats: found by id and name, whose next photo is for what, and groups that become supergroups."""

import time

import pytest

from storage import chats, jobs, ledger, preferences
from storage.database import Connection, Database
from tests.databases import raw
from tests.storage.test_jobs import COLUMNS

OLD, NEW = -5, -1005
TERMS = ledger.Terms(10)


async def meet(conn: Connection, chat_id: int, username: str | None = None, language: str | None = None) -> None:
    await chats.remember(conn, chat_id, kind="group", title=f"t{chat_id}", username=username)
    if language:
        await preferences.choose(conn, chat_id, "language", language)


async def test_a_chat_is_remembered_as_it_is_now(db: Database) -> None:
    """A new title replaces the old one; the language chosen by hand stays."""
    async with db.begin() as conn:
        assert await chats.get(conn, 1) is None
        await meet(conn, 1, "SomeBody", "uk")
        await ledger.set_allowance(conn, 1, 5)
        await chats.remember(conn, 1, kind="private", title="new", username=None)
        chat = await chats.get(conn, 1)
    assert chat is not None
    assert (chat.kind, chat.title, chat.username, chat.language, chat.allowance) == ("private", "new", None, "uk", 5)
    assert abs(chat.seen_at - time.time()) < 60


async def test_the_language_can_be_given_back(db: Database) -> None:
    """None follows each person's own again."""
    async with db.begin() as conn:
        await meet(conn, 1, language="de")
        await preferences.choose(conn, 1, "language", None)
        chat = await chats.get(conn, 1)
    assert chat is not None
    assert chat.language is None


async def test_find(db: Database) -> None:
    """By id, and by name in any case with or without @; a name that changed hands means its newest holder."""
    async with db.begin() as conn:
        await meet(conn, 1, "Name")
        await raw(conn, "UPDATE chats SET seen_at = 1")
        await meet(conn, 2, "nAME")
        for who, expected in ((1, 1), ("@NAME", 2), ("name", 2), ("@other", None), (3, None)):
            found = await chats.find(conn, who)
            assert (found and found.chat_id) == expected


async def test_expectations_are_each_persons(db: Database) -> None:
    """One per person and chat, the last wins; forgetting tells whether there was any."""
    async with db.begin() as conn:
        await chats.expect(conn, 1, 2, "enhance", "{}", 3)
        await chats.expect(conn, 1, 2, "cutout", "{}", None)
        assert await chats.expected(conn, 1, 2) == chats.Expectation("cutout", "{}", None)
        assert await chats.expected(conn, 1, 3) is None
        assert await chats.expected(conn, 2, 2) is None
        assert await chats.forget_expected(conn, 1, 2)
        assert not await chats.forget_expected(conn, 1, 2)
        assert await chats.expected(conn, 1, 2) is None


@pytest.mark.parametrize(
    ("age", "known"), [(chats.EXPECTATION_SECONDS - 60, True), (chats.EXPECTATION_SECONDS + 1, False)]
)
async def test_expectations_expire(db: Database, age: float, known: bool) -> None:  # noqa: FBT001  a parameter of pytest's
    """After an hour a photo is just a photo again."""
    async with db.begin() as conn:
        await chats.expect(conn, 1, 2, "enhance", "{}", 3)
        await raw(conn, "UPDATE expectations SET at = at - ?", age)
        assert (await chats.expected(conn, 1, 2) is not None) is known


async def test_migrate(db: Database) -> None:
    """Settings, credits, ledger and jobs follow; a hold taken before is settled in the new chat."""
    async with db.begin() as conn:
        await meet(conn, OLD, language="de")
        await ledger.set_allowance(conn, OLD, 3)
        await chats.expect(conn, OLD, 2, "enhance", "{}", 3)
        job = await jobs.add(conn, **COLUMNS | {"chat_id": OLD})
        assert job is not None
        await ledger.hold(conn, OLD, job, 2, TERMS)
        for _ in range(2):
            await chats.migrate(conn, OLD, NEW)
        chat, row = await chats.get(conn, NEW), await jobs.get(conn, job)
        assert await chats.get(conn, OLD) is None
        assert chat is not None
        assert (chat.language, chat.allowance) == ("de", 3)
        assert await chats.expected(conn, NEW, 2) is None
        assert row is not None
        assert (row["chat_id"], row["reply_to"], row["source"]) == (NEW, 0, f"m1@{OLD}")
        assert await ledger.release(conn, job) == 0
        assert (await ledger.quota(conn, NEW, TERMS)).left == 3
        assert {entry.kind for entry in await ledger.entries(conn, NEW, 9)} == {"hold", "release"}


async def test_migrate_into_a_chat_with_a_life(db: Database) -> None:
    """The bot may have worked in the supergroup already: credits add up and no job is lost to an equal key."""
    async with db.begin() as conn:
        for chat_id in (OLD, NEW):
            await meet(conn, chat_id)
            await ledger.grant(conn, chat_id, 4, TERMS, by=1, source=f"g{chat_id}")
            job = await jobs.add(conn, **COLUMNS | {"chat_id": chat_id})
            assert job is not None
            await ledger.hold(conn, chat_id, job, 2, TERMS)
        await chats.migrate(conn, OLD, NEW)
        quota = await ledger.quota(conn, NEW, TERMS)
        assert (quota.used, quota.granted) == (4, 8)
        assert {chat_id for _, chat_id in await jobs.unfinished(conn)} == {NEW}
        assert len(await jobs.unfinished(conn)) == 2


async def test_migrate_a_chat_never_remembered(db: Database) -> None:
    """What the bot holds for a chat moves even if it never wrote down the chat; the new one keeps its settings."""
    async with db.begin() as conn:
        await meet(conn, NEW, language="fr")
        job = await jobs.add(conn, **COLUMNS | {"chat_id": OLD})
        assert job is not None
        await ledger.hold(conn, OLD, job, 2, TERMS)
        await chats.migrate(conn, OLD, NEW)
        assert (await ledger.quota(conn, NEW, TERMS)).used == 2
        chat = await chats.get(conn, NEW)
    assert chat is not None
    assert chat.language == "fr"


async def test_migrate_drops_yesterdays_use(db: Database) -> None:
    """Of two balances only what belongs to the newer day counts as used."""
    async with db.begin() as conn:
        await ledger.hold(conn, OLD, 1, 3, TERMS, now=0.0)
        await ledger.hold(conn, NEW, 2, 1, TERMS, now=86_400.0)
        await chats.migrate(conn, OLD, NEW)
        assert (await ledger.quota(conn, NEW, TERMS, now=86_400.0)).used == 1


async def test_migrate_takes_the_choices_along(db: Database) -> None:
    """What was chosen in the group holds in the supergroup, which had choices of its own, or had none."""
    async with db.begin() as conn:
        for chat_id in (OLD, NEW, OLD - 1):
            await meet(conn, chat_id)
        await preferences.choose(conn, OLD, "send_as", "file")
        await preferences.choose(conn, NEW, "id_size", "passport")
        await chats.migrate(conn, OLD, NEW)
        assert await preferences.get(conn, NEW) == preferences.Preferences(send_as="file")
        assert await preferences.get(conn, OLD) == preferences.Preferences()
        await chats.migrate(conn, OLD - 1, NEW)
        assert await preferences.get(conn, NEW) == preferences.Preferences()
