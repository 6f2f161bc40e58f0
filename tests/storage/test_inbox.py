"""The inbox: each update once, in order, until it is handled and old."""

from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import inbox
from storage.database import Database
from tests.databases import raw


def update(update_id: int, text: str = "hi") -> Mapping[str, Any]:
    return {"update_id": update_id, "message": {"text": text}}


async def waiting(db: Database) -> list[int]:
    async with db.read() as conn:
        return [each["update_id"] for each in await inbox.waiting(conn)]


async def test_a_repeat_is_not_new(db: Database) -> None:
    """What came before, in this call or an earlier one, is given back to nobody and keeps its first body."""
    async with db.begin() as conn:
        assert await inbox.add(conn, [update(2), update(1), update(2, "again")], 1.0) == [update(2, "again"), update(1)]
        assert await inbox.add(conn, [update(1, "other"), update(3)], 2.0) == [update(3)]
        assert await inbox.add(conn, [update(3)], 2.0) == []
        bodies = [each["message"]["text"] for each in await inbox.waiting(conn)]
    assert bodies == ["hi", "again", "hi"]


async def test_a_handled_update_is_still_known(db: Database) -> None:
    """Telegram may send again what was handled long ago."""
    async with db.begin() as conn:
        await inbox.add(conn, [update(1)], 1.0)
        await inbox.done(conn, [1], 2.0)
        await inbox.done(conn, [], 2.0)
        assert await inbox.add(conn, [update(1)], 3.0) == []
    assert await waiting(db) == []


async def test_pruned_by_age_once_handled(db: Database) -> None:
    """Only what was handled before the moment goes; what waits stays however old."""
    async with db.begin() as conn:
        await inbox.add(conn, [update(n) for n in (1, 2, 3)], 1.0)
        await inbox.done(conn, [1], 10.0)
        await inbox.done(conn, [2], 20.0)
        await inbox.prune(conn, 20.0)
        assert await raw(conn, "SELECT update_id FROM inbox ORDER BY 1") == [(2,), (3,)]


async def test_any_text_comes_back(db: Database) -> None:
    """Emoji, lone surrogates and zero bytes survive, as JSON escapes."""
    text = "🙂 \ud800 \x00 “ü”"
    async with db.begin() as conn:
        await inbox.add(conn, [update(2**52, text)], 1.0)
        assert await inbox.waiting(conn) == [update(2**52, text)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.booleans()), max_size=8))
async def test_each_once_and_in_order(db: Database, batches: list[tuple[list[int], bool]]) -> None:
    """Whatever repeats arrive in whatever batches, each id is new once and waits in the order of ids till done."""
    async with db.begin() as conn:
        await raw(conn, "DELETE FROM inbox")
    new: list[int] = []
    handled: set[int] = set()
    for ids, finish in batches:
        async with db.begin() as conn:
            new += [each["update_id"] for each in await inbox.add(conn, [update(n) for n in ids], 1.0)]
            if finish:
                handled |= set(ids)
                await inbox.done(conn, ids, 2.0)
        assert len(new) == len(set(new))
        assert await waiting(db) == sorted(set(new) - handled)
