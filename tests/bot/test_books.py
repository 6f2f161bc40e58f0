"""`darkroom audit` and `darkroom reconcile`, as an operator types them."""

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from bot import cli
from storage import ledger
from storage.opening import open_database
from tests.databases import path, template

__all__ = ["path", "template"]

ENV = {"DARKROOM_BOT_TOKEN": "1:a", "DARKROOM_GPTGE_TOKEN": "k", "DARKROOM_BOT_API_URL": "http://127.0.0.1:9"}


@pytest.fixture
def env(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give a database that the settings name."""
    monkeypatch.chdir(tmp_path)
    for name, value in (ENV | {"DARKROOM_DATABASE_URL": f"sqlite:///{path}"}).items():
        monkeypatch.setenv(name, value)
    return path


async def grant(url: str) -> None:
    db = await open_database(url)
    async with db.begin() as conn:
        await ledger.grant(conn, 1, 5, ledger.Terms(0), by=1, source="g")
    await db.close()


def spoil(url: str) -> None:
    """Change a balance behind the ledger's back."""
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE balances SET granted = 7")
    engine.dispose()


@pytest.mark.parametrize("database", ["path", "server_url"])
def test_audit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, env: Path, database: str) -> None:
    """Books that balance exit with 0, a difference with 1 and a line that names it, on both databases."""
    url = f"sqlite:///{env}" if database == "path" else request.getfixturevalue(database)
    monkeypatch.setenv("DARKROOM_DATABASE_URL", url)
    asyncio.run(grant(url))
    fine = CliRunner().invoke(cli.app, ["audit"])
    assert (fine.exit_code, fine.output) == (0, "no differences\n")
    spoil(url)
    wrong = CliRunner().invoke(cli.app, ["audit"])
    assert (wrong.exit_code, wrong.output) == (1, "granted of 1: 7 is kept, the ledger says 5\n")


def test_books_that_cannot_be_read(env: Path) -> None:
    """A file that is missing, perhaps because this is another folder, or is no database is named in full."""
    env.write_text("no database")
    spoilt = CliRunner().invoke(cli.app, ["audit"])
    assert (spoilt.exit_code, spoilt.output) == (cli.CANNOT_LOOK, f"cannot look: {env}: file is not a database\n")
    env.unlink()
    assert f"cannot look: there is no {env}: " in CliRunner().invoke(cli.app, ["audit"]).output


def test_no_books(env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a database, or without Telegram, one cannot look: that is neither 0 nor 1."""
    assert CliRunner().invoke(cli.app, ["reconcile"]).exit_code == cli.CANNOT_LOOK
    env.unlink()
    assert CliRunner().invoke(cli.app, ["audit"]).exit_code == cli.CANNOT_LOOK
    monkeypatch.setenv("DARKROOM_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:9/x")
    away = CliRunner().invoke(cli.app, ["audit"])
    assert away.exit_code == cli.CANNOT_LOOK
    assert "refused" in away.output
    assert "hunter2" not in away.output
