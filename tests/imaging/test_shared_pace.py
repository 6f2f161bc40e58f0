"""A provider's rate that several processes keep together, each with its own connections to one PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import sqlalchemy as sa

from imaging.operations import Colorize
from imaging.pace import Pace, Urgency
from imaging.routing import Router
from storage.postgres import Postgres
from storage.rates import Rates
from tests.imaging.house import House
from tests.imaging.vendor import says, upload
from tests.turns import most, patient, turns, watch

__all__ = ["patient"]

NAME = "provider gptge"
Open = Callable[[], Awaitable[Postgres]]


@pytest.fixture
async def process(server_url: str, patient: None) -> AsyncIterator[Open]:
    """Give what opens the database as another process would."""
    del patient
    opened: list[Postgres] = []

    async def process() -> Postgres:
        opened.append(await Postgres.open(sa.make_url(server_url)))
        return opened[-1]

    yield process
    for db in opened:
        await db.close()


def pace_of(db: Postgres, rate: float) -> Pace:
    return Pace(rate, Rates(db), NAME)


async def test_no_second_holds_more_over_all_processes(process: Open) -> None:
    """Three processes ask at once: each turn was counted, and no window held more than the rate."""
    dbs = [await process() for _ in range(3)]
    await watch(dbs[0])
    paces = [pace_of(db, 20) for db in dbs]
    await asyncio.gather(*(pace.turn(Urgency.POLL) for pace in paces for _ in range(16)))
    assert len(await turns(dbs[0], NAME)) == 48
    assert await most(dbs[0], NAME, 1.0) <= 20


async def test_submissions_go_first_though_a_poll_asked_before(process: Open) -> None:
    """Whoever came while others had the turns is sorted in, and who gave up is passed over."""
    db = await process()
    ours, theirs = pace_of(db, 3), pace_of(await process(), 3)
    await theirs.hold(1000)
    came: list[Urgency] = []

    async def one(urgency: Urgency) -> None:
        await ours.turn(urgency)
        came.append(urgency)

    wanted = [asyncio.create_task(one(Urgency.POLL))]
    await asyncio.sleep(0)
    while ours._asking is not None:  # it is refused
        await asyncio.sleep(0)
    wanted += [asyncio.create_task(one(urgency)) for urgency in (Urgency.SUBMIT, Urgency.SOON, Urgency.SUBMIT)]
    await asyncio.sleep(0)
    wanted[-1].cancel()
    async with db.pool.connection() as raw:
        await raw.execute("UPDATE rates SET closed_until = 0")
    ours._closed_until = 0.0  # the time has come
    ours._serve()
    await asyncio.gather(*wanted, return_exceptions=True)
    assert came == [Urgency.SUBMIT, Urgency.SOON, Urgency.POLL]


async def test_a_wait_given_up_while_it_asks_gives_its_turn_to_the_next(process: Open) -> None:
    """The turn that was on its way is not lost: the next would have to wait a thousand seconds for another."""
    pace = pace_of(await process(), 1 / 1000)
    gone = asyncio.create_task(pace.turn(Urgency.SUBMIT))
    await asyncio.sleep(0)
    assert pace._asking is not None
    following = asyncio.create_task(pace.turn(Urgency.POLL))
    gone.cancel()
    await following


async def test_nobody_waits_when_the_turn_comes(process: Open) -> None:
    """All gave up: nothing breaks, and those who come later are served."""
    pace = pace_of(await process(), 100)
    gone = asyncio.create_task(pace.turn(Urgency.SUBMIT))
    await asyncio.sleep(0)
    gone.cancel()
    while pace._asking is not None:
        await asyncio.sleep(0)
    await pace.turn(Urgency.POLL)


async def test_one_process_hears_that_the_provider_is_busy(process: Open) -> None:
    """A 429 with Retry-After stops the others, too; another provider goes on."""
    ours, theirs = pace_of(await process(), 30), pace_of(await process(), 30)
    other = Pace(30, Rates(await process()), "provider picwish")
    await ours.hold(1000)
    held = asyncio.create_task(theirs.turn(Urgency.SUBMIT))
    for _ in range(5):
        await other.turn(Urgency.POLL)
    await asyncio.sleep(0)
    while theirs._asking is not None:
        await asyncio.sleep(0)
    assert not held.done()
    assert theirs._timer
    theirs._timer.cancel()
    held.cancel()


async def test_a_hold_overtakes_a_turn_on_its_way(process: Open) -> None:
    """Who asked before the provider said 429 does not go after it."""
    pace = pace_of(await process(), 30)
    waiting = asyncio.create_task(pace.turn(Urgency.SUBMIT))
    await asyncio.sleep(0)
    assert pace._asking is not None
    await pace.hold(1000)
    while pace._asking is not None:
        await asyncio.sleep(0)
    assert not waiting.done()
    assert pace._timer
    pace._timer.cancel()
    waiting.cancel()


async def test_without_a_database_each_process_keeps_the_rate(process: Open) -> None:
    """Requests go on at this process's own rate."""
    db = await process()
    await db.close()
    pace = pace_of(db, 20)
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(pace.turn(Urgency.POLL) for _ in range(25)))
    assert asyncio.get_running_loop().time() - began >= 1


async def test_a_router_shares_each_providers_rate(process: Open, house: House) -> None:
    """Its requests are counted under their provider's name, and a 429 with Retry-After is known to all."""
    db = await process()
    await watch(db)
    router = Router(house.providers, rate=1000, observer=house.notes, gate=Rates(db))
    house.first.will("POST", says({"status": 429}, 429, {"Retry-After": "1000"}))
    result = await router.develop(Colorize(), upload(), house.notes)
    result.close()
    assert house.posts == (1, 1)
    assert len(await turns(db, NAME)) == 1
    assert len(await turns(db, "provider picwish")) >= 2
    assert await Rates(await process()).take_one(NAME, 1000, 1.0) > 900
