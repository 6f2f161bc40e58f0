"""The command line: `darkroom run` and `darkroom check`."""

from __future__ import annotations

import asyncio

import typer

from bot import logs
from bot.settings import Settings, SettingsError, load_settings

WRONG_SETTINGS = 2  # the exit status, apart from 1 for everything that fails later

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
    """Run the bot until SIGTERM or Ctrl-C."""
    settings = _settings()
    logs.configure(settings.log_level, settings.log_format, settings.secrets())
    import bot.app  # noqa: PLC0415  loads Telegram, HTTP and the database; wrong settings are told without them

    raise typer.Exit(asyncio.run(bot.app.run(settings)))


@app.command()
def check() -> None:
    """Test the bot token, each provider's key and the database, also while the bot runs."""
    settings = _settings()
    redactor = logs.configure("ERROR", settings.log_format, settings.secrets())
    import bot.check  # noqa: PLC0415  as above

    findings = asyncio.run(bot.check.look(settings))
    bot.check.show(findings, redactor)
    raise typer.Exit(0 if all(finding.fine for finding in findings) else 1)


def main() -> None:
    """Run the command line under the program's name, however it was called."""
    app(prog_name="darkroom")
