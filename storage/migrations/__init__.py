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

HEAD = "0001"


class SchemaError(RuntimeError):
    """The database's schema is not one this program can use."""


def bring_up(path: Path, *, upgrade: bool) -> None:
    """Upgrade the SQLite file at `path` to HEAD, or only check that it is there. Raises SchemaError.

    A new database is made from tables.py, of which a test shows that the steps lead there: Alembic, which only an older
    one needs, costs 0.2 s and 10 MB for as long as the program runs.
    """
    found = _version(path)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        message = f"the database has schema {found}, newer than this program's {HEAD}: install the newest darkroom"
        raise SchemaError(message)
    if not upgrade:
        message = f"the database has schema {found}, this program needs {HEAD}: start `darkroom run` once"
        raise SchemaError(message)
    with _transaction(path) as connection:
        if found is None:
            _make(connection)
        else:
            upgrade_to_head(connection)


def _version(path: Path) -> str | None:
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


def _make(connection: sa.Connection) -> None:
    metadata.create_all(connection, checkfirst=False)  # tables of somebody else's are an error, not ours
    stamp = sa.Table("alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))
    stamp.create(connection)
    connection.execute(stamp.insert().values(version_num=HEAD))


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
