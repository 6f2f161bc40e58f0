"""What statements run on, whichever the database: a connection inside a transaction, or one that only reads."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa

Row = Mapping[str, Any]
T = TypeVar("T")


class Connection(ABC):
    """Runs SQLAlchemy Core statements on the driver itself.

    SQLAlchemy's own execution over aiosqlite crosses to the driver's thread four times a statement and costs 0.6 to
    1.4 ms of CPU for a one-row transaction here; compiled once and run on the driver it costs 0.2 ms, in a group of
    twenty 0.024 ms (docs/performance.md). Statements are module constants, so that each is compiled once.
    """

    @abstractmethod
    async def all(self, statement: sa.Executable, **params: object) -> Sequence[Row]:
        """Run `statement` and give its rows."""

    async def one(self, statement: sa.Executable, **params: object) -> Row | None:
        """Run `statement` and give its first row, or None."""
        rows = await self.all(statement, **params)
        return rows[0] if rows else None

    async def number(self, statement: sa.Executable, **params: object) -> int:
        """Run `statement` and give the column `n` of its first row, a whole number; 0 when there is none."""
        row = await self.one(statement, **params)
        return int(row["n"]) if row else 0

    @abstractmethod
    async def many(self, statement: sa.Executable, rows: Iterable[Mapping[str, object]]) -> None:
        """Run `statement` once for each of `rows`, which all have the same keys."""

    @abstractmethod
    async def lock(self, *names: str) -> bool:
        """Let nobody else hold these names until the transaction ends: for who reads, decides and writes.

        Several are taken in their order, so that no two transactions wait for each other. Tell whether another may have
        written since this transaction last looked, because one of them was not held yet.
        """


Work = Callable[[Connection], Awaitable[T]]
"""What to do in a transaction. It may be done again if that failed, and may await nothing but its connection."""


@lru_cache(maxsize=512)
def compiled(
    statement: sa.Executable, keys: tuple[str, ...], dialect: sa.Dialect
) -> tuple[str, list[str], dict[str, object]]:
    """Give the SQL, the names of its parameters in their order if it has one, and those that never change."""
    made = statement.compile(  # type: ignore[attr-defined]  # every Core statement compiles; Executable does not say so
        dialect=dialect, column_keys=list(keys) or None, compile_kwargs={"render_postcompile": True}
    )
    return str(made), list(made.positiontup or ()), dict(made.params)
