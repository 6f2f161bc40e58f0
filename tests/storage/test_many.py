"""Many processes on one PostgreSQL: nobody spends what another has spent, and the books balance."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE

from storage import audit, ledger, quotas
from storage.ledger import UNLIMITED, Terms
from tests.databases import raw, reached
from tests.storage.spender import LIMITED, SLOT

DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


async def test_processes_that_spend_at_once(server_url: str) -> None:
    """Two processes get exactly 5 wherever 5 are; while groups move, nothing is lost, or waits in a circle."""
    async with reached(server_url) as db:
        async with db.begin() as conn:
            await ledger.grant(conn, 1, 2, Terms(3), by=1, source="two more than the allowance")
            await ledger.set_allowance(conn, 2, UNLIMITED)
            await quotas.set_member_cap(conn, 2, 5)
            deadlocks = await raw(conn, DEADLOCKS)
        command = [sys.executable, "-m", "tests.storage.spender", server_url]
        spenders = [await asyncio.create_subprocess_exec(*command, one, stdin=PIPE, stdout=PIPE) for one in "12"]
        for spender in spenders:
            assert spender.stdout is not None
            assert await spender.stdout.readline() == b"ready\n"
        said = await asyncio.gather(*(spender.communicate(b"go\n") for spender in spenders))
        assert [spender.returncode for spender in spenders] == [0, 0]
        one, other = (json.loads(out) for out, _ in said)
        assert [each + more for each, more in zip(one, other, strict=True)] == [5] * len(LIMITED)

        async with db.read() as conn:
            found = await audit.differences(conn)
            assert await raw(conn, DEADLOCKS) == deadlocks
        # What was spent of the five places, but for the rate, was spent without jobs; all else was with.
        assert {(each.what, int(each.who) >= SLOT) for each in found} == {("hold outliving its job", True)}
        assert len(found) == 5 * (len(LIMITED) - 1)
