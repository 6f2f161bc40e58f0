"""Albums on their way back: whole, in order, once, whatever dies in between; and results that are sent again."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.errors import NoFace
from imaging.operations import Cutout, Operation
from imaging.provider import Link
from jobs.albums import batches
from jobs.closing import ChatGoneError, ChatMovedError, UndeliverableError
from jobs.dispatch import Accepted, Refused
from jobs.job import Piece, Request, State
from storage import jobs as rows
from storage import results
from storage.albums import MOST
from storage.database import Database
from tests.databases import raw
from tests.jobs.support import Bench, request
from tests.jobs.test_delivery import job as make_job


@pytest.fixture
async def bench(db: Database) -> AsyncIterator[Bench]:
    bench = Bench(db)
    yield bench
    await bench.dispatch.stop(0)
    bench.runner.albums.close()


def album(count: int = 3, operation: Operation | None = None, source: str = "a1") -> list[Request]:
    return [request(place=place, source=source, album=99, operation=operation) for place in range(1, count + 1)]


async def ids(bench: Bench, made: Sequence[Request]) -> list[int]:
    """Accept requests but have nobody work on them yet."""
    return [await bench.job(one) for one in made]


async def states(bench: Bench) -> list[tuple[object, ...]]:
    async with bench.db.read() as conn:
        return await raw(conn, "SELECT state, told FROM jobs ORDER BY id")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
async def test_sent_together_in_order(bench: Bench, order: tuple[int, ...]) -> None:
    """Whoever is done first waits for the last; then all go in one call, in their order, to the message that asked."""
    jobs = await ids(bench, album())
    for number, place in enumerate(order):
        assert bench.telegram.albums == []
        await bench.work(jobs[place])
        assert len(bench.telegram.albums) == number // 2
    assert bench.telegram.albums == [jobs]
    assert bench.telegram.replies == [99]
    assert await states(bench) == [("delivered", 1)] * 3
    assert [await bench.money(each) for each in jobs] == [["hold", "settle"]] * 3


async def test_more_pictures_than_turns(db: Database) -> None:
    """Ten pictures in a chat with two turns: those that wait for the others hold no turn."""
    bench = Bench(db, chat_limit=2)
    accepted = await bench.desk.accept(album(10))
    assert isinstance(accepted, Accepted)
    await bench.quiet()
    assert bench.telegram.albums == [list(accepted.job_ids)]


async def test_what_fails_is_named_after_the_rest(bench: Bench) -> None:
    """The others come without it; then its number is told, and it costs nothing."""
    jobs = await ids(bench, album())
    await bench.work(jobs[0])
    bench.provider.troubles = [NoFace()]
    await bench.work(jobs[1])
    assert bench.telegram.told == []
    await bench.work(jobs[2])
    assert bench.telegram.albums == [[jobs[0], jobs[2]]]
    assert (bench.telegram.told, bench.telegram.numbers) == ([(7, "no_face", {})], [2])
    assert await states(bench) == [("delivered", 1), ("failed", 1), ("delivered", 1)]
    assert await bench.money(jobs[1]) == ["hold", "release"]


@pytest.mark.parametrize("fails", [False, True])
async def test_cut_short_anywhere(db: Database, fails: bool) -> None:  # noqa: FBT001  pytest's parameter
    """Whenever it dies, a restart ends every job of the album once, delivered and charged or told why not."""
    for at in range(40):
        bench = Bench(db)
        jobs = await ids(bench, album(source=f"a{at}"))
        for part in (bench.telegram, bench.provider):
            part.crash = bench.telegram.crash
        bench.telegram.crash.at = at
        if fails:
            bench.provider.troubles = [NoFace()]
        for each in jobs:
            await bench.work(each)
        bench.runner.albums.close()
        crashed = bench.telegram.crash.passed > at
        bench.telegram.crash.at = None
        second = bench.make_runner()
        for each in jobs:
            await bench.work(each, second)
        ends = [await bench.row(each, "state", "told") for each in jobs]
        assert sorted(ends) == sorted([("failed" if fails else "delivered", 1), *[("delivered", 1)] * 2]), at
        assert [len(await bench.money(each)) for each in jobs] == [2] * 3, at
        assert len({each for _, each in bench.telegram.sent}) == 3 - fails, at
        if not crashed:
            return
    raise AssertionError("more points than expected")


async def test_one_by_one_when_telegram_refuses_the_album(bench: Bench) -> None:
    """When Telegram does not take them together, each is sent alone."""
    jobs = await ids(bench, album(2))
    bench.telegram.troubles = [UndeliverableError()]
    for each in jobs:
        await bench.work(each)
    assert bench.telegram.albums == [[jobs[0]], [jobs[1]]]
    assert await states(bench) == [("delivered", 1)] * 2


@pytest.mark.parametrize(("trouble", "told"), [(ChatGoneError(), 0), (ZeroDivisionError(), 2)])
async def test_nothing_reaches_the_chat(bench: Bench, trouble: Exception, told: int) -> None:
    """A chat that is gone ends all jobs quietly, anything else with words; nobody pays."""
    jobs = await ids(bench, album(2))
    bench.telegram.troubles = [trouble]
    for each in jobs:
        await bench.work(each)
    assert await states(bench) == [("failed", 1)] * 2
    assert len(bench.telegram.told) == told
    assert [await bench.money(each) for each in jobs] == [["hold", "release"]] * 2


async def test_the_group_moved_meanwhile(bench: Bench) -> None:
    """An album whose group became a supergroup goes there, answering nothing."""
    jobs = await ids(bench, album(2))
    bench.telegram.troubles = [ChatMovedError(-100)]
    for each in jobs:
        await bench.work(each)
    assert bench.telegram.sent == [(-100, each) for each in jobs]
    assert bench.telegram.replies == [None]
    assert await states(bench) == [("delivered", 1)] * 2


async def test_given_up_in_the_middle(db: Database) -> None:
    """Cancelling a request ends what is done, under way and waiting; nothing is sent and nothing charged."""
    bench = Bench(db, chat_limit=1)
    bench.provider.up.clear()
    accepted = await bench.desk.accept(album())
    assert isinstance(accepted, Accepted)
    while not bench.provider.up._waiters:  # there is no other way to see who waits
        await asyncio.sleep(0)
    bench.provider.up.set()
    bench.provider.up.clear()
    while accepted.job_ids[0] in bench.dispatch._tasks:
        await asyncio.sleep(0)
    assert (await states(bench))[0] == (State.DELIVERING, 0)
    assert await bench.desk.cancel_request(accepted.job_ids[1]) == 3
    await bench.quiet()
    assert await states(bench) == [("cancelled", 1)] * 3
    assert bench.telegram.sent == []
    assert await bench.desk.cancel_request(accepted.job_ids[1]) == 0


async def test_too_late_to_give_up(bench: Bench) -> None:
    """What is on its way to the chat is not cancelled."""
    bench.telegram.up.clear()
    accepted = await bench.desk.accept(album(2))
    assert isinstance(accepted, Accepted)
    while not bench.telegram.up._waiters:  # there is no other way to see who waits
        await asyncio.sleep(0)
    assert [state for state, _ in await states(bench)] == [State.DELIVERING] * 2
    assert await bench.desk.cancel_request(accepted.job_ids[0]) == 0
    bench.telegram.up.set()
    await bench.quiet()
    assert await states(bench) == [("delivered", 1)] * 2


async def test_covered_by_the_credits(db: Database) -> None:
    """A refused album says how many of its pictures the credits would cover, and holds nothing."""
    bench = Bench(db, allowance=5)
    refused = await bench.desk.accept(album(3, Cutout()))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.covered) == ("quota", 2)
    assert await states(bench) == []


async def test_the_same_wish_again_is_sent_from_telegram(bench: Bench) -> None:
    """What was made before is sent again without work or charge; `fresh`, another wish or picture is work."""
    first = await bench.job(request(unique="u"))
    await bench.work(first)
    second = await bench.job(request(unique="u", source="m2"))
    await bench.work(second)
    assert await bench.row(second, "state", "reuse") == ("delivered", f'[["photo", "sent{first}"]]')
    assert await bench.money(second) == []
    assert len(bench.provider.tasks) == 1
    others = [
        request(unique="u", source="m3", fresh=True),
        request(unique="u", source="m4", operation=Cutout()),
        request(unique="v", source="m5"),
        request(unique="", source="m6"),
    ]
    for one in others:
        await bench.work(await bench.job(one))
    assert len(bench.provider.tasks) == 1 + len(others)


async def test_a_repeat_waits_for_nobody(db: Database) -> None:
    """What Telegram has is sent at once, however many others wait for their turns."""
    bench = Bench(db, limit=1, chat_limit=1)
    await bench.desk.accept([request(unique="u")])
    await bench.quiet()
    bench.provider.up.clear()
    for source in ("m2", "m3"):
        await bench.desk.accept([request(source=source)])
    repeated = await bench.desk.accept([request(unique="u", source="m4")])
    assert isinstance(repeated, Accepted)
    while await bench.row(repeated.job_ids[0], "state") != ("delivered",):
        await asyncio.sleep(0)
    bench.provider.up.set()
    await bench.quiet()
    assert len(bench.telegram.sent) == 4
    assert bench.provider.most == 1


async def test_a_file_telegram_forgot(bench: Bench) -> None:
    """When Telegram does not know the earlier file any more the picture is developed again, at our cost."""
    await bench.work(await bench.job(request(unique="u")))
    job = await bench.job(request(unique="u", source="m2"))
    bench.telegram.troubles = [UndeliverableError()]
    await bench.work(job)
    assert await bench.row(job, "state", "reuse") == ("delivered", None)
    assert await bench.money(job) == []
    bench.telegram.troubles = [UndeliverableError()]
    bench.provider.troubles = [NoFace()]
    job = await bench.job(request(unique="u", source="m3"))
    await bench.work(job)
    assert bench.telegram.told == [(7, "no_face", {})]


async def test_results_are_forgotten_in_time(db: Database) -> None:
    """After 30 days a result is neither found nor kept."""
    async with db.begin() as conn:
        await results.put(conn, "u", "colorize", "{}", "[]")
        assert await results.find(conn, "u", "colorize", "{}") == "[]"
        await raw(conn, "UPDATE results SET at = at - ?", results.KEEP_SECONDS)
        assert await results.find(conn, "u", "colorize", "{}") is None
        await results.prune(conn, 1e12)
        assert await raw(conn, "SELECT * FROM results") == []


async def test_a_link_is_not_fetched_by_us(bench: Bench) -> None:
    """The provider gets a link as it is; Telegram is not asked for a file."""
    made = request()
    link = type(made.picture)("https://example.org/a.jpg", "", "link")
    job = await bench.job(request(source="m2"))
    async with bench.db.begin() as conn:
        await rows.update(conn, job, file_id=link.file_id, file_kind="link")
    bench.telegram.photo = b"not asked for"
    await bench.work(job)
    assert bench.provider.uploads == [Link("https://example.org/a.jpg")]
    assert await bench.row(job, "state") == ("delivered",)


@given(st.lists(st.tuples(st.sampled_from(["photo", "document"]), st.integers(min_value=1, max_value=2)), max_size=25))
def test_batches(looks: list[tuple[str, int]]) -> None:
    """Every piece is sent once, in order, with its like, and no album has more than Telegram takes."""
    pieces = [Piece(make_job(id=number)) for number in range(len(looks))]
    made = list(batches(pieces, lambda piece: looks[piece.job.id]))
    assert sorted(piece.job.id for batch in made for piece in batch) == list(range(len(looks)))
    for kind in ("photo", "document"):
        sent = [piece.job.id for batch in made for piece in batch if looks[piece.job.id][0] == kind]
        assert sent == sorted(sent)
    for batch in made:
        assert batch
        assert len({looks[piece.job.id][0] for piece in batch}) == 1
        assert sum(looks[piece.job.id][1] for piece in batch) <= MOST
