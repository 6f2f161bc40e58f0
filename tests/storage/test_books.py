"""Periods, payments, people, overviews, and an audit that finds whatever does not add up."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import audit, jobs, ledger, overview, payments, people
from storage.database import Database
from storage.ledger import Terms
from storage.periods import KINDS, Kind, kind_of, period_of
from tests.databases import raw
from tests.storage.test_jobs import COLUMNS

ZONES = ("UTC", "Asia/Tehran", "America/New_York", "Pacific/Kiritimati", "Pacific/Niue", "Asia/Kathmandu")


@given(st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1)), st.sampled_from(KINDS), st.sampled_from(ZONES))  # noqa: DTZ001  any moment
def test_periods_follow_each_other(when: datetime, kind: Kind, zone: str) -> None:
    """Every moment is in one period, which ends at local midnight, where the next one with a later name begins."""
    moment = when.replace(tzinfo=UTC).timestamp()
    period = period_of(moment, kind, zone)
    end = period.renews_at.timestamp()
    assert moment < end <= moment + 32 * 86_400
    after = period_of(end, kind, zone)
    assert after.name > period.name
    assert period_of(end - 1, kind, zone) == period
    local = period.renews_at.astimezone(ZoneInfo(zone))
    assert (local.hour, local.minute) in {(0, 0), (1, 0)}  # 1:00 where the clock skips midnight


def test_names_of_periods() -> None:
    """A day, a week from Monday and a month have names of their own; no other word is a period."""
    moment = datetime(2026, 11, 20, 23, tzinfo=UTC).timestamp()
    assert [period_of(moment, kind).name for kind in KINDS] == ["2026-11-20", "2026-W47", "2026-11"]
    assert period_of(moment, "day", "Asia/Tehran").name == "2026-11-21"
    with pytest.raises(ValueError, match="year"):
        kind_of("year")


async def test_a_burst_then_a_steady_rate(db: Database) -> None:
    """So many at once, then one in each part of the span; a refusal takes no place."""
    rate = people.Rate(3, 60.0)
    async with db.begin() as conn:
        waits = [await people.wait_of(conn, 1, rate, now=1000.0) for _ in range(5)]
        assert waits == [0, 0, 0, 20, 20]
        assert await people.wait_of(conn, 1, rate, now=1020.0) == 0
        assert await people.wait_of(conn, 1, rate, now=1021.0) == 19
        assert await people.wait_of(conn, 2, rate, now=1021.0) == 0
        assert [await people.wait_of(conn, 1, rate, now=9000.0) for _ in range(4)] == [0, 0, 0, 20]


async def test_a_rate_by_the_clock_of_the_database(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the process may be wrong, and differ from another's; one that was set back stops nobody for long."""
    rate = people.Rate(1, 60.0)
    async with db.begin() as conn:
        with monkeypatch.context() as patched:
            patched.setattr("time.time", lambda: 9e9)
            assert await people.wait_of(conn, 1, rate) == 0
        assert await people.wait_of(conn, 1, rate) == pytest.approx(60, abs=50)
        assert await people.wait_of(conn, 1, rate, now=1000.0) == 0
        assert await people.wait_of(conn, 1, rate, now=1000.0) == 60


async def test_blocks_pauses_and_the_log(db: Database) -> None:
    """What an admin did stays done, and stands in the log once."""
    async with db.begin() as conn:
        for _ in range(2):
            await people.set_blocked(conn, 5, blocked=True)
            await people.set_paused(conn, "gptge", paused=True)
            await people.note_action(conn, 1, "/block 5", 5, "m1")
        assert await people.blocked(conn, 5)
        assert await people.blocked(conn, 4, 5)
        assert not await people.blocked(conn, 4)
        assert await people.all_paused(conn) == {"gptge"}
        assert [row["what"] for row in await people.newest_actions(conn, 9)] == ["/block 5"]
        await people.set_blocked(conn, 5, blocked=False)
        await people.set_paused(conn, "gptge", paused=False)
        assert not await people.blocked(conn, 5)
        assert not await people.all_paused(conn)


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("UPDATE balances SET used = 9", "used"),
        ("UPDATE balances SET granted = 9", "granted"),
        ("UPDATE balances SET bought = 9", "bought"),
        ("UPDATE spending SET credits = 9", "spending"),
        ("DELETE FROM balances", "balance of a chat"),
        ("UPDATE jobs SET state = 'failed'", "hold outliving its job"),
        ("DELETE FROM jobs", "hold outliving its job"),
        ("DELETE FROM payments WHERE charge_id = 'a'", "payment of a purchase"),
        ("UPDATE payments SET credits = 9 WHERE charge_id = 'a'", "payment of a purchase"),
        ("UPDATE ledger SET source = NULL WHERE kind = 'purchase'", "payment credited"),
        ("UPDATE payments SET refunded_at = 1 WHERE charge_id = 'a'", "payment refunded"),
        ("UPDATE payments SET refunded_at = NULL", "payment refunded"),
    ],
)
async def test_the_audit_finds(db: Database, sql: str, what: str) -> None:
    """Books that balance have no difference; each way to cook them is found."""
    terms = Terms(3)
    async with db.begin() as conn:
        job = await jobs.add(conn, **COLUMNS | {"chat_id": 1})
        assert job is not None
        await ledger.grant(conn, 1, 4, terms, by=1, source="g")
        await ledger.hold(conn, 1, job, 2, terms, user_id=8)
        for charge in "ab":
            await payments.credit(conn, 1, terms, charge_id=charge, user_id=8, credits=5, stars=5)
        await payments.reverse(conn, "b", terms)
        assert await audit.differences(conn) == []
        await raw(conn, sql)
        assert what in {each.what for each in await audit.differences(conn)}


async def test_figures(db: Database) -> None:
    """What happened since a moment is counted; what was before is not."""
    async with db.begin() as conn:
        empty = await overview.figures(conn, 0.0)
        assert (empty.photos, empty.share(0.5), empty.active_chats) == ({}, None, 0)
        for number, state in enumerate(("delivered", "delivered", "failed")):
            job = await jobs.add(conn, **COLUMNS | {"chat_id": number % 2, "source": f"m{number}", "state": state})
            assert job is not None
            await ledger.hold(conn, number % 2, job, 1, Terms(9))
            await (ledger.settle if state == "delivered" else ledger.release)(conn, job)
        await raw(conn, "UPDATE jobs SET updated_at = created_at + id, provider = 'gptge'")
        found = await overview.figures(conn, 1.0)
        assert sorted(found.photos.values()) == [1, 2]
        assert [round(found.share(part) or 0) for part in (0.0, 0.5, 0.95)] == [1, 2, 2]
        assert (found.credits["settle"], found.credits["release"], found.active_chats) == (2, 1, 2)
        assert await overview.spent_with_providers(conn, 1.0) == {"gptge": (2, 2)}
        assert (await overview.figures(conn, 9e12)).photos == {}
