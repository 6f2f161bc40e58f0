"""Rates that all processes on one PostgreSQL keep together: so many calls in any so many seconds of its clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar, cast

import sqlalchemy as sa
import structlog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.connection import Connection, Work
    from storage.database import Database

T = TypeVar("T")

PATIENCE: Final = 3.0
"""Seconds that the database is waited for before a call goes without it."""

LATE: Final = 1.0
"""Seconds past that after which it was this process that stood still, and not the database that kept it waiting."""

AWAY: Final = 10.0
"""Seconds that it is not asked after that."""

IDLE: Final = 86_400
"""Seconds after which a rate is forgotten, farther apart than any calls that it holds apart."""

LARGEST: Final = 100
"""A row holds as many moments as its limit is large: a larger one is kept over a shorter time."""

_TAKE = sa.select(
    sa.func.take_turn(
        sa.bindparam("names", type_=sa.ARRAY(sa.Text)),
        sa.bindparam("sizes", type_=sa.ARRAY(sa.Integer)),
        sa.bindparam("spans", type_=sa.ARRAY(sa.Double)),
        sa.bindparam("slots", type_=sa.ARRAY(sa.Integer)),
        sa.bindparam("spares", type_=sa.ARRAY(sa.Integer)),
    ).label("waits")
)
_HOLD = sa.text(
    "INSERT INTO rates (name, closed_until) VALUES (:name, extract(epoch FROM clock_timestamp()) + :seconds) "
    "ON CONFLICT (name) DO UPDATE SET closed_until = greatest(rates.closed_until, excluded.closed_until)"
)
# Rows in use are passed over, so that nobody waits for this, and this for nobody.
_PRUNE = sa.text(
    "DELETE FROM rates WHERE name IN (SELECT name FROM rates WHERE greatest(times[cardinality(times)], closed_until) "
    "< extract(epoch FROM clock_timestamp()) - :idle FOR UPDATE SKIP LOCKED)"
)

log = structlog.get_logger()


class Limit(NamedTuple):
    """At most `size` in any `seconds` seconds under `name`: a call counts as `slots` and leaves `spare` more free."""

    name: str
    size: int
    seconds: float
    slots: int = 1
    spare: int = 0


class Rates:
    """The table `rates`. While the database is away nothing waits for it: each process keeps its own windows then."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._away = False
        self._ask_again_at = 0.0

    async def take(self, limits: Sequence[Limit]) -> Sequence[float]:
        """Count a call under all `limits`, whose names differ, or under none of them.

        Give for each, in the same order, how many seconds it wants the call to wait: if any is above 0, nothing was
        counted. It may be told to wait again after that, because other processes wait, too.
        """
        places = sorted(range(len(limits)), key=lambda place: limits[place].name)
        names, sizes, spans, slots, spares = zip(*(_small(limits[place]) for place in places), strict=True)

        async def work(conn: Connection) -> Sequence[float]:
            # The driver makes an array of integers or of floats, not of both.
            every = [float(span) for span in spans]
            rows = await conn.all(_TAKE, names=[*names], sizes=[*sizes], spans=every, slots=[*slots], spares=[*spares])
            return cast("Sequence[float]", rows[0]["waits"])

        now: Sequence[float] = [0.0] * len(limits)
        waits = await self._ask(work, now)
        return [wait for _, wait in sorted(zip(places, waits, strict=True))]

    async def take_one(self, name: str, size: int, seconds: float) -> float:
        """Do the same under a single limit."""
        (wait,) = await self.take([Limit(name, size, seconds)])
        return wait

    async def hold(self, name: str, seconds: float) -> None:
        """Have everybody's calls under `name` wait for so long."""

        async def work(conn: Connection) -> None:
            await conn.all(_HOLD, name=name, seconds=seconds)

        await self._ask(work, None)

    async def prune(self) -> None:
        """Forget rates that nobody has used for IDLE seconds. Raises the database's Error."""

        async def work(conn: Connection) -> None:
            await conn.all(_PRUNE, idle=IDLE)

        await self._db.persist(work)

    async def _ask(self, work: Work[T], otherwise: T) -> T:
        """Do `work` in one round trip, each statement its own transaction; give `otherwise` if that cannot be."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        if began < self._ask_again_at:
            return otherwise
        try:
            async with asyncio.timeout(PATIENCE):
                done = await self._db.look(work)
        except Exception as error:  # whatever it is, a result must go out
            slow = isinstance(error, TimeoutError)
            if slow and loop.time() - began > PATIENCE + LATE:
                return await self._ask(work, otherwise)
            self._ask_again_at = loop.time() + AWAY
            if not self._away:
                odd = not (slow or self._db.passes(error))
                log.warning("no shared rates: each process keeps its own", why=type(error).__name__, exc_info=odd)
            self._away = True
            return otherwise
        if self._away:
            log.info("rates are shared again")
        self._away, self._ask_again_at = False, 0.0
        return done


def _small(limit: Limit) -> Limit:
    """Give a limit that holds at least as well, with a size of LARGEST at most."""
    if limit.size <= LARGEST:
        return limit
    return limit._replace(size=LARGEST, seconds=limit.seconds * LARGEST / limit.size)
