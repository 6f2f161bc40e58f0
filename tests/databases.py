"""Databases for tests: migrated once a session, copied for each test."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from storage import migrations
from storage.database import Connection
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


@asynccontextmanager
async def opened(path: Path, *, own: bool = True) -> AsyncIterator[Sqlite]:
    """Open the database at `path` for as long as the context lasts."""
    database = await Sqlite.open(path, own=own)
    try:
        yield database
    finally:
        await database.close()


async def raw(conn: Connection, sql: str, *values: object) -> list[tuple[object, ...]]:
    """Run SQL that only a test needs."""
    assert isinstance(conn, SqliteConnection)
    return [tuple(row) for row in await conn._driver.execute_fetchall(sql, values)]
