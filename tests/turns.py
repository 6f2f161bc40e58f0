"""Watches who takes turns on PostgreSQL: a trigger writes each counted call down, by the server's clock."""

from collections.abc import Iterator

import pytest

from storage import rates
from storage.postgres import Postgres

_WATCH = """
CREATE TABLE turns (name text, at float8);
CREATE FUNCTION note_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO turns SELECT new.name, at FROM unnest(new.times) AS at
    WHERE at > coalesce(old.times[cardinality(old.times)], 0);
    RETURN NULL;
END $$;
CREATE TRIGGER note_turn AFTER UPDATE ON rates FOR EACH ROW
WHEN (new.times <> old.times) EXECUTE FUNCTION note_turn();
"""


@pytest.fixture
def patient() -> Iterator[None]:
    """Let a slow machine not pass for a database that is away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rates, "PATIENCE", 60)
        yield


async def watch(db: Postgres) -> None:
    """Begin to write turns down."""
    async with db.pool.connection() as raw:
        await raw.execute(_WATCH)


async def turns(db: Postgres, name: str) -> list[float]:
    """Give the moments of all calls counted under `name`, one for each of their slots."""
    async with db.pool.connection() as raw:
        cursor = await raw.execute("SELECT at FROM turns WHERE name = %s ORDER BY at", [name])
        return [row["at"] for row in await cursor.fetchall()]


async def most(db: Postgres, name: str, seconds: float) -> int:
    """Give how many calls the fullest stretch of so many seconds held."""
    moments = await turns(db, name)
    return max((sum(at <= other < at + seconds - 1e-6 for other in moments) for at in moments), default=0)
