"""One job's work: every way it can end, and every moment it can be cut short at."""

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from imaging.errors import Busy, GaveUp, NoFace, PictureTooLarge
from imaging.routing import Resume
from jobs.checkpoints import Checkpoints
from jobs.closing import ChatGoneError, ChatMovedError, UndeliverableError
from jobs.job import Job
from jobs.runner import EPOCHS_LIMIT, UNKNOWN_LIMIT
from storage import jobs as rows
from storage import ledger
from storage.database import Database
from tests.databases import raw
from tests.jobs.support import Bench, picture, request


@pytest.fixture
def bench(db: Database) -> Bench:
    return Bench(db)


async def test_delivered_and_charged(bench: Bench) -> None:
    """The plain way: one submission, one reply to the message, one charge."""
    job = await bench.job()
    await bench.work(job)
    assert bench.telegram.sent == [(7, job)]
    assert bench.telegram.replies == [1]
    assert bench.provider.asked == [None]
    assert await bench.row(job, "state", "told", "submits", "provider") == ("delivered", 1, 1, "gptge")
    assert await bench.money(job) == ["hold", "settle"]
    assert bench.counts.ended == {("gptge", "delivered"): 1}
    assert (bench.counts.charged, bench.counts.duplicates) == (1, 0)
    assert bench.counts.stages == {"fetch": 1, "develop": 1, "deliver": 1}
    assert bench.provider.results[0].files[0].file.closed


async def test_the_person_is_told_what_was_changed(bench: Bench) -> None:
    """A GIF is converted for the provider; the note about it reaches the delivery."""
    bench.telegram.photo = picture("GIF")
    job = await bench.job()
    await bench.work(job)
    assert bench.telegram.changes


async def test_nothing_to_do(bench: Bench) -> None:
    """A job that ended, or never was, is not worked on."""
    job = await bench.job()
    await bench.work(job)
    assert await bench.runner.work(job) is None
    assert await bench.runner.work(404) is None
    assert len(bench.telegram.sent) == 1


@pytest.mark.parametrize(("submits", "state"), [(UNKNOWN_LIMIT - 1, "delivered"), (UNKNOWN_LIMIT, "failed")])
async def test_an_upload_that_always_ends_the_bot_is_not_paid_for_forever(
    bench: Bench, submits: int, state: str
) -> None:
    """A job that many starts in a row met in its upload is given up in words, and nothing is charged."""
    job = await bench.job()
    async with bench.db.begin() as conn:
        await rows.update(conn, job, state="submitting", provider="gptge", submits=submits)
    await bench.work(job)
    assert await bench.row(job, "state") == (state,)
    assert [code for _, code, _ in bench.telegram.told] == (["outcome_unknown"] if state == "failed" else [])


def gave_up(cause: Exception | None) -> GaveUp:
    error = GaveUp("in vain")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("trouble", "code", "params"),
    [
        (NoFace(), "no_face", {}),
        (PictureTooLarge(megabytes=20), "picture_too_large", {"megabytes": 20}),
        (gave_up(Busy()), "busy", {}),
        (gave_up(None), "gave_up", {}),
        (ZeroDivisionError(), "internal", {}),
    ],
)
async def test_a_failure_is_told_and_costs_nothing(
    bench: Bench, trouble: Exception, code: str, params: dict[str, str | int]
) -> None:
    """Whatever breaks, the person hears of it, what was held is given back, and only our own errors log a trace."""
    bench.provider.troubles = [trouble]
    job = await bench.job()
    with capture_logs() as logs:
        await bench.work(job)
    assert [(one["why"], bool(one["exc_info"])) for one in logs if one["event"] == "job failed"] == [
        (str(trouble), code == "internal")
    ]
    assert bench.telegram.told == [(7, code, params)]
    assert await bench.row(job, "state", "error", "told") == ("failed", code, 1)
    assert await bench.money(job) == ["hold", "release"]
    assert bench.counts.ended == {("gptge", code): 1}


async def test_an_original_that_is_no_picture(bench: Bench) -> None:
    """The picture is opened before anything is paid for."""
    bench.telegram.photo = b"not a picture"
    job = await bench.job()
    await bench.work(job)
    assert [code for _, code, _ in bench.telegram.told] == ["not_a_picture"]
    assert bench.provider.asked == []


async def test_too_long(bench: Bench) -> None:
    """The work is bounded; the person hears that it took too long."""
    bench.provider.up.clear()
    job = await bench.job()
    await bench.work(job, bench.make_runner(work_seconds=0.05))
    assert bench.telegram.told == [(7, "timeout", {})]
    assert await bench.money(job) == ["hold", "release"]


async def test_downtime_is_not_counted(bench: Bench) -> None:
    """A job that was down for a day goes on with the time it had left; one that had used it up has none."""
    fresh, used = await bench.job(), await bench.job(request(place=1))
    async with bench.db.begin() as conn:
        await raw(conn, "UPDATE jobs SET created_at = created_at - 86400, updated_at = updated_at - 86400")
        await rows.update(conn, fresh, worked=1.0)
        await rows.update(conn, used, worked=30.0)
    await bench.work(fresh)
    await bench.work(used)
    assert (await bench.row(fresh, "state"), await bench.row(used, "state", "error")) == (
        ("delivered",),
        ("failed", "timeout"),
    )


async def test_worked_is_carried_over(bench: Bench) -> None:
    """Each checkpoint writes down the seconds of work, and the next run adds to them."""
    job = await bench.job()
    async with bench.db.begin() as conn:
        await rows.update(conn, job, worked=20.0)
    await bench.work(job)
    (worked,) = await bench.row(job, "worked")
    assert isinstance(worked, float)
    assert 20.0 < worked < 30.0


@pytest.mark.parametrize("stage", ["fetch", "deliver", "tell"])
async def test_a_chat_that_is_gone_ends_quietly(bench: Bench, stage: str) -> None:
    """A blocked bot is no news to anybody: nothing is charged and nothing more is sent, now or at the next start."""
    if stage == "tell":
        bench.provider.troubles = [NoFace()]
    bench.telegram.troubles = [ChatGoneError("blocked")]
    job = await bench.job()
    if stage == "fetch":
        async with bench.db.begin() as conn:
            await rows.update(conn, job, file_id="gone")
    await bench.work(job)
    assert not bench.telegram.sent
    assert not bench.telegram.told
    assert await bench.row(job, "state", "told", "error") == (
        "failed",
        1,
        "no_face" if stage == "tell" else "chat_gone",
    )
    assert await bench.money(job) == ["hold", "release"]
    async with bench.db.read() as conn:
        assert await rows.unfinished(conn) == []


async def test_a_chat_that_moved(bench: Bench) -> None:
    """Result and bill follow the group into its supergroup, where the message replied to has no number."""
    bench.telegram.troubles = [ChatMovedError(-1007)]
    job = await bench.job()
    await bench.work(job)
    assert bench.telegram.sent == [(-1007, job)]
    assert bench.telegram.replies == [None]
    assert await bench.row(job, "state", "chat_id") == ("delivered", -1007)
    async with bench.db.read() as conn:
        assert (await ledger.quota(conn, -1007, bench.terms)).used == 1


async def test_a_failure_in_a_chat_that_moved(bench: Bench) -> None:
    """What went wrong is told in the new chat too."""
    bench.provider.troubles, bench.telegram.troubles = [NoFace()], [ChatMovedError(-1007)]
    job = await bench.job()
    await bench.work(job)
    assert bench.telegram.told == [(-1007, "no_face", {})]


@pytest.mark.parametrize(
    ("trouble", "code"), [(UndeliverableError("no rights"), "undeliverable"), (OSError(), "internal")]
)
async def test_a_result_that_telegram_refuses(bench: Bench, trouble: Exception, code: str) -> None:
    """It is not tried for ever: the person hears of it and pays nothing."""
    bench.telegram.troubles = [trouble]
    job = await bench.job()
    await bench.work(job)
    assert bench.telegram.told == [(7, code, {})]
    assert await bench.money(job) == ["hold", "release"]
    assert bench.provider.results[0].files[0].file.closed


@pytest.mark.parametrize("fails", [False, True])
async def test_cut_short_anywhere(bench: Bench, fails: bool) -> None:  # noqa: FBT001  a parameter of pytest's
    """Die at every point outside in turn, start again: one charge or none; twice submitted only if unknown."""
    provider, telegram = bench.provider, bench.telegram
    crash = provider.crash = telegram.crash
    for at in range(99):
        job = await bench.job(request(place=at))
        submitted, sent, told = len(provider.tasks), len(telegram.sent), len(telegram.told)
        crash.at, crash.passed = at, 0
        provider.troubles = [NoFace()] if fails else []
        await bench.work(job)
        died = crash.passed == at + 1
        state, task_id = await bench.row(job, "state", "task_id")
        crash.at = None
        provider.troubles = [NoFace()] if fails and state != "failed" else []
        if died:
            await bench.work(job, bench.make_runner())

        assert await bench.money(job) == ["hold", "release" if fails else "settle"], at
        assert len(provider.tasks) - submitted in ((1, 2) if state == "submitting" else (1,)), at
        if state == "submitted":
            assert provider.asked[-1] == Resume("gptge", str(task_id)), at
        assert 1 <= len(telegram.sent) - sent + len(telegram.told) - told <= 1 + died, at
        assert await bench.row(job, "told") == (1,), at
        if not died:
            break
    assert 7 <= at < 98


async def test_cancelled_anywhere_inside(bench: Bench) -> None:
    """The same with a cancellation at any step of the loop, database writes included."""
    for number in range(40):
        job = await bench.job(request(place=number))
        sent = len(bench.telegram.sent)
        task = asyncio.create_task(bench.work(job))
        for _ in range(number * 3):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        (state,) = await bench.row(job, "state")
        tasks = len(bench.provider.tasks)
        await bench.work(job, bench.make_runner())
        assert await bench.money(job) == ["hold", "settle"]
        assert 1 <= len(bench.telegram.sent) - sent <= 2
        if state in {"submitted", "delivering", "delivered"}:
            assert len(bench.provider.tasks) == tasks


async def test_a_failure_not_told_yet_is_told_after_a_restart(bench: Bench) -> None:
    """The hold was released with the failure; only the sentence is missing, with its numbers."""
    bench.provider.troubles = [PictureTooLarge(megabytes=20)]
    job = await bench.job()
    await bench.runner.work(job)
    assert await bench.row(job, "state", "told") == ("failed", 0)
    async with bench.db.read() as conn:
        assert await rows.unfinished(conn) == [(job, 7)]
    await bench.work(job, bench.make_runner())
    assert bench.telegram.told == [(7, "picture_too_large", {"megabytes": 20})]
    assert await bench.money(job) == ["hold", "release"]
    assert sum(bench.counts.ended.values()) == 1


async def test_a_delivery_perhaps_made_is_counted(bench: Bench) -> None:
    """Dying between Telegram's yes and ours means a second delivery, which the operator can count."""
    job = await bench.job()
    bench.telegram.crash.at = 2  # after the fetch and before the delivery: right after it
    await bench.work(job)
    assert await bench.row(job, "state") == ("delivering",)
    bench.telegram.crash.at = None
    await bench.work(job, bench.make_runner())
    assert len(bench.telegram.sent) == 2
    assert bench.counts.duplicates == 1
    assert bench.counts.charged == 1


async def test_delivery_has_an_end(bench: Bench) -> None:
    """A chat out of reach for too long gets nothing and pays nothing."""
    bench.telegram.up.clear()
    job = await bench.job()
    await bench.work(job, bench.make_runner(deliver_seconds=0.05))
    assert await bench.row(job, "state", "error", "told") == ("failed", "chat_gone", 1)
    assert await bench.money(job) == ["hold", "release"]


async def test_the_window_is_over_but_one_try_is_left(bench: Bench) -> None:
    """A result found after two days of downtime is sent all the same, and a redone task does not lose its state."""
    job = await bench.job()
    async with bench.db.begin() as conn:
        await rows.update(conn, job, state="delivering", provider="gptge", task_id=None, worked=1000.0)
        await raw(conn, "UPDATE jobs SET updated_at = ?", time.time() - 2 * 86_400)
    bench.telegram.up.clear()
    asyncio.get_running_loop().call_later(0.05, bench.telegram.up.set)  # an answer takes its moment
    await bench.work(job, bench.make_runner(deliver_seconds=86_400))
    assert bench.telegram.sent == [(7, job)]
    assert await bench.row(job, "state") == ("delivered",)


async def test_developed_anew_it_is_still_on_its_way(bench: Bench) -> None:
    """A job whose result was here once keeps its state while it is redone: the time to deliver it runs on."""
    job = await bench.job()
    async with bench.db.begin() as conn:
        await rows.update(conn, job, state="delivering", provider="gptge", task_id=None)
    bench.provider.crash.at = 1  # after the intent to submit was written down
    await bench.work(job)
    assert await bench.row(job, "state", "submits") == ("delivering", 1)


async def test_words_that_nobody_can_say(bench: Bench) -> None:
    """A failure that no process could tell ends in silence, and is not tried for ever."""
    job = await bench.job()
    async with bench.db.begin() as conn:
        await raw(conn, "UPDATE jobs SET state = 'failed', error = 'no_face', epoch = ?", EPOCHS_LIMIT)
    await bench.work(job)
    assert await bench.row(job, "state", "told") == ("failed", 1)
    assert bench.telegram.told == []
    assert await bench.money(job) == ["hold", "release"]


async def test_unsubmitted_means_nothing_is_pending(bench: Bench) -> None:
    """What a provider surely did not take is begun anew by the next process, and so is the count of submissions."""
    job = await bench.job()
    bench.provider.refuses = True
    await bench.work(job)
    assert await bench.row(job, "state", "provider", "submits") == ("accepted", None, 0)
    bench.provider.refuses = False
    await bench.work(job, bench.make_runner())
    assert bench.provider.asked == [None, None]
    assert await bench.row(job, "state", "submits") == ("delivered", 1)


async def test_submissions_in_a_row_are_counted(bench: Bench) -> None:
    """One whose outcome is known ends the row, in the same process as well."""
    job = await bench.job()
    async with bench.db.read() as conn:
        row = await rows.get(conn, job)
    assert row is not None
    checkpoints = Checkpoints(bench.db, Job.of(row), bench.make_runner()._watcher)
    for _ in range(2):
        await checkpoints.submitting("gptge")
    assert await bench.row(job, "submits") == (2,)
    await checkpoints.unsubmitted()
    await checkpoints.submitting("picwish")
    assert await bench.row(job, "submits", "provider") == (1, "picwish")


async def test_cancel(bench: Bench) -> None:
    """A job given up costs nothing and is over; one that ended, or never was, cannot be given up."""
    job = await bench.job()
    assert await bench.runner.cancel(job)
    assert await bench.row(job, "state", "told") == ("cancelled", 1)
    assert await bench.money(job) == ["hold", "release"]
    assert not await bench.runner.cancel(job)
    assert not await bench.runner.cancel(404)
    assert await bench.runner.work(job) is None
