"""Brings a database to the schema this program was written for; the steps are in `versions/`."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0001"


class SchemaError(RuntimeError):
    """The database's schema is not one this program can use."""


def bring_up(path: Path, *, upgrade: bool) -> None:
    """Upgrade the SQLite file at `path` to HEAD, or only check that it is there. Raises SchemaError."""
    found = _version(path)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        message = f"the database has schema {found}, newer than this program's {HEAD}: install the newest darkroom"
        raise SchemaError(message)
    if not upgrade:
        message = f"the database has schema {found}, this program needs {HEAD}: start `darkroom run` once"
        raise SchemaError(message)
    _upgrade(path)


def _version(path: Path) -> str | None:
    if not path.exists():
        return None
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return None
        found: str = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        return found


def _upgrade(path: Path) -> None:
    from alembic import command  # noqa: PLC0415  0.2 s and 10 MB that a database already at HEAD never needs

    # The driver left to itself begins no transaction before CREATE TABLE: a kill would leave half a schema behind.
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(path, isolation_level=None))
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        command.upgrade(config(connection), "head")
    engine.dispose()


def config(connection: sa.Connection) -> "Config":
    """Give Alembic's configuration for a connection whose transaction is the caller's."""
    from alembic.config import Config  # noqa: PLC0415  as above

    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.attributes["connection"] = connection
    return made
