"""The ledger against a simple model, under any order of events; the books balance after every one of them."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from storage import audit, chats, ledger, payments, quotas
from storage.database import Connection
from storage.ledger import UNLIMITED, Terms
from storage.opening import open_database
from storage.periods import KINDS, Kind, period_of
from storage.sqlite import Sqlite
from tests.databases import raw
from tests.postgres import Server

DAY = 86_400.0
CHATS = st.integers(1, 3)
JOBS = st.integers(1, 12)
T = TypeVar("T")


@dataclass
class Held:
    """A hold as the model sees it."""

    chat: int
    free: int
    granted: int
    bought: int
    period: str
    day: int
    user: int
    open: bool = True

    @property
    def whole(self) -> int:
        """All that was held, or is spent."""
        return self.free + self.granted + self.bought


class Books(RuleBasedStateMachine):
    """The program's ledger beside a model of dictionaries."""

    places: Iterator[str]
    """URLs of empty databases."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.db = self.loop.run(open_database(next(self.places), own=False))
        if isinstance(self.db, Sqlite):
            self.loop.run(self.db._writer.execute_fetchall("PRAGMA synchronous=OFF"))
        self.day = 20_000
        self.patch = pytest.MonkeyPatch()
        for module in (ledger, quotas, payments):
            self.patch.setattr(module, "time", SimpleNamespace(time=lambda: self.day * DAY + 5))
        self.own: dict[int, int | None] = {}
        self.kinds: dict[int, Kind] = {}
        self.zones: dict[int, str] = {}
        self.caps: dict[int, int] = {}
        self.granted: Counter[int] = Counter()
        self.bought: Counter[int] = Counter()
        self.jobs: dict[int, Held] = {}
        self.sources: set[str] = set()
        self.paid: dict[str, tuple[int, int]] = {}
        self.refunded: set[str] = set()

    def teardown(self) -> None:
        """Close the database."""
        self.loop.run(self.db.close())
        self.loop.close()
        self.patch.undo()

    def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` in a transaction."""

        async def run() -> T:
            async with self.db.begin() as conn:
                return await work(conn)

        return self.loop.run(run())

    @initialize(
        allowance=st.sampled_from([UNLIMITED, 0, 3]), cap=st.sampled_from([None, 8]), person=st.sampled_from([None, 4])
    )
    def found(self, allowance: int, cap: int | None, person: int | None) -> None:
        """Begin with the operator's terms."""
        self.terms = Terms(allowance, cap, person_cap=person)

    def period(self, chat: int) -> str:
        """Give the period that a chat lives in."""
        return period_of(self.day * DAY + 5, self.kinds.get(chat, "day"), self.zones.get(chat, "UTC")).name

    def used(self, chat: int) -> int:
        """Give what a chat used of its present allowance."""
        period = self.period(chat)
        return sum(held.free for held in self.jobs.values() if (held.chat, held.period) == (chat, period))

    def free(self, chat: int) -> int | None:
        """Give what is left of a chat's allowance."""
        own = self.own.get(chat)
        allowance = self.terms.allowance if own is None else own
        return None if allowance == UNLIMITED else max(allowance - self.used(chat), 0)

    def left(self, chat: int) -> int | None:
        """Give what the model thinks a chat may spend."""
        free = self.free(chat)
        return None if free is None else free + self.granted[chat] + self.bought[chat]

    @rule(chat=CHATS, job=JOBS, credits=st.integers(0, 4), user=st.integers(1, 2))
    def hold(self, chat: int, job: int, credits: int, user: int) -> None:
        """Hold, or be refused for the reason the model gives."""
        short = self.write(lambda conn: ledger.hold(conn, chat, job, credits, self.terms, user_id=user))
        reason, free = self.judge(chat, credits, user)
        assert (short and short.reason) == reason
        if reason is None and job not in self.jobs:
            granted = min(credits - free, self.granted[chat])
            bought = credits - free - granted
            self.jobs[job] = Held(chat, free, granted, bought, self.period(chat), self.day, user)
            self.granted[chat] -= granted
            self.bought[chat] -= bought

    def judge(self, chat: int, credits: int, user: int) -> tuple[str | None, int]:
        """Say why a hold is refused, or what of it the allowance pays."""
        left, here = self.left(chat), self.period(chat)
        all_of = self.jobs.values()
        of_member = sum(h.whole for h in all_of if (h.chat, h.user, h.period) == (chat, user, here))
        free_of_person = sum(h.free for h in all_of if (h.user, h.day) == (user, self.day))
        spent = sum(h.whole for h in all_of if h.day == self.day)
        unlimited = self.free(chat)
        free = credits if unlimited is None else min(credits, unlimited)
        if left is not None and left < credits:
            return "quota", 0
        if chat in self.caps and of_member + credits > self.caps[chat]:
            return "member_cap", 0
        if self.terms.person_cap is not None and self.own.get(chat) != UNLIMITED:
            free = min(free, max(self.terms.person_cap - free_of_person, 0))
            if free + self.granted[chat] + self.bought[chat] < credits:
                return "person_cap", 0
        if self.terms.spend_cap is not None and spent + credits > self.terms.spend_cap:
            return "spend_cap", 0
        return None, free

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
        whole = held.whole
        charged = whole if actual is None else min(actual, whole)
        bought = min(whole - charged, held.bought)
        granted = min(whole - charged - bought, held.granted)
        held.bought, held.granted = held.bought - bought, held.granted - granted
        held.free -= whole - charged - bought - granted
        self.bought[held.chat] += bought
        self.granted[held.chat] += granted
        return charged

    @rule(chat=CHATS, credits=st.integers(1, 5), charge=st.sampled_from("xyz"))
    def pay(self, chat: int, credits: int, charge: str) -> None:
        """Credit a payment, once whatever repeats."""
        about: dict[str, Any] = {"charge_id": charge, "user_id": 1, "credits": credits, "stars": 9}
        assert self.write(lambda conn: payments.credit(conn, chat, self.terms, **about)) == (charge not in self.paid)
        if charge not in self.paid:
            self.paid[charge] = (chat, credits)
            self.bought[chat] += credits

    @rule(charge=st.sampled_from("xyz"))
    def refund(self, charge: str) -> None:
        """Take a payment back, once, down to nothing but not below, and never what was granted."""
        taken = self.write(lambda conn: payments.reverse(conn, charge, self.terms, by=1))
        if charge not in self.paid or charge in self.refunded:
            assert taken is None
            return
        chat, credits = self.paid[charge]
        self.refunded.add(charge)
        assert taken == min(credits, self.bought[chat])
        self.bought[chat] -= taken

    @rule(chat=CHATS, kind=st.sampled_from(KINDS), zone=st.sampled_from(["UTC", "Pacific/Kiritimati", "Pacific/Niue"]))
    def set_clock(self, chat: int, kind: Kind, zone: str) -> None:
        """Change what a chat's allowance is for, and the clock on its wall."""

        async def work(conn: Connection) -> None:
            await ledger.set_allowance(conn, chat, self.own.get(chat))
            await quotas.set_period(conn, chat, kind)
            await quotas.set_zone(conn, chat, zone)

        self.write(work)
        self.own.setdefault(chat, None)
        self.kinds[chat], self.zones[chat] = kind, zone

    @rule(chat=CHATS, cap=st.integers(0, 6))
    def set_member_cap(self, chat: int, cap: int) -> None:
        """Cap what each member may spend, where the chat is known."""
        self.write(lambda conn: quotas.set_member_cap(conn, chat, cap))
        if chat in self.own:
            self.caps[chat] = cap

    @rule(chat=CHATS, credits=st.integers(-4, 4), source=st.sampled_from("abcdefgh"))
    def grant(self, chat: int, credits: int, source: str) -> None:
        """Give, once per source, and never take below nothing."""

        def work(conn: Connection) -> Awaitable[ledger.Quota]:
            return ledger.grant(conn, chat, credits, self.terms, by=1, source=source)

        if source not in self.sources and self.granted[chat] + credits < 0:
            with pytest.raises(ledger.LedgerError):
                self.write(work)
            return
        if source not in self.sources:
            self.granted[chat] += credits
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

    @rule()
    def wind_back(self) -> None:
        """Let the clock of the machine go back by a day."""
        self.day -= 1

    @rule(old=CHATS, new=CHATS)
    def migrate(self, old: int, new: int) -> None:
        """Merge a chat into another."""
        if old == new:
            return
        self.write(lambda conn: chats.migrate(conn, old, new))
        settings: list[dict[int, Any]] = [self.own, self.kinds, self.zones, self.caps]
        if old in self.own:
            for kept in settings:
                kept.pop(new, None)
                if old in kept:
                    kept[new] = kept.pop(old)
        self.bought[new] += self.bought.pop(old, 0)
        self.granted[new] += self.granted.pop(old, 0)
        for charge, (chat, credits) in self.paid.items():
            self.paid[charge] = (new if chat == old else chat, credits)
        for held in self.jobs.values():
            if held.chat == old:
                held.chat = new

    @invariant()
    def the_books_balance(self) -> None:
        """Audit after every step."""
        if hasattr(self, "terms"):
            self.loop.run(self.audit())

    async def audit(self) -> None:
        """Compare with the model, and what is kept beside the ledger with the ledger."""
        async with self.db.read() as conn:
            for chat in (1, 2, 3):
                quota = await ledger.quota(conn, chat, self.terms)
                assert (quota.left, quota.used, quota.granted, quota.bought) == (
                    self.left(chat),
                    self.used(chat),
                    self.granted[chat],
                    self.bought[chat],
                )
            # There are no jobs here, so that the open holds are the only ones to outlive theirs.
            found = await audit.differences(conn)
            assert {int(each.who) for each in found} == {job for job, held in self.jobs.items() if held.open}
            assert {each.what for each in found} <= {"hold outliving its job"}
            spent: list[Any] = await raw(conn, "SELECT sum(credits) FROM spending")
            assert (spent[0][0] or 0) == sum(held.whole for held in self.jobs.values())
            closes = await raw(
                conn, "SELECT job_id, kind = 'hold', count(*) FROM ledger WHERE job_id IS NOT NULL GROUP BY 1, 2"
            )
            assert all(count == 1 for _, _, count in closes)


@pytest.fixture
def places(request: pytest.FixtureRequest, tmp_path: Path, template: Path) -> Iterator[str]:
    """Give URLs of empty databases of the kind asked for, without end."""
    if request.param == "sqlite":
        return (f"sqlite:///{shutil.copy(template, tmp_path / f'{number}.db')}" for number in count())
    return fresh(request.getfixturevalue("postgres"))


def fresh(server: Server) -> Iterator[str]:
    """Lend a database for each example, once the one before is given back."""
    while True:
        with server.lend() as url:
            yield url


@pytest.mark.parametrize(("places", "examples"), [("sqlite", 30), ("postgresql", 12)], indirect=["places"])
def test_the_books(places: Iterator[str], examples: int) -> None:
    """Never negative, never double, each hold closed once, balances and spending equal to the sums, in any order."""
    run_state_machine_as_test(
        type("TheBooks", (Books,), {"places": places}),
        settings=settings(
            max_examples=examples, stateful_step_count=35, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
