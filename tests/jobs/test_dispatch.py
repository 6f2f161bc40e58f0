"""Desk and dispatch: all or nothing, fair between chats, bounded, and cancellable at every wait."""

import asyncio

import pytest
from structlog.typing import EventDict

from imaging.errors import NoFace
from imaging.operations import Cutout
from jobs.dispatch import Accepted, Refused
from jobs.job import Request, State
from storage import jobs as rows
from storage import ledger
from storage.database import Database
from tests.databases import raw
from tests.jobs.support import Bench, request


@pytest.fixture
def bench(db: Database) -> Bench:
    return Bench(db)


async def accept(bench: Bench, *requests: Request) -> tuple[int, ...]:
    accepted = await bench.desk.accept(requests)
    assert isinstance(accepted, Accepted)
    return accepted.job_ids


async def until(condition: object) -> None:
    """Let the loop run until the condition holds."""
    assert callable(condition)
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


async def test_accepted_once(bench: Bench) -> None:
    """The same message again makes no job and costs nothing; another press does."""
    assert len(await accept(bench, request(), request(place=1))) == 2
    assert await accept(bench, request(), request(place=1)) == ()
    assert len(await accept(bench, request(source="c9"))) == 1
    await bench.quiet()
    assert bench.counts.charged == 3


async def test_all_or_nothing(db: Database) -> None:
    """Three photos on credits for two: none is begun, nothing is held, and the words have their numbers."""
    bench = Bench(db, allowance=2)
    refused = await bench.desk.accept([request(place=place) for place in range(3)])
    assert isinstance(refused, Refused)
    assert refused.code == "quota"
    assert (refused.params["left"], refused.params["cost"]) == (0, 1)
    async with db.read() as conn:
        for table in ("jobs", "ledger", "balances"):
            assert await raw(conn, f"SELECT * FROM {table}") == []  # noqa: S608  ours
    assert bench.dispatch.working == bench.dispatch.depth == 0


async def test_twelve_at_once_on_three(db: Database) -> None:
    """Twelve photos at the same moment, an allowance of three: exactly three are done."""
    bench = Bench(db, allowance=3)
    answers = await asyncio.gather(*(bench.desk.accept([request(place=place)]) for place in range(12)))
    await bench.quiet()
    assert sum(isinstance(answer, Accepted) for answer in answers) == 3
    assert len(bench.telegram.sent) == bench.counts.charged == 3


async def test_each_operation_has_its_price(bench: Bench) -> None:
    """What an operation costs is settled by its name."""
    await accept(bench, request(operation=Cutout()))
    await bench.quiet()
    assert bench.counts.charged == 2


async def test_the_spend_cap_refuses(bench: Bench) -> None:
    """The operator's cap has its own words."""
    bench.desk._terms = ledger.Terms(100, spend_cap=0)
    refused = await bench.desk.accept([request()])
    assert isinstance(refused, Refused)
    assert refused.code == "spend_cap"


async def test_a_chat_has_only_so_many_jobs(bench: Bench) -> None:
    """A chat cannot fill the queue."""
    bench.provider.up.clear()
    await accept(bench, *(request(place=place) for place in range(60)))
    refused = await bench.desk.accept([request(place=60)])
    assert isinstance(refused, Refused)
    assert (refused.code, refused.params) == ("too_many_jobs", {"n": 60})
    await bench.dispatch.stop(0)


async def test_a_chat_with_fifty_does_not_delay_a_chat_with_one(db: Database) -> None:
    """Chats take turns: the one photo is the second to be begun after it came."""
    bench = Bench(db, limit=1)
    bench.provider.up.clear()
    await accept(bench, *(request(1, place) for place in range(50)))
    await until(lambda: bench.provider.at_once)
    (single,) = await accept(bench, request(2))
    assert bench.dispatch.depth == 50
    bench.provider.up.set()
    await bench.quiet()
    order = [job for _, job in bench.telegram.sent]
    assert len(order) == 51
    assert order.index(single) <= 2


async def test_limits(db: Database) -> None:
    """So many are worked on over all, so many of one chat; the others wait and are all done."""
    bench = Bench(db, limit=5, chat_limit=2)
    await accept(bench, *(request(1, place) for place in range(9)))
    bench.provider.up.clear()
    await until(lambda: bench.provider.at_once == 2)
    assert (bench.dispatch.working, bench.dispatch.depth) == (2, 7)
    for chat in (2, 3, 4):
        await accept(bench, *(request(chat, place) for place in range(2)))
    await until(lambda: bench.provider.at_once == 5)
    bench.provider.up.set()
    await bench.quiet()
    assert bench.provider.most == 5
    assert len(bench.telegram.sent) == 15
    assert (bench.dispatch._free, bench.dispatch._busy, bench.dispatch._stoppable) == (5, {}, {})


async def test_sending_takes_no_slot(db: Database) -> None:
    """While Telegram is away for one chat the work of others goes on; the chat itself waits."""
    bench = Bench(db, limit=1, chat_limit=1)
    bench.telegram.up.clear()
    await accept(bench, request(1), request(1, 1))
    await accept(bench, request(2))
    await until(lambda: len(bench.provider.results) == 2)
    assert (bench.dispatch.working, bench.dispatch.depth) == (2, 1)
    bench.telegram.up.set()
    await bench.quiet()
    assert len(bench.telegram.sent) == 3


async def test_cancelled_while_waiting(db: Database) -> None:
    """A job that never had its turn is given up, and the queue goes on behind it."""
    bench = Bench(db, limit=1)
    bench.provider.up.clear()
    first, second, third = await accept(bench, *(request(1, place) for place in range(3)))
    (other,) = await accept(bench, request(2))
    await until(lambda: bench.provider.at_once)
    for job in (other, second, third):
        assert await bench.desk.cancel(job)
    assert bench.dispatch.depth == 0
    (last,) = await accept(bench, request(3))
    bench.provider.up.set()
    await bench.quiet()
    assert bench.telegram.sent == [(1, first), (3, last)]
    assert await bench.money(second) == await bench.money(other) == ["hold", "release"]


async def test_cancelled_before_its_first_step(db: Database) -> None:
    """A job cancelled in the moment it was enqueued gives its slot back."""
    bench = Bench(db, limit=1)
    job = await bench.job()
    bench.dispatch.enqueue(7, job)
    assert await bench.dispatch.cancel(job)
    await accept(bench, request(place=1))
    await bench.quiet()
    assert len(bench.telegram.sent) == 1
    assert await bench.row(job, "state") == ("cancelled",)


async def test_cancelled_while_working(bench: Bench) -> None:
    """A job in the provider's hands is given up at once and costs nothing."""
    bench.provider.up.clear()
    (job,) = await accept(bench, request())
    await until(lambda: bench.provider.at_once)
    assert await bench.desk.cancel(job)
    assert await bench.row(job, "state", "told") == ("cancelled", 1)
    assert await bench.money(job) == ["hold", "release"]
    assert (bench.dispatch.working, bench.provider.at_once) == (0, 0)


@pytest.mark.parametrize("steps", range(5))
async def test_cancelled_while_failing(bench: Bench, steps: int) -> None:
    """A job given up in the moment its failure is written down ends in either, and its chat hears of a failure."""
    bench.provider.troubles = [NoFace()]
    (job,) = await accept(bench, request())
    while bench.provider.troubles:
        await asyncio.sleep(0)
    for _ in range(steps):
        await asyncio.sleep(0)
    pressed = await asyncio.gather(bench.desk.cancel(job), bench.desk.cancel(job))
    await bench.quiet()
    assert await bench.row(job, "state", "told") == ("cancelled" if any(pressed) else "failed", 1)
    assert len(bench.telegram.told) == (not any(pressed))
    assert await bench.money(job) == ["hold", "release"]
    assert (bench.dispatch._free, bench.dispatch._busy) == (16, {})


async def test_not_cancelled_while_delivering(bench: Bench) -> None:
    """A result on its way to the chat arrives and is charged; one that arrived cannot be given up either."""
    bench.telegram.up.clear()
    (job,) = await accept(bench, request())
    await until(lambda: bench.provider.results and not bench.dispatch._stoppable)
    assert not await bench.desk.cancel(job)
    bench.telegram.up.set()
    await bench.quiet()
    assert not await bench.desk.cancel(job)
    assert await bench.money(job) == ["hold", "settle"]


@pytest.mark.parametrize("waiting", [True, False])
async def test_not_cancelled_what_may_be_in_its_chat(db: Database, *, waiting: bool) -> None:
    """After a crash while a result was sent nobody knows whether it came: it is sent, charged and not given up."""
    bench = Bench(db, limit=1)
    bench.provider.up.clear()
    (other,) = await accept(bench, request(1)) if waiting else (0,)
    job = await bench.job()
    await db.transact(lambda conn: rows.update(conn, job, state=State.DELIVERING, provider="gptge", task_id="t"))
    bench.dispatch.enqueue(7, job)
    await until(lambda: bench.provider.at_once and bench.dispatch.depth == waiting)
    assert not await bench.desk.cancel_request(job)
    assert not await bench.desk.cancel(job)
    bench.provider.up.set()
    await bench.quiet()
    assert sorted(bench.telegram.sent) == [(1, other)] * waiting + [(7, job)]
    assert await bench.money(job) == ["hold", "settle"]
    assert (bench.dispatch._free, bench.dispatch._busy) == (1, {})


async def test_stop_waits_for_what_is_nearly_done(bench: Bench) -> None:
    """Within the grace jobs end; nothing new is begun."""
    bench.provider.up.clear()
    (job,) = await accept(bench, request())
    await until(lambda: bench.provider.at_once)
    stopping = asyncio.create_task(bench.dispatch.stop(60))
    await asyncio.sleep(0)
    (late,) = await accept(bench, request(place=1))
    bench.provider.up.set()
    await stopping
    assert [one for _, one in bench.telegram.sent] == [job]
    assert await bench.row(late, "state") == ("accepted",)


async def test_stop_leaves_the_rest_to_the_next_start(bench: Bench) -> None:
    """What is not done in time keeps its checkpoint and is taken up by the next process."""
    await bench.dispatch.stop(0)
    bench = Bench(bench.db)
    bench.provider.up.clear()
    (job,) = await accept(bench, request())
    await until(lambda: bench.provider.tasks and bench.provider.at_once)
    await bench.dispatch.stop(0.01)
    assert bench.dispatch.working == 0
    assert await bench.row(job, "state") == ("submitted",)
    bench.provider.up.set()
    await bench.work(job)
    assert len(bench.provider.tasks) == 1
    assert await bench.money(job) == ["hold", "settle"]


async def test_stop_lets_results_arrive_that_are_on_their_way(bench: Bench) -> None:
    """What is being sent has longer than what is being developed: cut off, it would be sent twice."""
    bench.telegram.up.clear()
    (sent,) = await accept(bench, request())
    await until(lambda: bench.telegram.up._waiters)
    bench.provider.up.clear()
    (developed,) = await accept(bench, request(place=1))
    await until(lambda: bench.provider.at_once)
    stopping = asyncio.create_task(bench.dispatch.stop(0.01, 60))
    await until(lambda: not bench.provider.at_once)
    assert bench.dispatch.working == 1
    bench.telegram.up.set()
    await stopping
    assert bench.telegram.sent == [(7, sent)]
    assert await bench.row(sent, "state") == ("delivered",)
    assert await bench.row(developed, "state") == ("submitted",)


async def test_after_the_stop_nothing_is_begun(bench: Bench) -> None:
    """Not even what Telegram has already, and what else would wait for nobody."""
    await accept(bench, request(unique="u"))
    await bench.quiet()
    await bench.dispatch.stop(0)
    (repeated,) = await accept(bench, request(unique="u", source="m2"))
    assert (bench.dispatch.working, bench.dispatch.has(repeated)) == (0, True)


async def test_a_job_that_is_over_leaves_nothing_to_do(bench: Bench) -> None:
    """A job enqueued although it was given up takes a turn and gives it back."""
    job = await bench.job()
    assert await bench.dispatch.cancel(job)
    bench.dispatch.enqueue(7, job)
    await bench.quiet()
    assert bench.telegram.sent == []
    assert bench.dispatch._free == 16


async def test_a_job_nobody_can_read_stops_nothing(bench: Bench, logs: list[EventDict]) -> None:
    """A row that this version cannot read is logged, ended and paid back; the next job is done."""
    broken = await bench.job()
    async with bench.db.begin() as conn:
        await raw(conn, "UPDATE jobs SET operation = 'develop_film'")
    bench.dispatch.enqueue(7, broken)
    await accept(bench, request(place=1))
    await bench.quiet()
    assert len(bench.telegram.sent) == 1
    assert "a job nobody can read" in [event["event"] for event in logs]
    assert await bench.money(broken) == ["hold", "release"]
