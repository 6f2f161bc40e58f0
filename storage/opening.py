"""Opens the database that the settings name."""

from pathlib import Path

import sqlalchemy as sa

from storage.database import Database
from storage.sqlite import Sqlite


async def open_database(url: str, *, own: bool = True) -> Database:
    """Open the database at `url` (`sqlite:///file.db` or `postgresql://user:password@host/name`).

    With `own` it is brought to the newest schema, and a file is locked against a second darkroom; without, it is taken
    as it stands. Raises DatabaseError, migrations.SchemaError, or OSError when there is no folder for the lock.
    """
    where = sa.make_url(url)
    if where.get_backend_name() == "sqlite":
        return await Sqlite.open(Path(where.database or ""), own=own)
    from storage.postgres import Postgres  # noqa: PLC0415  loads psycopg: 10 MB that SQLite does not need

    return await Postgres.open(where, own=own)
