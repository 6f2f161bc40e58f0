"""`darkroom check`: is the token good, are the providers' keys, is the database; changes nothing anywhere."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table
from rich.text import Text
from telegram.error import InvalidToken, TelegramError

from bot.outside import make_bot, make_providers
from imaging.errors import ImagingError, KeyRefused
from jobs.membership import LEASE_SECONDS
from storage import processes
from storage.database import DatabaseError
from storage.migrations import HEAD, EmptyError, SchemaError, bring_up
from storage.opening import open_database

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from bot.logs import Redactor
    from bot.settings import Settings
    from imaging.provider import Provider

SECONDS = 15.0  # longest time for one check


@dataclass(frozen=True, slots=True)
class Finding:
    """One row: what was tested, whether it is fine, and a sentence."""

    part: str
    fine: bool
    words: str


async def look(settings: Settings) -> list[Finding]:
    """Run all checks side by side; never raises for what an operator can mend."""
    checks = [
        ("Telegram", _telegram(settings)),
        *((it.name, _provider(it, getattr(settings, f"{it.name}_url"))) for it in make_providers(settings)),
        ("database", _server(settings) if settings.on_server else asyncio.to_thread(_file, settings)),
    ]
    return list(await asyncio.gather(*(_in_time(part, check) for part, check in checks)))


async def _in_time(part: str, check: Awaitable[Finding]) -> Finding:
    try:
        async with asyncio.timeout(SECONDS):
            return await check
    except TimeoutError:
        return Finding(part, fine=False, words=f"no answer within {SECONDS:.0f} s")


async def _telegram(settings: Settings) -> Finding:
    try:
        async with make_bot(settings) as bot:
            me = bot.bot
    except InvalidToken:
        return Finding("Telegram", fine=False, words="this bot token is not known: see DARKROOM_BOT_TOKEN")
    except TelegramError as error:
        return Finding("Telegram", fine=False, words=f"{settings.bot_api_url}: {error.message}")
    privacy = "off: it sees every message in groups" if me.can_read_all_group_messages else "on"
    return Finding("Telegram", fine=True, words=f"@{me.username}, id {me.id}, privacy mode {privacy}")


async def _provider(provider: Provider, url: str) -> Finding:
    try:
        await provider.check()
    except KeyRefused:
        return Finding(provider.name, fine=False, words="the key was refused, or is not enabled for this service")
    except ImagingError as error:
        return Finding(provider.name, fine=False, words=f"{url}: {error}")
    finally:
        await provider.aclose()
    return Finding(provider.name, fine=True, words="the key is good")


def _file(settings: Settings) -> Finding:
    path = Path(sa.make_url(settings.database_url.get_secret_value()).database or "")
    if not path.exists():
        fine = os.access(path.parent, os.W_OK)
        words = "not there yet: `darkroom run` makes it" if fine else f"{path.parent} is not a folder I can write to"
        return Finding("database", fine=fine, words=words)
    try:
        bring_up(path, upgrade=False)
    except (SchemaError, sqlite3.Error) as error:
        return Finding("database", fine=False, words=str(error))
    if not os.access(path, os.W_OK):
        return Finding("database", fine=False, words=f"{path} cannot be written to")
    return Finding("database", fine=True, words=f"schema {HEAD}")


async def _server(settings: Settings) -> Finding:
    url = sa.make_url(settings.database_url.get_secret_value())
    where = f"PostgreSQL at {url.host or 'this machine'}"
    try:
        db = await open_database(settings.database_url.get_secret_value(), own=False)
    except EmptyError:
        return Finding("database", fine=True, words=f"{where}, {url.database} is empty: the first start fills it")
    except (DatabaseError, SchemaError) as error:
        return Finding("database", fine=False, words=str(error))
    try:
        roles = Counter(await db.look(lambda conn: processes.alive(conn, LEASE_SECONDS)))
    except db.Error as error:
        return Finding("database", fine=False, words=f"{where}: {error}")
    finally:
        await db.close()
    living = ", ".join(f"{n} {role}" for role, n in sorted(roles.items())) or "none"
    return Finding("database", fine=True, words=f"{where}, schema {HEAD}; processes: {living}")


def show(findings: list[Finding], redactor: Redactor) -> None:
    """Print the table, secrets blotted out as in the logs."""
    table = Table("", "part", "found")
    for finding in findings:
        mark = Text("✓", style="green") if finding.fine else Text("✗", style="bold red")
        table.add_row(mark, Text(finding.part), Text(redactor.clean(finding.words)))
    Console().print(table)
