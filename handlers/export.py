"""/export: the ledger as a CSV file."""

import asyncio
import csv
import io
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import IO

from telegram import InputFile, Message

from handlers.context import Context, topic_of
from handlers.guards import for_admins
from storage import overview
from storage.database import Row
from storage.tables import ledger

COLUMNS = tuple(column.name for column in ledger.c)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a cell for a formula (OWASP, CSV Injection)."""


@for_admins
async def export(message: Message, context: Context) -> None:
    """/export [since as YYYY-MM-DD]: every entry since then, oldest first."""
    try:
        since = datetime.fromisoformat(context.typed or "1970-01-01")
    except ValueError:
        await context.reply(message, context.say("export_usage"))
        return
    since = since if since.tzinfo else since.replace(tzinfo=UTC)
    count = 0
    with tempfile.TemporaryFile("w+b") as file:
        await asyncio.to_thread(_write, file, [COLUMNS])
        async with context.house.db.read() as conn:
            async for rows in overview.ledger_pages(conn, since.timestamp()):
                await asyncio.to_thread(_write, file, [_cells(row) for row in rows])
                count += len(rows)
        file.seek(0)
        await context.bot.send_document(
            message.chat_id,
            InputFile(file, filename=f"ledger-{datetime.now(UTC):%Y-%m-%d}.csv", read_file_handle=False),
            caption=context.say("export_done", n=count),
            message_thread_id=topic_of(message),
        )


def _cells(row: Row) -> list[object]:
    made = {**row, "at": datetime.fromtimestamp(row["at"], UTC).isoformat(timespec="seconds")}
    return [_safe(made[name]) for name in COLUMNS]


def _safe(cell: object) -> object:
    """Keep a spreadsheet from running what somebody wrote as a reason."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def _write(file: IO[bytes], rows: Sequence[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    file.write(text.getvalue().encode())
