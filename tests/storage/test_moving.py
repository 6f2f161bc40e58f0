"""From SQLite to PostgreSQL: everything arrives, and can go on there."""

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from bot import cli
from storage import chats, inbox, jobs, ledger, moving, payments, people
from storage.connection import Connection
from storage.sqlite import Sqlite
from storage.tables import metadata
from tests.databases import opened, path, raw, reached, template

__all__ = ["path", "template"]

TERMS = ledger.Terms(10)
NEW_JOB = """INSERT INTO jobs (chat_id, source, place, user_id, reply_to, language, file_id, file_unique_id, file_kind,
    operation, options, state, created_at, updated_at, owner, epoch, task)
    VALUES (-5, ?, 0, 7, 1, 'en', 'f', 'u', 'photo', 'colorize', '{}', 'submitted', 1, 1, 1, 3, 9)"""


async def fill(file: Path) -> None:
    """Have what a bot has: chats, money, payments, somebody blocked, a photo and an update under way."""
    async with opened(file) as db, db.begin() as conn:
        await chats.remember(conn, -5, kind="group", title="Nul\0l", username=None)
        for number in range(3):
            await ledger.grant(conn, -5, 1, TERMS, by=1, source=f"g{number}")
        await payments.credit(conn, -5, TERMS, charge_id="stx1", user_id=7, credits=20, stars=25)
        await people.set_blocked(conn, 8, blocked=True)
        await raw(conn, NEW_JOB, "m1")
        await inbox.add(conn, [{"update_id": 4}], 1.0, me=1, shared=False)


async def everything(conn: Connection) -> dict[str, list[dict[str, object]]]:
    """Give all rows of all tables, without what is for nobody else to know: who works on them."""
    found = {}
    for table in metadata.sorted_tables:
        columns = [column for column in table.c if column.name not in {"owner", "task"}]
        rows = await conn.all(sa.select(*columns).order_by(*table.primary_key))
        found[table.name] = [{name: _whole(value) for name, value in dict(row).items()} for row in rows]
    return found


def _whole(value: object) -> object:
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


async def test_all_is_there(path: Path, server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row of every table arrives, over several pages; what is under way is anybody's, new rows get new ids."""
    monkeypatch.setattr(moving, "PAGE", 2)
    await fill(path)
    await moving.move(path, server_url)
    async with opened(path) as old, old.read() as here, reached(server_url) as new, new.begin() as there:
        assert await everything(there) == (found := await everything(here))
        assert {"balances", "blocks", "chats", "inbox", "jobs", "ledger", "payments"} <= {
            k for k, v in found.items() if v
        }
        assert await raw(there, "SELECT owner, task FROM jobs") == [(None, None)]
        assert await raw(there, "SELECT owner FROM inbox") == [(None,)]
        await raw(there, NEW_JOB, "m2")
        assert [row["id"] for row in await jobs.unfinished_of(there, -5)] == [1, 2]
        await ledger.grant(there, -5, 1, TERMS, by=1, source="after")


def test_the_command(path: Path, server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`darkroom move` ends like `audit`, and moves nothing where it would go wrong, with a sentence."""
    monkeypatch.chdir(path.parent)
    monkeypatch.setenv("DARKROOM_BOT_TOKEN", "1:a")
    monkeypatch.setenv("DARKROOM_GPTGE_TOKEN", "k")
    command = ["move", str(path)]
    assert CliRunner().invoke(cli.app, command).exit_code == cli.WRONG_SETTINGS  # to SQLite
    monkeypatch.setenv("DARKROOM_DATABASE_URL", server_url)
    asyncio.run(fill(path))
    with asyncio.Runner() as bot:
        db = bot.run(Sqlite.open(path))
        busy = CliRunner().invoke(cli.app, command)
        bot.run(db.close())
    moved, again = (CliRunner().invoke(cli.app, command) for _ in range(2))
    missing = CliRunner().invoke(cli.app, ["move", "gone.db"])
    assert [each.exit_code for each in (busy, moved, again, missing)] == [
        cli.CANNOT_LOOK,
        0,
        cli.CANNOT_LOOK,
        cli.WRONG_SETTINGS,
    ]
    assert "another darkroom already runs" in busy.output
    assert moved.output == "no differences\n"
    assert again.output.startswith("cannot move: the new database is not empty")
    assert "does not exist" in missing.output
    assert not Path("gone.db").exists()
