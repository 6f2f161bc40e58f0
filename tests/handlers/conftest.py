"""A bot that is whole but for its edges."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from telegram.ext import ApplicationBuilder, ExtBot

import handlers
from handlers.context import CONTEXT_TYPES, App, House
from handlers.words import Words
from jobs.dispatch import Desk
from storage.database import Database
from storage.ledger import Terms
from storage.opening import open_database
from storage.tables import jobs
from tests.handlers.telegram_wire import Dispatched, Wire, receive

WORDS = Words()
COSTS = {"colorize": 1, "enhance": 1, "idphoto": 1, "cutout": 1}
NOON = f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"
"""Where it is noon, so that no test meets midnight, after which all may spend again."""


@dataclass
class Stage:
    """The bot, what it said, and its database."""

    app: App
    wire: Wire
    db: Database
    dispatched: Dispatched

    async def say(self, message: dict[str, Any]) -> str:
        """Have the bot receive a message; give the last thing it has said since, or nothing."""
        before = len(self.wire.texts())
        await receive(self.app, message=message)
        said = self.wire.texts()[before:]
        return said[-1] if said else ""

    async def jobs(self) -> list[dict[str, Any]]:
        """Give the jobs in the database, oldest first."""
        async with self.db.read() as conn:
            return [dict(row) for row in await conn.all(sa.select(jobs).order_by(jobs.c.id))]


async def open_stage(
    path: Path, *, allowance: int = 10, allowed_chats: frozenset[int] | None = None, chat_unfinished: int = 100
) -> Stage:
    """Build a bot on a database at `path`; the caller shuts both down."""
    wire, dispatched = Wire(), Dispatched()
    db = await open_database(f"sqlite:///{path}")
    terms = Terms(allowance=allowance, zone=NOON)
    desk = Desk(db, dispatched, terms, COSTS, chat_unfinished=chat_unfinished)
    bot = ExtBot("99:token", request=wire, get_updates_request=wire)
    builder = ApplicationBuilder().bot(bot).context_types(CONTEXT_TYPES).updater(None).job_queue(None)
    app: App = builder.build()
    admins = frozenset({1})
    handlers.register(app, House(db, desk, WORDS, terms, COSTS, admins, allowed_chats))
    await app.initialize()
    return Stage(app, wire, db, dispatched)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Give a bot with ten credits a chat, open to every chat; its admin is person 1."""
    stage = await open_stage(tmp_path / "bot.db")
    yield stage
    await stage.app.shutdown()
    await stage.db.close()
