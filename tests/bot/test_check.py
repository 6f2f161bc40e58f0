"""The command line, and `darkroom check` against a Telegram, a provider and a database of this machine."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import psycopg
import pytest
import structlog
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from typer.testing import CliRunner

from bot import check, cli
from bot.check import Finding, look, show
from bot.logs import Redactor
from bot.settings import PREFIX, Settings
from bot.web import serving
from jobs.membership import Membership
from sandbox.server import TOKEN, Sandbox
from storage.migrations import HEAD
from storage.opening import open_database
from tests.journeys.stage import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from starlette.requests import Request

    from tests.postgres import Server

KEY = "sk-good"


@asynccontextmanager
async def vendor() -> AsyncIterator[str]:
    """Serve a provider that knows one key and no task."""

    async def answer(request: Request) -> JSONResponse:
        good = request.headers.get("Authorization") == f"Bearer {KEY}"
        status = 404 if good else 401
        return JSONResponse({"status": status, "message": "no"}, status)

    async with serving(Starlette(routes=[Route("/{path:path}", answer)]), "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def world(folder: Path, *, key: str = KEY, token: str = TOKEN) -> AsyncIterator[Settings]:
    async with Sandbox() as telegram, vendor() as url:
        yield Settings(
            bot_token=SecretStr(token),
            bot_api_url=telegram.url,
            gptge_url=url,
            gptge_token=SecretStr(key),
            database_url=SecretStr(f"sqlite:///{folder / 'darkroom.db'}"),
        )


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """No setting from outside, and the logging that a command sets up undone."""
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers[:], root.level
    yield monkeypatch
    root.handlers[:], sys.excepthook = handlers, hook
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


async def test_all_is_well(tmp_path: Path) -> None:
    """Before the first run everything is fine, the database's absence included, and nothing is created."""
    async with world(tmp_path) as settings:
        telegram, provider, database = await look(settings)
    assert telegram.fine
    assert "@darkroom_bot" in telegram.words
    assert "privacy mode on" in telegram.words
    assert provider == Finding("gptge", fine=True, words="the key is good")
    assert database.fine
    assert list(tmp_path.iterdir()) == []


async def test_it_works_while_the_bot_runs(tmp_path: Path) -> None:
    """A database that is open, locked by its owner and being written to is only read."""
    async with world(tmp_path) as settings:
        db = await open_database(settings.database_url.get_secret_value())
        async with db.begin():
            database = (await look(settings))[-1]
        await db.close()
    assert database == Finding("database", fine=True, words=f"schema {HEAD}")


async def test_wrong_keys_are_told_without_showing_them(tmp_path: Path) -> None:
    """A bad token and a bad key are two rows that name what to mend, and show neither."""
    async with world(tmp_path, key="sk-bad", token="1:AAwrong") as settings:
        telegram, provider, _ = await look(settings)
    assert (telegram.fine, provider.fine) == (False, False)
    assert "DARKROOM_BOT_TOKEN" in telegram.words
    assert "refused" in provider.words
    assert "AAwrong" not in telegram.words
    assert "sk-bad" not in provider.words


async def test_nobody_answers(tmp_path: Path) -> None:
    """With Telegram and provider out of reach both rows fail, with a sentence each."""
    telegram_url, url = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    settings = Settings(
        bot_token=SecretStr(TOKEN),
        bot_api_url=telegram_url,
        gptge_url=url,
        gptge_token=SecretStr(KEY),
        database_url=SecretStr(f"sqlite:///{tmp_path / 'darkroom.db'}"),
    )
    telegram, provider, _ = await look(settings)
    assert not telegram.fine
    assert not provider.fine
    assert provider.words.startswith(url)


async def test_a_silent_server_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that takes too long is a failed one."""
    monkeypatch.setattr(check, "SECONDS", 0.0)
    async with world(tmp_path) as settings:
        findings = await look(settings)
    assert [finding.words for finding in findings[:2]] == ["no answer within 0 s"] * 2


def test_databases_that_cannot_be_used(tmp_path: Path) -> None:
    """Another schema, a file that is no database and a missing folder are told apart."""
    with closing(sqlite3.connect(tmp_path / "old.db")) as old:
        old.execute("CREATE TABLE alembic_version (version_num)")
        old.execute("INSERT INTO alembic_version VALUES ('zz')")
        old.commit()
    (tmp_path / "text.db").write_text("no database at all " * 100)
    words = []
    for name in ("old.db", "text.db", "missing/x.db"):
        url = SecretStr(f"sqlite:///{tmp_path / name}")
        finding = check._file(Settings(bot_token=SecretStr(TOKEN), gptge_token=SecretStr(KEY), database_url=url))
        assert not finding.fine
        words.append(finding.words)
    assert "schema zz" in words[0]
    assert "not a database" in words[1]
    assert "not a folder" in words[2]


def on_server(url: str) -> Settings:
    """Give settings that name a PostgreSQL database, with a password that the test's server does not ask for."""
    url = url.replace("@", ":hunter2@")
    return Settings(bot_token=SecretStr(TOKEN), gptge_token=SecretStr(KEY), database_url=SecretStr(url))


async def test_a_server(server_url: str) -> None:
    """Of a PostgreSQL server the row says where it is, which schema the database has, and which processes live."""
    db = await open_database(server_url)
    for role in ("web", "worker", "web"):
        await Membership(db, role).join()
    await db.close()
    found = await check._server(on_server(server_url))
    assert found == Finding(
        "database", fine=True, words=f"PostgreSQL at 127.0.0.1, schema {HEAD}; processes: 2 web, 1 worker"
    )


async def test_a_server_that_cannot_be_used(server_url: str, postgres: Server) -> None:
    """One that is away, a newer schema and a database that is not there are told apart, an empty one is no trouble."""
    with psycopg.connect(server_url, autocommit=True) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    wrong = {
        server_url: "newer than this program's",
        postgres.url("nowhere"): 'database "nowhere" does not exist',
        "postgresql://u@127.0.0.1:9/x": "refused",
    }
    for url, words in wrong.items():
        found = await check._server(on_server(url))
        assert not found.fine
        assert words in found.words
        assert "hunter2" not in found.words
    assert "is empty" in (await check._server(on_server(postgres.url("postgres")))).words


def test_a_run_without_its_server(clean: pytest.MonkeyPatch, server_url: str) -> None:
    """When the server is away or its schema is newer it ends with one sentence, which holds no password."""
    with psycopg.connect(server_url, autocommit=True) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    clean.setenv("DARKROOM_BOT_TOKEN", "1:AAwrong")
    clean.setenv("DARKROOM_GPTGE_TOKEN", "sk-bad")
    for url, why in ((server_url, "newer than"), ("postgresql://u:hunter2@127.0.0.1:9/x", "refused")):
        clean.setenv("DARKROOM_DATABASE_URL", url)
        result = CliRunner().invoke(cli.app, ["worker"])
        assert result.exit_code == 1
        assert why in result.output
        assert "hunter2" not in result.output
        assert "Traceback" not in result.output


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_part_needs_a_server(clean: pytest.MonkeyPatch, role: str) -> None:
    """With SQLite, which is one process's, `darkroom web` and `darkroom worker` say what they need, once for all."""
    clean.setenv("DARKROOM_BOT_TOKEN", "1:AAwrong")
    clean.setenv("DARKROOM_GPTGE_TOKEN", "sk-bad")
    result = CliRunner().invoke(cli.app, [role])
    assert result.exit_code == cli.WRONG_SETTINGS  # deploy/darkroom.service tries again after any other
    assert result.output.count("\n") == 1
    assert "PostgreSQL" in result.output


def test_the_table_shows_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a finding says, it is cleaned like a log line, and its text is no markup."""
    show([Finding("a", fine=True, words="[bold]x"), Finding("b", fine=False, words="at /bot9:zz/")], Redactor(["9:zz"]))
    out = capsys.readouterr().out
    assert "[bold]x" in out
    assert "9:zz" not in out


@pytest.mark.parametrize("command", ["run", "check"])
def test_wrong_settings_end_in_lines_and_status_2(clean: pytest.MonkeyPatch, command: str) -> None:
    """An operator's error is one line each on standard error, without a traceback."""
    clean.setenv("DARKROOM_CONCURRENCY", "many")
    result = CliRunner().invoke(cli.app, [command])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == [
        "DARKROOM_BOT_TOKEN", "DARKROOM_GPTGE_TOKEN", "DARKROOM_CONCURRENCY",
    ]  # fmt: skip


def test_check_ends_with_1_when_something_fails(clean: pytest.MonkeyPatch) -> None:
    """The command prints the table and its exit status can be used by a script."""
    clean.setenv("DARKROOM_BOT_TOKEN", "1:AAwrong")
    clean.setenv("DARKROOM_BOT_API_URL", "http://127.0.0.1:9")
    clean.setenv("DARKROOM_GPTGE_URL", "http://127.0.0.1:9")
    clean.setenv("DARKROOM_GPTGE_TOKEN", "sk-bad")
    result = CliRunner().invoke(cli.app, ["check"])
    assert result.exit_code == 1
    assert "✗" in result.stdout
    assert "database" in result.stdout
    assert "AAwrong" not in result.output


def test_a_second_run_on_one_database_says_so(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`darkroom run` beside a running one ends with a sentence instead of sharing its database."""
    clean.setenv("DARKROOM_BOT_TOKEN", "1:AAwrong")
    clean.setenv("DARKROOM_GPTGE_TOKEN", "sk-bad")
    with asyncio.Runner() as other:
        db = other.run(open_database(f"sqlite:///{tmp_path / 'darkroom.db'}"))
        result = CliRunner().invoke(cli.app, ["run"])
        other.run(db.close())
    assert result.exit_code == 1
    assert "another darkroom" in result.output


def test_the_module_is_the_command() -> None:
    """`python -m bot` is `darkroom`, name and all."""
    done = subprocess.run([sys.executable, "-m", "bot", "--help"], capture_output=True, text=True, check=True)
    assert "Usage: darkroom" in done.stdout
