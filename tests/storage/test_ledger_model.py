"""The ledger against a simple model, under any order of events; the books balance after every one of them."""

import asyncio
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from storage import chats, ledger
from storage.database import Connection, Database
from storage.ledger import UNLIMITED, Terms
from tests.databases import raw

DAY = 86_400.0
CHATS = st.integers(1, 3)
JOBS = st.integers(1, 12)
T = TypeVar("T")


@dataclass
class Held:
    """A hold as the model sees it."""

    chat: int
    free: int
    bought: int
    day: int
    open: bool = True


class Books(RuleBasedStateMachine):
    """The program's ledger beside a model of dictionaries."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        path = shutil.copy(self.template, Path(self.folder.name) / "books.db")
        self.db = self.loop.run(Database.open(f"sqlite:///{path}", own=False))
        self.loop.run(self.db._writer.execute_fetchall("PRAGMA synchronous=OFF"))
        self.day = 20_000
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(ledger, "time", SimpleNamespace(time=lambda: self.day * DAY + 5))
        self.own: dict[int, int | None] = {}
        self.used: Counter[tuple[int, int]] = Counter()
        self.bought: Counter[int] = Counter()
        self.spent: Counter[int] = Counter()
        self.jobs: dict[int, Held] = {}
        self.sources: set[str] = set()

    def teardown(self) -> None:
        """Close the database."""
        self.loop.run(self.db.close())
        self.loop.close()
        self.folder.cleanup()
        self.patch.undo()

    def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` in a transaction."""

        async def run() -> T:
            async with self.db.begin() as conn:
                return await work(conn)

        return self.loop.run(run())

    @initialize(allowance=st.sampled_from([UNLIMITED, 0, 3]), cap=st.sampled_from([None, 8]))
    def found(self, allowance: int, cap: int | None) -> None:
        """Begin with the operator's terms."""
        self.terms = Terms(allowance, cap)

    def left(self, chat: int) -> int | None:
        """Give what the model thinks a chat may spend."""
        own = self.own.get(chat)
        allowance = self.terms.allowance if own is None else own
        if allowance == UNLIMITED:
            return None
        return max(allowance - self.used[chat, self.day], 0) + self.bought[chat]

    @rule(chat=CHATS, job=JOBS, credits=st.integers(0, 4))
    def hold(self, chat: int, job: int, credits: int) -> None:
        """Hold, or be refused for the reason the model gives."""
        short = self.write(lambda conn: ledger.hold(conn, chat, job, credits, self.terms))
        left = self.left(chat)
        cap = self.terms.spend_cap
        if left is not None and left < credits:
            expected = "quota"
        elif cap is not None and self.spent[self.day] + credits > cap:
            expected = "spend_cap"
        else:
            expected = None
            if job not in self.jobs:
                free = credits if left is None else min(credits, left - self.bought[chat])
                self.jobs[job] = Held(chat, free, credits - free, self.day)
                self.used[chat, self.day] += free
                self.bought[chat] -= credits - free
                self.spent[self.day] += credits
        assert (short and short.reason) == expected

    @rule(job=JOBS, actual=st.none() | st.integers(0, 4))
    def settle(self, job: int, actual: int | None) -> None:
        """Charge what the model charges."""
        charged = self.write(lambda conn: ledger.settle(conn, job, actual))
        assert charged == self.close(job, actual)

    @rule(job=JOBS)
    def release(self, job: int) -> None:
        """Give back what the model gives back."""
        assert self.write(lambda conn: ledger.release(conn, job)) == self.close(job, 0)

    def close(self, job: int, actual: int | None) -> int | None:
        """Close a hold in the model."""
        held = self.jobs.get(job)
        if held is None or not held.open:
            return None
        held.open = False
        whole = held.free + held.bought
        charged = whole if actual is None else min(actual, whole)
        bought = min(whole - charged, held.bought)
        self.bought[held.chat] += bought
        self.used[held.chat, held.day] -= whole - charged - bought
        self.spent[held.day] -= whole - charged
        return charged

    @rule(chat=CHATS, credits=st.integers(-4, 4), source=st.sampled_from("abcdefgh"))
    def grant(self, chat: int, credits: int, source: str) -> None:
        """Give, once per source, and never take below nothing."""

        def work(conn: Connection) -> Awaitable[ledger.Quota]:
            return ledger.grant(conn, chat, credits, self.terms, by=1, source=source)

        if source not in self.sources and self.bought[chat] + credits < 0:
            with pytest.raises(ledger.LedgerError):
                self.write(work)
            return
        if source not in self.sources:
            self.bought[chat] += credits
            self.sources.add(source)
        assert self.write(work).left == self.left(chat)

    @rule(chat=CHATS, credits=st.sampled_from([None, UNLIMITED, 0, 1, 5]))
    def set_allowance(self, chat: int, credits: int | None) -> None:
        """Change a chat's own allowance."""
        self.write(lambda conn: ledger.set_allowance(conn, chat, credits))
        self.own[chat] = credits

    @rule()
    def sleep(self) -> None:
        """Let a day pass."""
        self.day += 1

    @rule(old=CHATS, new=CHATS)
    def migrate(self, old: int, new: int) -> None:
        """Merge a chat into another."""
        if old == new:
            return
        self.write(lambda conn: chats.migrate(conn, old, new))
        if old in self.own:
            self.own[new] = self.own.pop(old)
        self.bought[new] += self.bought.pop(old, 0)
        for chat, day in list(self.used):
            if chat == old:
                self.used[new, day] += self.used.pop((old, day))
        for held in self.jobs.values():
            if held.chat == old:
                held.chat = new

    @invariant()
    def the_books_balance(self) -> None:
        """Audit after every step."""
        if hasattr(self, "terms"):
            self.loop.run(self.audit())

    async def audit(self) -> None:
        """Compare with the model, and each table with the sums over the ledger."""
        async with self.db.read() as conn:
            for chat in (1, 2, 3):
                quota = await ledger.quota(conn, chat, self.terms)
                assert (quota.left, quota.used, quota.bought) == (
                    self.left(chat),
                    self.used[chat, self.day],
                    self.bought[chat],
                )
            assert not await raw(
                conn,
                "SELECT chat_id FROM balances b WHERE used < 0 OR bought < 0"
                " OR used <> (SELECT -coalesce(sum(allowance), 0) FROM ledger l"
                "             WHERE l.chat_id = b.chat_id AND l.period = b.period)"
                " OR bought <> (SELECT coalesce(sum(bought), 0) FROM ledger l WHERE l.chat_id = b.chat_id)",
            )
            assert not await raw(conn, "SELECT chat_id FROM ledger WHERE chat_id NOT IN (SELECT chat_id FROM balances)")
            days: list[Any] = await raw(conn, "SELECT day, credits FROM spending")
            assert await self.spent_by_ledger(conn) == dict(days)
            assert sum(self.spent.values()) == sum((await self.spent_by_ledger(conn)).values())
            closes = await raw(
                conn, "SELECT job_id, kind = 'hold', count(*) FROM ledger WHERE job_id NOT NULL GROUP BY 1, 2"
            )
            assert all(count == 1 for _, _, count in closes)
            assert {job for job, is_hold, _ in closes if not is_hold} == {j for j, h in self.jobs.items() if not h.open}

    async def spent_by_ledger(self, conn: Connection) -> dict[Any, int]:
        """Sum what every hold still costs, by its day."""
        spent: defaultdict[Any, int] = defaultdict(int)
        rows: list[Any] = await raw(
            conn,
            "SELECT h.period, h.credits, c.kind, c.credits FROM ledger h LEFT JOIN ledger c"
            " ON c.job_id = h.job_id AND c.kind <> 'hold' WHERE h.kind = 'hold'",
        )
        for period, held, kind, closed in rows:
            spent[period] += {None: held, "settle": closed, "release": held - (closed or 0)}[kind]
        return dict(spent)


def test_the_books(template: Path) -> None:
    """Never negative, never double, each hold closed once, balances and spending equal to the sums, in any order."""
    machine = type("TheBooks", (Books,), {"template": template})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30, stateful_step_count=35, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
