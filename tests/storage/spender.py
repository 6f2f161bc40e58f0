"""A process that spends and earns in a hurry, for test_many.py: `python -m tests.storage.spender URL NUMBER OF`."""

import asyncio
import json
import random
import sys
from functools import partial
from typing import Protocol

from storage import chats, jobs, ledger, payments, people, quotas
from storage.connection import Connection
from storage.database import Database
from storage.ledger import UNLIMITED, Terms
from tests.databases import reached
from tests.storage.test_jobs import COLUMNS

TRIES = 25
"""Of each kind a process."""

SLOT = 1_000_000
"""Every process numbers its jobs from its number times this."""

TODAY = 2e9
"""Not the real one: at midnight all may spend again."""

RATE = people.Rate(5, 3600.0)
MOVES = {-group: -1000 - group for group in range(1, 9)}


class Try(Protocol):
    """A try to spend one credit in a transaction; gives None when it was let through."""

    async def __call__(self, conn: Connection, *, number: int) -> object:
        """Spend for the job `number`."""


async def of_balance(conn: Connection, number: int) -> object:
    """Spend a chat's allowance and what it was granted: 3 and 2."""
    return await ledger.hold(conn, 1, number, 1, Terms(3), now=TODAY)


async def of_member(conn: Connection, number: int) -> object:
    """Spend a member's 5 of an unlimited group."""
    return await ledger.hold(conn, 2, number, 1, Terms(UNLIMITED), user_id=70, now=TODAY)


async def of_person(conn: Connection, number: int) -> object:
    """Spend a person's 5 free credits of the day, in ever another chat."""
    return await ledger.hold(conn, 100 + number, number, 1, Terms(9, person_cap=5), user_id=80, now=TODAY)


async def of_all(conn: Connection, number: int) -> object:
    """Spend of the 5 that all chats together may spend in a day, one that has none of the others."""
    return await ledger.hold(conn, number, number, 1, Terms(9, spend_cap=5), now=1e9)


async def of_rate(conn: Connection, number: int) -> object:  # noqa: ARG001  as the others
    """Send at a person's rate."""
    return await people.wait_of(conn, 90, RATE) or None


LIMITED: list[Try] = [of_balance, of_member, of_person, of_all, of_rate]
KINDS = ("ask", "ask", "end", "end", "grant", "pay", "refund", "move", "meet")


async def count(db: Database, kind: Try, first: int) -> int:
    """Try TRIES times at once, and count what was let through."""
    numbers = range(first, first + TRIES)
    return (await asyncio.gather(*(db.transact(partial(kind, number=number)) for number in numbers))).count(None)


async def live(conn: Connection, number: int, dice: random.Random, known: list[int]) -> None:
    """Do one of the things that happen to groups, which become supergroups meanwhile; both tell so, perhaps late."""
    old, new = dice.choice(list(MOVES.items()))
    chat = dice.choice([old, new])
    what, terms = dice.choice(KINDS), Terms(5)
    if what == "ask":
        await conn.lock(f"chat {chat}")
        row = await jobs.add(conn, **COLUMNS | {"chat_id": chat, "source": f"s{number}"})
        assert row is not None
        if await ledger.hold(conn, chat, row, dice.randint(1, 3), terms, user_id=dice.randint(1, 3)) is None:
            known.append(row)
        else:
            await jobs.update(conn, row, state="failed", told=1)
    elif what == "end" and known:
        row = dice.choice(known)
        if dice.random() < 0.7:
            await ledger.settle(conn, row, dice.randint(0, 2))
        else:
            await ledger.release(conn, row)
        await jobs.update(conn, row, state="delivered", told=1)
    elif what == "grant":
        await ledger.grant(conn, chat, 2, terms, by=1, source=f"g{number}")
    elif what == "pay":
        await payments.credit(conn, chat, terms, charge_id=f"p{number % 40}", user_id=1, credits=3, stars=9)
    elif what == "refund":
        await payments.reverse(conn, f"p{dice.randrange(40)}", terms)
    elif what == "move":
        await chats.migrate(conn, old, new)
    else:
        await chats.remember(conn, chat, kind="group", title=f"t\0{chat}", username=None)
        await quotas.set_member_cap(conn, chat, 9)


async def main(url: str, number: int) -> None:
    """Open, wait for the word on the input, spend, and say as JSON how much of each was let through."""
    first = number * SLOT
    async with reached(url, own=False) as db:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        passed = [await count(db, kind, first + TRIES * place) for place, kind in enumerate(LIMITED)]
        one = partial(live, dice=random.Random(number), known=[])  # noqa: S311  no secret
        for start in range(first, first + 120, 12):
            await asyncio.gather(*(db.transact(partial(one, number=n)) for n in range(start, start + 12)))
    sys.stdout.write(json.dumps(passed) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
