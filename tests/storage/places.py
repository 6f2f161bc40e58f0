"""Places for databases that the migrations make, and what these look like to whoever compares them."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from storage import migrations
from tests.postgres import Server

_COLUMNS = """
SELECT table_name || '.' || column_name, concat_ws(' ', data_type, is_nullable, column_default)
FROM information_schema.columns WHERE table_schema = 'public'
"""
_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
_CONSTRAINTS = """
SELECT conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid != 0
"""
_FUNCTIONS = "SELECT oid::regprocedure::text, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
_TYPES = "SELECT typname, typtype::text FROM pg_type WHERE typnamespace = 'public'::regnamespace"


class Place:
    """A database that is not there yet, or empty."""

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self.on_server = self.url.get_backend_name() == "postgresql"

    def bring_up(self, *, upgrade: bool = True) -> None:
        """Do what every start does."""
        if self.on_server:
            migrations.bring_up_server(self.url.set(drivername="postgresql+psycopg"), upgrade=upgrade)
        else:
            migrations.bring_up(Path(str(self.url.database)), upgrade=upgrade)

    @contextmanager
    def connected(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction."""
        engine = sa.create_engine(self.url.set(drivername="postgresql+psycopg") if self.on_server else self.url)
        with engine.begin() as connection:
            yield connection
        engine.dispose()

    def schema(self) -> dict[str, str]:
        """Give all that a database has, by name."""
        if not self.on_server:
            with closing(sqlite3.connect(str(self.url.database))) as connection:
                found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
                return dict(found.fetchall())
        with psycopg.connect(self.url.render_as_string(hide_password=False)) as server:
            asked = (_COLUMNS, _INDEXES, _CONSTRAINTS, _FUNCTIONS, _TYPES)
            return dict(sorted((name, text) for query in asked for name, text in server.execute(query)))


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Give a place for a database, of each kind in turn."""
    if request.param == "sqlite":
        yield Place(f"sqlite:///{tmp_path / 'new.db'}")
        return
    server: Server = request.getfixturevalue("postgres")
    name = f"new_{secrets.token_hex(8)}"
    yield Place(server.create(name))
    server.drop(name)
