"""What goes in comes out the same from both databases: long text, long numbers, sums, orders, odd characters."""

from datetime import UTC, datetime

from storage import audit, chats, forgetting, jobs, ledger, overview, payments, people, preferences, results
from storage.database import Connection, Database
from storage.ledger import Terms
from tests.databases import raw
from tests.storage.test_jobs import COLUMNS

LONG = "ü" * 400
HIGH = 2**52 - 1
"""Telegram's ids have up to 52 bits."""

TERMS = Terms(9)


async def finished(conn: Connection, chat_id: int, source: str, **columns: object) -> int:
    """Write a job that has cost 2 credits and was delivered."""
    job = await jobs.add(conn, **COLUMNS | {"chat_id": chat_id, "source": source} | columns)
    assert job is not None
    assert await ledger.hold(conn, chat_id, job, 3, TERMS, user_id=COLUMNS["user_id"]) is None  # type: ignore[arg-type]  # it is a number
    assert await ledger.settle(conn, job, 2) == 2
    await jobs.update(conn, job, state="delivered", told=1, provider="gptge")
    return job


async def test_text_of_any_length(db: Database) -> None:
    """No text from Telegram or a provider is too long: SQLite does not count, so PostgreSQL does not either."""
    async with db.begin() as conn:
        await chats.remember(conn, 1, kind="group", title=LONG, username=LONG)
        await preferences.choose(conn, 1, "language", LONG)
        assert await payments.credit(conn, 1, TERMS, charge_id=LONG, user_id=1, credits=1, stars=1)
        assert await payments.reverse(conn, LONG, TERMS) == 1
        job = await finished(conn, 1, LONG, file_unique_id=LONG, language=LONG, file_name=LONG, task_id=LONG)
        await results.put(conn, LONG, "enhance", "{}", LONG)
        assert await results.find(conn, LONG, "enhance", "{}") == LONG
        await people.note_action(conn, 1, LONG, None, LONG)
        row, chat = await jobs.get(conn, job), await chats.find(conn, LONG)
        assert row is not None
        assert chat is not None
        assert {row["source"], row["language"], row["task_id"], chat.title, chat.language} == {LONG}
        assert await audit.differences(conn) == []


async def test_odd_characters(db: Database) -> None:
    """A zero byte, which PostgreSQL's text cannot hold, undoes nothing; all else is kept as it is."""
    async with db.begin() as conn:
        await chats.remember(conn, 1, kind="private", title="a\0b", username=None)
        await chats.remember(conn, 2, kind="private", title="%s ? :x \\ ' \" 🙂 \u202e", username=None)
        await conn.many(jobs._insert, [COLUMNS | {"file_name": "\0", "created_at": 1.0, "updated_at": 1.0}])
        first, second = await chats.get(conn, 1), await chats.get(conn, 2)
        assert first is not None
        assert second is not None
        assert first.title in {"a\0b", "a\ufffdb"}
        assert second.title == "%s ? :x \\ ' \" 🙂 \u202e"


async def test_ids_of_52_bits(db: Database) -> None:
    """Chats, persons and messages have numbers far beyond 32 bits, wherever they are kept."""
    async with db.begin() as conn:
        await chats.remember(conn, -HIGH, kind="supergroup", title="t", username="n")
        await ledger.set_allowance(conn, -HIGH, 5)
        await chats.expect(conn, -HIGH, HIGH, "enhance", "{}", HIGH)
        assert await chats.expected(conn, -HIGH, HIGH) == chats.Expectation("enhance", "{}", HIGH)
        await ledger.grant(conn, -HIGH, 5, TERMS, by=HIGH, source="g")
        await payments.credit(conn, -HIGH, TERMS, charge_id="c", user_id=HIGH, credits=1, stars=1)
        big = {"user_id": HIGH, "reply_to": HIGH, "thread_id": HIGH, "file_size": HIGH, "album": HIGH}
        await finished(conn, -HIGH, "m", **big)
        await people.set_blocked(conn, HIGH, blocked=True)
        await people.note_action(conn, HIGH, "/x", -HIGH, "s")
        assert await people.wait_of(conn, HIGH, people.Rate(1, 1.0)) == 0
        assert await people.blocked(conn, HIGH)
        assert [entry.by for entry in await ledger.entries(conn, -HIGH, 9)] == [None, None, None, HIGH]
        await chats.migrate(conn, -HIGH, -HIGH + 1)
        assert (await ledger.quota(conn, -HIGH + 1, TERMS)).left == 9
        assert await audit.differences(conn) == []


async def test_sums_are_integers(db: Database) -> None:
    """No sum or count is a Decimal, and no flag a boolean; moments keep their microseconds."""
    async with db.begin() as conn:
        await chats.remember(conn, 1, kind="group", title="t", username=None)
        for number in range(3):
            await finished(conn, 1, f"m{number}")
        found = await overview.figures(conn, 0.0)
        rows = await overview.list_chats(conn, "top", 0.0, 9, 0)
        numbers = [*found.photos.values(), *found.credits.values(), found.active_chats, rows[0]["spent"]]
        numbers += [number for pair in (await overview.spent_with_providers(conn, 0.0)).values() for number in pair]
        quota = await ledger.quota(conn, 1, TERMS, now=0.0)
        day = datetime.now(UTC).date().isoformat()
        numbers += [quota.used, await ledger.spent_on(conn, day), await jobs.count_unfinished(conn, 1)]
        assert {type(number) for number in numbers} == {int}
        assert (found.credits, rows[0]["spent"], found.active_chats) == ({"hold": 9, "settle": 6}, 6, 1)
        await raw(conn, "UPDATE balances SET used = 5")
        (difference,) = await audit.differences(conn)
        assert (difference.who, difference.kept, difference.counted, type(difference.counted)) == ("1", 5, 6, int)
        await raw(conn, "UPDATE chats SET seen_at = 1763700000.123456")
        chat = await chats.get(conn, 1)
        assert chat is not None
        assert chat.seen_at == 1763700000.123456


async def test_orders(db: Database) -> None:
    """Lists for admins have one order, whatever is missing in them."""
    async with db.begin() as conn:
        for chat_id, title in ((3, None), (1, "b"), (2, "A"), (4, "ä")):
            await chats.remember(conn, chat_id, kind="group", title=title, username=None)
        await finished(conn, 2, "m1")
        await finished(conn, 4, "m2")
        await finished(conn, 4, "m3")
        for who in (9, 1):
            await people.set_blocked(conn, who, blocked=True)
        await raw(conn, "UPDATE chats SET seen_at = 5")
        await raw(conn, "UPDATE blocks SET at = 5")
        lists = [[row["chat_id"] for row in await overview.list_chats(conn, how, 0.0, 9, 0)] for how in overview.ORDERS]
        assert lists == [[4, 2, 1, 3], [1, 2, 3, 4], [1, 9]]
        assert [row["chat_id"] for row in await overview.list_chats(conn, "top", 0.0, 2, 1)] == [2, 1]
        assert [row["chat_id"] for row in await overview.newest_jobs(conn, 2)] == [4, 4]
        for charge in "bAa":
            await payments.credit(conn, 1, TERMS, charge_id=charge, user_id=1, credits=1, stars=1)
        await raw(conn, "UPDATE payments SET at = 5")
        assert [one.charge_id for one in await payments.newest(conn, 3)] == ["A", "a", "b"]
        pages = [row["id"] async for page in overview.ledger_pages(conn, 0.0) for row in page]
        assert pages == sorted(pages)
        assert len(pages) == 9


async def test_forgetting_a_person(db: Database) -> None:
    """Who they are and what they sent goes, the update included that asked for it; sums stay, without a name."""
    me = COLUMNS["user_id"]
    assert isinstance(me, int)
    async with db.begin() as conn:
        await chats.remember(conn, me, kind="private", title="Me", username="me")
        await preferences.choose(conn, me, "language", "de")
        await preferences.choose(conn, me, "send_as", "file")
        await finished(conn, 1, "m1")
        await results.put(conn, "u", "enhance", "{}", "[]")
        await ledger.grant(conn, me, 1, TERMS, by=1, source="g", note="for Me")
        await raw(conn, "UPDATE ledger SET day = '2000-01-01' WHERE kind = 'settle'")
        for number, body in ((1, f'{{"from":{{"id":{me},"x":1}}}}'), (2, f'{{"from":{{"id":{me}1}}}}')):
            await raw(conn, "INSERT INTO inbox (update_id, body, received_at) VALUES (?, ?, 1)", number, body)
        await forgetting.forget(conn, me)
        assert await forgetting.unfinished(conn, me) == []
        assert await jobs.recent(conn, 1, me, 9) == []
        assert await results.find(conn, "u", "enhance", "{}") is None
        assert await preferences.get(conn, me) == preferences.Preferences()
        people_left = await raw(conn, "SELECT kind, user_id, note FROM ledger ORDER BY id")
        assert people_left == [("hold", me, None), ("settle", None, None), ("grant", None, None)]
        bodies = await raw(conn, "SELECT body FROM inbox ORDER BY update_id")
        assert bodies == [('{"update_id":1}',), (f'{{"from":{{"id":{me}1}}}}',)]


async def test_our_own_pictures(db: Database) -> None:
    """A picture of ours is kept by its name, and a newer file_id replaces the older."""
    async with db.begin() as conn:
        await preferences.stock_up(conn, [("b", "2"), ("a", "1")])
        await preferences.stock_up(conn, [("a", "3")])
        assert await preferences.stocked(conn) == {"a": "3", "b": "2"}
