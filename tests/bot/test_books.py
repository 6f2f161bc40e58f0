"""`darkroom audit` and `darkroom reconcile`, as an operator types them."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot import cli
from storage import ledger
from tests.databases import opened, path, template

__all__ = ["path", "template"]

ENV = {"DARKROOM_BOT_TOKEN": "1:a", "DARKROOM_GPTGE_TOKEN": "k", "DARKROOM_BOT_API_URL": "http://127.0.0.1:9"}


@pytest.fixture
def env(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give a database that the settings name."""
    monkeypatch.chdir(tmp_path)
    for name, value in (ENV | {"DARKROOM_DATABASE_URL": f"sqlite:///{path}"}).items():
        monkeypatch.setenv(name, value)
    return path


async def grant(path: Path) -> None:
    async with opened(path) as db, db.begin() as conn:
        await ledger.grant(conn, 1, 5, ledger.Terms(0), by=1, source="g")


def test_audit(env: Path) -> None:
    """Books that balance exit with 0, a difference with 1 and a line that names it."""
    asyncio.run(grant(env))
    fine = CliRunner().invoke(cli.app, ["audit"])
    assert (fine.exit_code, fine.output) == (0, "no differences\n")
    with sqlite3.connect(env) as connection:
        connection.execute("UPDATE balances SET granted = 7")
    connection.close()
    wrong = CliRunner().invoke(cli.app, ["audit"])
    assert (wrong.exit_code, wrong.output) == (1, "granted of 1: 7 is kept, the ledger says 5\n")


def test_no_books(env: Path) -> None:
    """Without a database, or without Telegram, one cannot look: that is neither 0 nor 1."""
    assert CliRunner().invoke(cli.app, ["reconcile"]).exit_code == cli.CANNOT_LOOK
    env.unlink()
    assert CliRunner().invoke(cli.app, ["audit"]).exit_code == cli.CANNOT_LOOK
