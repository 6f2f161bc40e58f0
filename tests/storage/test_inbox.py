"""The inbox: each update once, in order, until it is handled and old; one process at a time has those of a chat."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import inbox, processes
from storage.database import Database
from storage.tables import processes as living
from tests.databases import either as db
from tests.databases import raw, reached, url

__all__ = ["db", "url"]
ME = 1


def update(update_id: int, text: str = "hi", chat: int = 7) -> dict[str, Any]:
    return {"update_id": update_id, "message": {"text": text, "chat": {"id": chat}}}


class Hands:
    """A process at the inbox."""

    def __init__(self, db: Database, me: int = ME) -> None:
        self.db = db
        self.me = me
        self.whose: dict[str, Any] = {"me": me, "shared": db.on_server}

    async def add(self, *updates: Mapping[str, Any]) -> list[int]:
        """Write down; give what is to be handled."""
        added = await self.db.transact(lambda conn: inbox.add(conn, updates, 1.0, **self.whose))
        return ids(added.mine)

    async def done(self, *update_ids: int, chat: int = 7, now: float = 2.0) -> list[int]:
        """Finish; give what is to be handled next."""
        handled = dict.fromkeys(update_ids, chat)
        return ids(await self.db.transact(lambda conn: inbox.done(conn, handled, now, **self.whose)))

    async def claim(self, *known: int) -> list[int]:
        """Take over what is left."""
        return ids(await self.db.transact(lambda conn: inbox.claim(conn, known=known, **self.whose)))


def ids(updates: Sequence[Mapping[str, Any]]) -> list[int]:
    return [each["update_id"] for each in updates]


@pytest.fixture
def hands(db: Database) -> Hands:
    return Hands(db)


async def test_a_repeat_is_not_new(db: Database, hands: Hands) -> None:
    """What came before, in this call or an earlier one, is given back to nobody and keeps its first body."""
    again = [update(2), update(1), update(2, "again")]
    added = await db.transact(lambda conn: inbox.add(conn, again, 1.0, **hands.whose))
    assert (ids(added.mine), added.known) == ([2, 1], 1)
    assert await hands.add(update(1, "other"), update(3)) == [3]
    assert await hands.add(update(3)) == []
    async with db.read() as conn:
        assert [await inbox.get(conn, each) for each in (1, 2, 3, 4)] == [update(1), update(2), update(3), None]


async def test_a_handled_update_is_still_known(hands: Hands) -> None:
    """Telegram may send again what was handled long ago."""
    await hands.add(update(1))
    await hands.done(1)
    await hands.done()
    assert await hands.add(update(1)) == []
    assert await hands.claim() == []


async def test_pruned_by_age_once_handled(db: Database, hands: Hands) -> None:
    """Only what was handled before the moment goes; what waits stays however old."""
    await hands.add(*[update(n) for n in (1, 2, 3)])
    await hands.done(1, now=10.0)
    await hands.done(2, now=20.0)
    async with db.begin() as conn:
        await inbox.prune(conn, 20.0)
        assert await raw(conn, "SELECT update_id FROM inbox ORDER BY 1") == [(2,), (3,)]


async def test_any_text_comes_back(hands: Hands) -> None:
    """Emoji, lone surrogates and zero bytes survive, as JSON escapes."""
    strange = update(2**52, "🙂 \ud800 \x00 “ü”")
    await hands.add(strange)
    assert await hands.db.look(lambda conn: inbox.get(conn, 2**52)) == strange


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.booleans()), max_size=8))
async def test_each_once_and_in_order(db: Database, batches: list[tuple[list[int], bool]]) -> None:
    """Whatever repeats arrive in whatever batches, each id is new once and waits in the order of ids till done."""
    async with db.begin() as conn:
        await raw(conn, "DELETE FROM inbox")
    hands = Hands(db)
    new: list[int] = []
    handled: set[int] = set()
    for numbers, finish in batches:
        new += await hands.add(*[update(n) for n in numbers])
        if finish:
            handled |= set(numbers)
            await hands.done(*set(numbers))
        assert len(new) == len(set(new))
        assert await hands.claim() == sorted(set(new) - handled)


@pytest.mark.parametrize(
    ("sent", "chat"),
    [
        ({"message": {"chat": {"id": -5}}}, -5),
        ({"callback_query": {"id": "1", "message": {"chat": {"id": 6}, "date": 0}}}, 6),
        ({"my_chat_member": {"chat": {"id": 2**52}}}, 2**52),
        ({"pre_checkout_query": {"id": "1", "from": {"id": 7}}}, 0),
        ({"callback_query": {"id": "1", "inline_message_id": "8"}}, 0),
        ({"message": {"chat": {"id": True}}}, 0),
        ({"message": {"chat": {"id": 2**64}}}, 0),
        ({"message": {"chat": {"id": "7"}}}, 0),
        ({"message": [7]}, 0),
        ({}, 0),
    ],
    ids=str,
)
def test_which_chat(sent: Mapping[str, Any], chat: int) -> None:
    """Every kind that is asked for names its chat; what has none, or nonsense for one, is of no chat."""
    assert inbox.chat_of({"update_id": 1, **sent}) == chat


async def test_what_was_left_is_claimed_without_a_server(hands: Hands) -> None:
    """A process that has its database for itself takes on all that was not handled, but what it has already."""
    await hands.add(update(2), update(1), update(3))
    await hands.done(3)
    later = Hands(hands.db, me=hands.me)
    assert await later.claim(2) == [1]
    assert await later.done(1, 2) == []
    assert await later.claim() == []


@pytest.fixture
async def pair(server_url: str) -> Any:
    """Give two living processes of one PostgreSQL."""
    async with reached(server_url) as db:
        yield [Hands(db, await db.transact(lambda conn: processes.join(conn, "web"))) for _ in range(2)]


async def test_one_process_at_a_time(pair: list[Hands]) -> None:
    """What comes to another process while a chat is busy waits, and goes to whoever finishes; other chats go on."""
    ann, ben = pair
    assert await ann.add(update(1), update(2)) == [1, 2]
    assert await ben.add(update(3), update(4, chat=8), update(5)) == [4]
    assert await ann.add(update(6)) == []  # it is behind 3 and 5
    assert await ann.done(1) == [3, 5, 6]
    assert await ben.add(update(7)) == []
    assert await ben.claim(4) == []
    assert await ann.done(2, 3, 5, 6, now=3.0) == [7]
    assert await ann.done(7, now=4.0) == []
    assert await ben.add(update(8)) == [8]
    assert await ben.done(4, chat=8, now=5.0) == []


async def test_updates_of_no_chat_wait_for_nobody(pair: list[Hands]) -> None:
    """A question about a payment is answered by whoever hears it."""
    ann, ben = pair
    assert await ann.add({"update_id": 1, "pre_checkout_query": {}}) == [1]
    assert await ben.add({"update_id": 2, "pre_checkout_query": {}}) == [2]
    assert await ann.done(1, chat=0) == []


async def test_the_dead_leave_their_updates(pair: list[Hands]) -> None:
    """What a process had when it died, what waited for it and what it wrote since goes to one other, in order."""
    ann, ben = pair
    await ann.add(update(1), update(9, chat=8))
    await ben.add(update(2))
    assert await ben.claim() == []
    await ann.db.transact(lambda conn: processes.leave(conn, ann.me))
    assert await ann.add(update(3), update(4, chat=9)) == [4]  # it does not know that it was buried
    third = Hands(ben.db, await ben.db.transact(lambda conn: processes.join(conn, "web")))
    assert await ben.claim() == [1, 2, 3, 4, 9]
    assert await third.claim() == []
    assert await ann.done(1, now=5.0) == []  # nor may it say that it is done:
    assert await ben.claim(2, 3, 4, 9) == [1]
    assert await third.add(update(5)) == []
    assert await ben.done(1, 2, 3, now=6.0) == [5]


async def test_whoever_stops_lets_go(pair: list[Hands]) -> None:
    """What a process releases at its end is another's."""
    ann, ben = pair
    await ann.add(update(1), update(2))
    await ann.done(1)
    await ann.db.transact(lambda conn: inbox.release(conn, ann.me))
    assert await ben.claim() == [2]
    async with ben.db.read() as conn:
        assert len(await conn.all(sa.select(living))) == 2


async def test_what_was_lost_on_the_way_is_found(pair: list[Hands]) -> None:
    """An update that is this process's, and of which it knows nothing, as when an answer of the database was lost."""
    ann, _ = pair
    await ann.add(update(1), update(2))
    assert await ann.claim(2) == [1]
