"""The command line: `darkroom run`, `web`, `worker`, `check`, `audit`, `reconcile` and `move`."""

from __future__ import annotations

import asyncio
from pathlib import Path  # noqa: TC003  typer reads the annotation
from typing import TYPE_CHECKING, Annotated, NoReturn

import structlog
import typer
import uvloop

from bot import logs
from bot.roles import Role
from bot.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

WRONG_SETTINGS = 2  # the exit status, apart from 1 for everything that fails later
CANNOT_LOOK = 3  # no database or no Telegram: that is no difference in the books

app = typer.Typer(
    help="A Telegram bot that develops people's photos. Settings: DARKROOM_* in the environment or .env, see README.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would show local variables, keys among them
)


def _settings() -> Settings:
    """Read the settings, or tell every wrong one on standard error and leave."""
    try:
        return load_settings()
    except SettingsError as error:
        for line in error.lines:
            typer.echo(line, err=True)
        raise typer.Exit(WRONG_SETTINGS) from None


@app.command()
def run() -> None:
    """Run the bot until SIGTERM or Ctrl-C; on PostgreSQL any number of times."""
    _run(Role.RUN)


@app.command()
def web() -> None:
    """Run only what hears and answers people, any number of times beside `worker`; needs PostgreSQL."""
    _run(Role.WEB)


@app.command()
def worker() -> None:
    """Run only what works on photos, any number of times beside `web` or `run`; needs PostgreSQL."""
    _run(Role.WORKER)


def _run(role: Role) -> NoReturn:
    settings = _settings()
    logs.configure(settings.log_level, settings.log_format, settings.secrets())
    if role is not Role.RUN and not settings.on_server:
        structlog.get_logger().error(
            "cannot start",
            why=f"`darkroom {role}` shares a PostgreSQL database with other processes: set DARKROOM_DATABASE_URL to"
            " postgresql://…, or start `darkroom run`, which does everything",
        )
        raise typer.Exit(WRONG_SETTINGS)
    import bot.app  # noqa: PLC0415  loads Telegram, HTTP and the database; wrong settings are told without them

    raise typer.Exit(uvloop.run(bot.app.run(settings, role)))


@app.command()
def check() -> None:
    """Test the bot token, each provider's key and the database, also while the bot runs."""
    settings = _settings()
    redactor = logs.configure("ERROR", settings.log_format, settings.secrets())
    import bot.check  # noqa: PLC0415  as above

    findings = asyncio.run(bot.check.look(settings))
    bot.check.show(findings, redactor)
    raise typer.Exit(0 if all(finding.fine for finding in findings) else 1)


@app.command()
def audit() -> None:
    """Recompute every balance from the ledger; tell each difference, and exit with 1 if there is one."""
    settings = _settings()
    import bot.books  # noqa: PLC0415  as above

    _report(lambda: asyncio.run(bot.books.find_differences(settings)))


@app.command()
def reconcile() -> None:
    """Compare the ledger with Telegram's list of Star transactions; exit with 1 if they differ."""
    settings = _settings()
    logs.configure("ERROR", settings.log_format, settings.secrets())
    import bot.books  # noqa: PLC0415  as above
    import bot.outside  # noqa: PLC0415  as above

    async def compare() -> list[str]:
        async with bot.outside.make_bot(settings) as client:
            return await bot.books.reconcile(settings, client)

    _report(lambda: asyncio.run(compare()))


@app.command()
def move(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
    """Copy an SQLite FILE into the empty PostgreSQL database of the settings, while no bot runs, and audit that."""
    settings = _settings()
    if not settings.on_server:
        typer.echo("DARKROOM_DATABASE_URL: should be the PostgreSQL database to move to", err=True)
        raise typer.Exit(WRONG_SETTINGS)
    import bot.books  # noqa: PLC0415  as above
    import storage.moving  # noqa: PLC0415  as above

    async def bring() -> list[str]:
        await storage.moving.move(file, settings.database_url.get_secret_value())
        return await bot.books.find_differences(settings)

    _report(lambda: asyncio.run(bring()), "move")


def _report(look: Callable[[], list[str]], what: str = "look") -> NoReturn:
    """Show what was found, or that nothing was, and leave with what it means."""
    try:
        found = look()
    except Exception as error:  # noqa: BLE001  whatever it is, the operator gets a sentence
        from storage.database import DatabaseError  # noqa: PLC0415  as above
        from storage.migrations import SchemaError  # noqa: PLC0415  as above

        known = isinstance(error, DatabaseError | SchemaError)  # what else is in an exception may be a secret
        typer.echo(f"cannot {what}: {error if known else type(error).__name__}", err=True)
        raise typer.Exit(CANNOT_LOOK) from None
    for line in found or ["no differences"]:
        typer.echo(line)
    raise typer.Exit(1 if found else 0)


def main() -> None:
    """Run the command line under the program's name, however it was called."""
    app(prog_name="darkroom")
