"""Whether quota check and job insert stay as quick from an empty database to a million chats."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import quantiles
from typing import Any

from imaging.operations import Colorize
from jobs.dispatch import Accepted, Desk
from jobs.job import Picture, Request
from storage import ledger
from storage.database import Connection, Database
from storage.opening import open_database

TERMS = ledger.Terms(10**6)
KINDS = ("quota", "glance", "insert")
TURNS = 8


class _Nobody:
    """Takes jobs and lets them lie."""

    async def admit(self, conn: Connection, chat_id: int) -> None:
        """Hand out nothing."""

    def enqueue(self, chat_id: int, job_id: int, *, at_once: bool = False) -> None:
        """Do nothing."""

    async def cancel(self, job_id: int) -> bool:
        """Cancel nothing."""
        return bool(job_id)


def fill(path: Path, *, chats: int, entries: int) -> None:
    """Write `chats` chats with a balance each and `entries` ledger rows, a hold and its settling by turns."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for begin in ("PRAGMA synchronous=OFF", "PRAGMA cache_size=-500000", "BEGIN"):
            db.execute(begin)
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})"
        for table, count, columns in (
            ("chats", chats, {"chat_id": "i", "kind": "'private'", "title": "'Ann'", "username": "'ann' || i"}),
            ("balances", chats, {"chat_id": "i", "period": "'2026-01-01'", "used": "1"}),
            (
                "ledger",
                entries,
                {
                    "chat_id": f"(i / 2 * 7919) % {chats} + 1",
                    "kind": "CASE WHEN i % 2 THEN 'settle' ELSE 'hold' END",
                    "job_id": "-(i / 2) - 1",
                    "credits": "1",
                    "period": "'2026-01-01'",
                    "at": "1767225600.0 + i",
                },
            ),
        ):
            _fill(db, table, numbers.format(count), columns)
        for end in ("COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)"):
            db.execute(end)


def _fill(db: sqlite3.Connection, table: str, numbers: str, columns: dict[str, str]) -> None:
    """Insert a row for each number `i`; columns that must not be null and are not named become 0."""
    described = db.execute(f"PRAGMA table_info({table})").fetchall()
    needed = {name: "0" for _, name, _, notnull, default, key in described if notnull and default is None and not key}
    values = needed | columns
    db.execute(f"{numbers} INSERT INTO {table} ({', '.join(values)}) SELECT {', '.join(values.values())} FROM n")  # noqa: S608  our own words


async def growth(folder: Path, *, chats: int, entries: int, samples: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Time all on an empty and on a full database by turns, so that the machine's moods fall on both alike."""
    empty, full = folder / "empty.db", folder / "full.db"
    for path in (empty, full):
        await (await open_database(f"sqlite:///{path}")).close()
    say(f"filling a database with {chats:,} chats and {entries:,} ledger rows")
    began = time.monotonic()
    await asyncio.to_thread(fill, full, chats=chats, entries=entries)
    say(f"filled in {time.monotonic() - began:.0f} s; asking and inserting {samples} times in each")
    times: dict[str, dict[str, list[float]]] = {name: {kind: [] for kind in KINDS} for name in ("empty", "full")}
    for turn in range(TURNS):
        # On which core a driver's thread wakes makes a tenth of a millisecond, and that is settled when it is made.
        order = (empty, full) if turn % 2 else (full, empty)
        databases = {path.stem: await open_database(f"sqlite:///{path}") for path in order}
        each = samples // TURNS
        warming = min(50, each)
        for number in range(warming + each):
            chat = (turn * each + number) * 104_729 % chats + 1
            for name, db in databases.items():
                took = await _one(db, chat, turn * 2 * each + number)
                if number >= warming:
                    for kind, seconds in took.items():
                        times[name][kind].append(seconds * 1000)
        for db in databases.values():
            await db.close()
    p99 = {name: {kind: quantiles(found, n=100)[98] for kind, found in kinds.items()} for name, kinds in times.items()}
    p50 = {name: {kind: quantiles(found, n=100)[49] for kind, found in kinds.items()} for name, kinds in times.items()}
    ratio = {kind: p99["full"][kind] / p99["empty"][kind] for kind in KINDS}
    return {"chats": chats, "entries": entries, "samples": samples, "p50_ms": p50, "p99_ms": p99, "ratio": ratio}


async def _one(db: Database, chat: int, number: int) -> dict[str, float]:
    """Check a quota where it decides, in a transaction that may write; glance at another's; accept a request."""
    other = chat * 7919 % 1_000_003 + 1
    began = time.perf_counter()
    await db.transact(lambda conn: ledger.quota(conn, chat, TERMS))
    checked = time.perf_counter()
    await db.look(lambda conn: ledger.quota(conn, other, TERMS))
    asked = time.perf_counter()
    picture = Picture(f"f{number}", f"u{number}", "photo")
    request = Request(chat, None, chat, number, f"m{number}", 0, picture, Colorize(), "en")
    outcome = await Desk(db, _Nobody(), TERMS, {"colorize": 1}).accept([request])
    if not isinstance(outcome, Accepted):
        raise TypeError(outcome)
    return {"quota": checked - began, "glance": asked - checked, "insert": time.perf_counter() - asked}
