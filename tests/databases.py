"""Databases for tests: migrated once a session, copied for each test."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from storage import migrations
from storage.database import Connection, Database
from storage.opening import open_database
from storage.postgres import PostgresConnection
from storage.sqlite import Sqlite
from storage.together import SqliteConnection


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    """Give an empty database at the newest schema, to be copied."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        migrations.bring_up(path, upgrade=True)
        yield path


@pytest.fixture
def path(template: Path, tmp_path: Path) -> Path:
    """Give a file of one's own with an empty database."""
    return Path(shutil.copy(template, tmp_path / "darkroom.db"))


@pytest.fixture
async def db(path: Path) -> AsyncIterator[Sqlite]:
    """Give an open database, empty."""
    async with opened(path) as database:
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty database, of each kind in turn."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("server_url"))
    return f"sqlite:///{request.getfixturevalue('path')}"


@pytest.fixture
async def either(url: str) -> AsyncIterator[Database]:
    """Give an open database, empty, of each kind in turn."""
    async with reached(url) as database:
        yield database


@asynccontextmanager
async def reached(url: str, *, own: bool = True) -> AsyncIterator[Database]:
    """Open the database at `url`, of whichever kind, for as long as the context lasts."""
    database = await open_database(url, own=own)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def opened(path: Path, *, own: bool = True) -> AsyncIterator[Sqlite]:
    """Open the database at `path` for as long as the context lasts."""
    database = await Sqlite.open(path, own=own)
    try:
        yield database
    finally:
        await database.close()


async def raw(conn: Connection, sql: str, *values: object) -> list[tuple[object, ...]]:
    """Run SQL that only a test needs; ? stands for each of the values."""
    if isinstance(conn, PostgresConnection):
        cursor = await conn.raw.execute(sql.replace("?", "%s").encode(), values or None)
        return [tuple(row.values()) for row in await cursor.fetchall()] if cursor.description else []
    assert isinstance(conn, SqliteConnection)
    return [tuple(row) for row in await conn._driver.execute_fetchall(sql, values)]
