"""Rates that several processes keep together, on a real PostgreSQL."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import psycopg
import pytest
import sqlalchemy as sa
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from storage import rates as module
from storage.postgres import Postgres
from storage.rates import LARGEST, Limit, Rates
from tests.turns import most, patient, turns, watch

__all__ = ["patient"]

AGES = 1000.0  # seconds that no test lasts


@pytest.fixture
async def db(server_url: str, patient: None) -> AsyncIterator[Postgres]:
    del patient
    db = await Postgres.open(sa.make_url(server_url))
    yield db
    await db.close()


async def test_a_call_counts_under_all_its_limits_or_none(db: Postgres) -> None:
    """Whoever is short says how long, in the order asked; the others have lost nothing."""
    rates = Rates(db)
    both = [Limit("telegram", 3, AGES), Limit("chat 1", 1, AGES)]
    assert await rates.take(both) == [0, 0]
    free, short = await rates.take(both)
    assert free == 0
    assert AGES - 100 < short <= AGES
    assert await rates.take([Limit("telegram", 3, AGES), Limit("chat 2", 1, AGES)]) == [0, 0]
    assert await rates.take_one("telegram", 3, AGES) == 0
    assert await rates.take_one("telegram", 3, AGES) > 0


async def test_an_album_takes_slots_and_a_small_call_leaves_one(db: Postgres) -> None:
    """Slots are counted in full, at most the whole window; spare ones must be free but are not taken."""
    rates = Rates(db)
    assert await rates.take([Limit("a", 20, AGES, slots=18)]) == [0]
    assert await rates.take([Limit("a", 20, AGES, slots=3)]) != [0]
    assert await rates.take([Limit("a", 20, AGES, spare=2)]) != [0]
    assert await rates.take([Limit("a", 20, AGES, spare=1)]) == [0]
    assert await rates.take([Limit("a", 20, AGES)]) == [0]
    assert await rates.take([Limit("a", 20, AGES, slots=0, spare=1)]) != [0]
    assert await rates.take([Limit("b", 3, AGES, slots=10)]) == [0]
    assert await rates.take([Limit("b", 3, AGES, slots=10)]) != [0]
    assert await rates.take([Limit("b", 5, AGES, slots=2)]) == [0]  # a window made larger
    assert await rates.take([Limit("b", 2, AGES)]) != [0]  # and smaller


async def test_a_large_limit_is_kept_over_a_shorter_time(db: Postgres) -> None:
    """A row never holds more than LARGEST moments, and never lets more through than it should."""
    rates = Rates(db)
    for _ in range(LARGEST):
        assert await rates.take_one("fast", 1000, AGES * 10) == 0
    assert 0 < await rates.take_one("fast", 1000, AGES * 10) <= AGES


async def test_a_hold_stops_everybody_and_is_never_shortened(db: Postgres) -> None:
    """A name may be held before anybody used it; the longest hold counts; other names are free."""
    rates = Rates(db)
    await rates.hold("chat 1", AGES)
    await rates.hold("chat 1", 5)
    assert (await rates.take_one("chat 1", 3, 3.0)) > AGES - 100
    assert await rates.take_one("chat 2", 3, 3.0) == 0


async def test_a_clock_that_was_set_back_stops_nobody(db: Postgres) -> None:
    """Moments that lie in the future are forgotten."""
    rates = Rates(db)
    await rates.take_one("a", 1, 1.0)
    async with db.pool.connection() as raw:
        await raw.execute("UPDATE rates SET times = ARRAY[extract(epoch FROM clock_timestamp()) + 5000]")
    assert await rates.take_one("a", 1, AGES) == 0
    assert 0 < await rates.take_one("a", 1, AGES) <= AGES


async def test_old_rates_are_forgotten(db: Postgres) -> None:
    """Pruning leaves what is in use, held, or locked this moment, and waits for nobody."""
    rates = Rates(db)
    for name in ("old", "busy", "held", "new"):
        await rates.take_one(name, 3, 1.0)
    await rates.hold("held", AGES)
    async with db.pool.connection() as raw:
        await raw.execute("UPDATE rates SET times = '{5}' WHERE name <> 'new'")
        await raw.execute("INSERT INTO rates (name) VALUES ('never used')")
        async with raw.transaction():
            await raw.execute("SELECT FROM rates WHERE name = 'busy' FOR UPDATE")
            await rates.prune()
        cursor = await raw.execute("SELECT name FROM rates ORDER BY name")
        assert [row["name"] for row in await cursor.fetchall()] == ["busy", "held", "new"]


ASKS = st.lists(
    st.tuples(st.sets(st.sampled_from("abc"), min_size=1), st.integers(0, 4), st.integers(0, 2)),
    min_size=1,
    max_size=30,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asks=ASKS)
async def test_any_calls_are_let_go_as_counting_says(db: Postgres, asks: list[tuple[set[str], int, int]]) -> None:
    """In one long window a call goes exactly if all its limits have room, whatever came before."""
    rates, used, sizes = Rates(db), Counter[str](), {"a": 1, "b": 5, "c": 9}
    async with db.pool.connection() as raw:
        await raw.execute("TRUNCATE rates")
    for names, slots, spare in asks:
        waits = await rates.take([Limit(name, sizes[name], AGES, slots, spare) for name in names])
        room = [used[name] + min(slots + spare, sizes[name]) <= sizes[name] for name in names]
        assert [wait == 0 for wait in waits] == room
        if all(room):
            used.update({name: min(slots, sizes[name]) for name in names})


PROCESS = """
import asyncio, json, random, sys
import sqlalchemy as sa
from storage import rates as module
from storage.postgres import Postgres
from storage.rates import Limit, Rates

module.PATIENCE = 60

async def main(url, seed):
    dice, made = random.Random(seed), {}
    db = await Postgres.open(sa.make_url(url), own=False)
    rates = Rates(db)
    async def one():
        for _ in range(60):
            names = dice.sample(["telegram", "chat 1", "chat 2", "chat 3", f"chat {dice.random()}"], dice.randint(1, 5))
            if not any(await rates.take([Limit(name, 4, 0.05) for name in names])):
                for name in names:
                    made[name] = made.get(name, 0) + 1
    await asyncio.gather(*(one() for _ in range(4)))
    await db.close()
    assert not rates._away
    print(json.dumps(made))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def test_no_window_is_ever_overfull_over_all_processes(db: Postgres, server_url: str) -> None:
    """Four processes, each asking four at once for any names: nobody waits for ever, and each turn is counted."""
    await watch(db)
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROCESS, server_url, str(seed), stdout=asyncio.subprocess.PIPE
        )
        for seed in range(4)
    ]
    made = Counter[str]()
    for process in processes:
        out, _ = await process.communicate()
        assert process.returncode == 0
        made.update(json.loads(out))
    for name in ("telegram", "chat 1", "chat 2", "chat 3"):
        assert len(await turns(db, name)) == made[name] > 4
        assert await most(db, name, 0.05) <= 4


async def test_without_a_database_nobody_waits(db: Postgres, server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is away calls go, which is logged once; when it is back, its rates hold again."""
    rates, admin = Rates(db), sa.make_url(server_url).set(database="postgres").render_as_string()
    assert await rates.take_one("a", 1, AGES) == 0
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    name = sql.Identifier(sa.make_url(server_url).database or "")
    async with AsyncExitStack() as stack:
        raw = await stack.enter_async_context(await psycopg.AsyncConnection.connect(admin, autocommit=True))
        said = stack.enter_context(structlog.testing.capture_logs())
        await raw.execute(allow.format(name, sql.SQL("false")))
        await raw.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'darkroom'")
        for _ in range(2):
            rates._ask_again_at = 0.0
            for _ in range(3):
                assert await rates.take([Limit("a", 1, AGES), Limit("b", 1, AGES)]) == [0, 0]
                await rates.hold("a", AGES)
        await raw.execute(allow.format(name, sql.SQL("true")))
        monkeypatch.setattr(module, "PATIENCE", 60)
        rates._ask_again_at = 0.0
        await db.ping()
        assert await rates.take_one("a", 1, AGES) > 0
    assert [(one["log_level"], one.get("exc_info")) for one in said] == [("warning", False), ("info", None)]


async def test_who_was_frozen_does_not_take_the_database_for_away(
    db: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that stood still while it asked asks again: its own windows know nothing of what the others sent."""
    rates, look, loop = Rates(db), db.look, asyncio.get_running_loop()
    now = loop.time

    async def freeze(_: object) -> Sequence[float]:
        monkeypatch.setattr(db, "look", look)
        monkeypatch.setattr(loop, "time", lambda: now() + AGES)
        await asyncio.Event().wait()
        raise AssertionError

    assert await rates.take_one("a", 1, AGES) == 0
    monkeypatch.setattr(db, "look", freeze)
    assert await rates.take_one("a", 1, AGES) > 0


async def test_a_wrong_statement_shows_its_trace_once(db: Postgres) -> None:
    """What is no outage stops no call either, but an operator can see what it is."""
    rates = Rates(db)
    async with db.pool.connection() as raw:
        await raw.execute("DROP FUNCTION take_turn")
    with structlog.testing.capture_logs() as said:
        assert await rates.take_one("a", 1, AGES) == await rates.take_one("a", 1, AGES) == 0
    assert [(one["why"], one["exc_info"]) for one in said] == [("UndefinedFunction", True)]
