"""Moves all that an SQLite file holds into an empty PostgreSQL database."""

from pathlib import Path

import sqlalchemy as sa

from storage.connection import Connection
from storage.database import DatabaseError
from storage.opening import open_database
from storage.sqlite import Sqlite
from storage.tables import inbox, jobs, metadata

PAGE = 1000
_row: sa.ColumnClause[int] = sa.literal_column("rowid")


async def move(file: Path, url: str) -> None:
    """Copy every row of the SQLite file into the database at `url`, or none at all; no process may run on either.

    What is not done belongs to nobody there, so that the first process takes it up. Raises DatabaseError, also when
    there is anything in the new database, and migrations.SchemaError.
    """
    old = await Sqlite.open(file)
    try:
        new = await open_database(url)
        try:
            async with old.read() as here, new.begin() as there:
                for table in metadata.sorted_tables:
                    await _copy(table, here, there)
                await there.all(sa.update(jobs).values(owner=None, task=None))
                await there.all(sa.update(inbox).values(owner=None))
        finally:
            await new.close()
    finally:
        await old.close()


async def _copy(table: sa.Table, here: Connection, there: Connection) -> None:
    if await there.all(sa.select(table).limit(1)):
        message = f"the new database is not empty: there is something in its table {table.name}"
        raise DatabaseError(message)
    page = sa.select(table, _row.label("at_row")).where(_row > sa.bindparam("after")).order_by(_row).limit(PAGE)
    add, after = sa.insert(table), -(2**63)  # a chat's id is its row's number, and a group's is below zero
    while rows := await here.all(page, after=after):
        after = rows[-1]["at_row"]
        await there.many(add, [{name: row[name] for name in table.c.keys()} for row in rows])  # noqa: SIM118  no mapping
    if (number := table.autoincrement_column) is not None:  # PostgreSQL numbers rows by a counter beside the table
        counter = sa.func.pg_get_serial_sequence(table.name, number.name)
        await there.all(sa.select(sa.func.setval(counter, sa.func.max(number))))
