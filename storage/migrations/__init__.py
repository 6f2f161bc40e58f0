"""Brings a database to the schema this program was written for; the steps are in `versions/`."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from storage.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0002"

SILENCE = "5s"
"""After so long without a statement a process that froze on its way up makes room for the others."""


class SchemaError(RuntimeError):
    """The database's schema is not one this program can use."""


class EmptyError(SchemaError):
    """There is nothing in the database yet."""


def bring_up(path: Path, *, upgrade: bool) -> None:
    """Upgrade the SQLite file at `path` to HEAD, or only check that it is there. Raises SchemaError.

    A new database is made from tables.py, of which a test shows that the steps lead there: Alembic, which only an older
    one needs, costs 0.2 s and 10 MB for as long as the program runs.
    """
    if not upgrade and not path.exists():
        message = f"there is no {path.absolute()}: see DARKROOM_DATABASE_URL, or start `darkroom run` once"
        raise EmptyError(message)
    found = _version_of_file(path)
    if _is_missing(found, upgrade=upgrade):
        with _transaction(path) as connection:
            _climb(connection, found)


def bring_up_server(url: sa.URL, *, upgrade: bool) -> None:
    """Do the same for the PostgreSQL database at `url` (postgresql+psycopg), one process after the other."""
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            if upgrade:
                connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{SILENCE}'")
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('darkroom schema'))")
            found = None
            if connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar():
                found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
            if _is_missing(found, upgrade=upgrade):
                _climb(connection, found)
    finally:
        engine.dispose()


def _is_missing(found: str | None, *, upgrade: bool) -> bool:
    """Tell whether there are steps to take. Raises SchemaError when this program may not or cannot take them."""
    if found is not None and found > HEAD:
        message = f"the database has schema {found}, newer than this program's {HEAD}: install the newest darkroom"
        raise SchemaError(message)
    if found is None and not upgrade:
        raise EmptyError("the database is empty: start `darkroom run` once")
    if found != HEAD and not upgrade:
        message = f"the database has schema {found}, this program needs {HEAD}: start `darkroom run` once"
        raise SchemaError(message)
    return found != HEAD


def _version_of_file(path: Path) -> str | None:
    if not path.exists():
        return None
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return None
        found: str = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        return found


@contextmanager
def _transaction(path: Path) -> Iterator[sa.Connection]:
    # The driver left to itself begins no transaction before CREATE TABLE: a kill would leave half a schema behind.
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(path, isolation_level=None))
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
    engine.dispose()


def _climb(connection: sa.Connection, found: str | None) -> None:
    if found is None:
        _make(connection)
    else:
        upgrade_to_head(connection)


def _make(connection: sa.Connection) -> None:
    on_server = connection.dialect.name == "postgresql"
    if on_server:
        from storage.migrations import postgres  # noqa: PLC0415  loads procrastinate

        _partial_there()
    metadata.create_all(connection, checkfirst=False)  # tables of somebody else's are an error, not ours
    if on_server:
        postgres.add(connection)
    stamp = sa.Table("alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))
    stamp.create(connection)
    connection.execute(stamp.insert().values(version_num=HEAD))


def _partial_there() -> None:
    """Make the indexes of tables.py that are partial on SQLite partial on PostgreSQL."""
    for table in metadata.tables.values():
        for index in table.indexes:
            index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]


def upgrade_to_head(connection: sa.Connection) -> None:
    """Take the steps that are missing."""
    from alembic import command  # noqa: PLC0415  see bring_up

    command.upgrade(config(connection), "head")


def config(connection: sa.Connection) -> "Config":
    """Give Alembic's configuration for a connection whose transaction is the caller's."""
    from alembic.config import Config  # noqa: PLC0415  see bring_up

    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.attributes["connection"] = connection
    return made
