"""The jobs' rows: one for each picture of a message, found again while anybody waits for its end."""

from storage import jobs
from storage.database import Database

COLUMNS: dict[str, object] = {
    "chat_id": 7,
    "source": "m1",
    "place": 0,
    "user_id": 8,
    "reply_to": 1,
    "language": "en",
    "file_id": "f",
    "file_unique_id": "u",
    "file_kind": "photo",
    "operation": "colorize",
    "options": "{}",
    "state": "accepted",
}


async def test_a_repeat_makes_no_second_job(db: Database) -> None:
    """The same place of the same message is one job; another place, message or chat is another."""
    async with db.begin() as conn:
        first = await jobs.add(conn, **COLUMNS)
        assert first is not None
        assert await jobs.add(conn, **COLUMNS | {"file_id": "other"}) is None
        others = [
            await jobs.add(conn, **COLUMNS | change) for change in ({"place": 1}, {"source": "c1"}, {"chat_id": 9})
        ]
        assert len({first, *others}) == 4
        row = await jobs.get(conn, first)
        assert row is not None
        assert (row["file_id"], row["submits"], row["worked"], row["told"]) == ("f", 0, 0.0, 0)
        assert await jobs.get(conn, 10**9) is None


async def test_unfinished_until_told(db: Database) -> None:
    """A job is found at the next start until the person knows its end, whatever its state."""
    async with db.begin() as conn:
        ids = [await jobs.add(conn, **COLUMNS | {"place": place, "chat_id": 7 + place % 2}) for place in range(4)]
        assert None not in ids
        assert [job for job, _ in await jobs.unfinished(conn)] == ids
        assert await jobs.count_unfinished(conn, 7) == 2
        await jobs.update(conn, ids[0] or 0, state="failed", error="timeout")
        await jobs.update(conn, ids[1] or 0, state="delivered", told=1)
        assert await jobs.unfinished(conn) == [(ids[0], 7), (ids[2], 7), (ids[3], 8)]
        assert (
            await jobs.count_unfinished(conn, 7),
            await jobs.count_unfinished(conn, 8),
            await jobs.count_unfinished(conn, 9),
        ) == (2, 1, 0)


async def test_pruned_by_age_once_told(db: Database) -> None:
    """Old jobs go; unfinished ones stay however old."""
    async with db.begin() as conn:
        ids = [await jobs.add(conn, **COLUMNS | {"place": place}) for place in range(2)]
        await jobs.update(conn, ids[0] or 0, told=1)
        await jobs.prune(conn, 0.0)
        assert await jobs.get(conn, ids[0] or 0) is not None
        await jobs.prune(conn, 1e12)
        assert await jobs.get(conn, ids[0] or 0) is None
        assert await jobs.get(conn, ids[1] or 0) is not None
