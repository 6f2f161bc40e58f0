"""Many processes on one PostgreSQL, behind a balancer: each can be killed, told to end, frozen and started anew."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from storage import processes
from storage.opening import open_database
from tests import postgres
from tests.journeys.chaos_balancer import Balancer, balancing
from tests.journeys.chaos_evidence import WITNESSES
from tests.journeys.chaos_hosts import DATABASE, NETWORK, Host
from tests.journeys.chaos_house import Outside, Row, outside
from tests.journeys.stage import STOP_SECONDS, TOKEN, free_port, surroundings

READY_SECONDS = 60.0
QUIET_SECONDS = 90.0


@dataclass
class Replica:
    """A place for a process: `lives` counts those it had; `frozen` is whether it is stopped for a while.

    On a host of its own it serves nobody, for there is no way in.
    """

    name: str
    role: str
    port: int
    lives: int = 0
    child: asyncio.subprocess.Process | None = None
    frozen: bool = False
    host: Host | None = None

    @property
    def life(self) -> str:
        """The name of the process that it has now."""
        return f"{self.name}.{self.lives}"

    @property
    def runs(self) -> bool:
        """Whether it has a process that has not ended."""
        return self.child is not None and self.child.returncode is None

    def signal(self, number: int) -> None:
        """Send the process a signal, which an ended one does not hear."""
        if self.child is not None and self.runs:
            self.child.send_signal(number)


@dataclass(kw_only=True)
class Fleet(Outside):
    """The replicas, their database server and their balancer.

    `ends` says how lives ended, `frozen` which processes were stopped or cut off for a while, by their number in the
    database, `fallen` which lives ended without being told to.
    """

    server: postgres.Server
    url: str
    balancer: Balancer
    replicas: list[Replica]
    ends: dict[str, str] = field(default_factory=dict)
    exit_codes: dict[str, int] = field(default_factory=dict)
    frozen: set[int] = field(default_factory=set)
    fallen: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int | None:
        """0 when all that were told to end did so."""
        return max(map(abs, self.exit_codes.values()), default=None)

    def surroundings(self, **own: str) -> dict[str, Any]:
        """Give what to start a process with."""
        return surroundings(self.folder, self.env | own)

    async def start(self, replica: Replica) -> None:
        """Start a process in a replica's place; the server knows whose connections are its."""
        replica.lives += 1
        own = {"PGOPTIONS": f"-c darkroom.life={replica.life}"}
        if replica.host:
            own["DARKROOM_DATABASE_URL"] = self.url.replace("127.0.0.1", DATABASE)
        else:
            own["DARKROOM_HTTP_PORT"] = str(replica.port)
        with (self.folder / f"{replica.name}.log").open("ab") as log:
            replica.child = await asyncio.create_subprocess_exec(
                *(replica.host.command if replica.host else ()),
                *(sys.executable, "-m", "bot", replica.role),
                stdout=log,
                stderr=log,
                **self.surroundings(**own),
            )

    async def start_all(self) -> None:
        """Start a process in each place that has none, all at once."""
        await asyncio.gather(*(self.start(each) for each in self.replicas if each.child is None))

    async def made(self) -> None:
        """Wait until somebody has made the tables."""
        async with asyncio.timeout(READY_SECONDS):
            while not self.rows("SELECT 1 FROM pg_tables WHERE tablename = 'rates'"):
                await asyncio.sleep(0.05)

    async def ready(self, replicas: Sequence[Replica]) -> None:
        """Wait until each process has registered in the database and listens."""
        async with asyncio.timeout(READY_SECONDS):
            for each in replicas:
                while each.runs and not ((each.host or await _listens(each.port)) and self._registered(each.life)):
                    await asyncio.sleep(0.1)

    async def look_after(self) -> int:
        """Start anew what ended by itself, as a supervisor does; give how many could not even start."""
        never = 0
        with suppress(psycopg.OperationalError):  # else it waits until the server can tell
            for each in self.replicas:
                if each.child is not None and not each.runs:
                    registered = bool(self.number(each.life))
                    never += not registered
                    self.fallen += [each.life] if registered else []
                    await self.start(each)
        return never

    async def kill(self, replica: Replica) -> None:
        """End a process as a power cut would."""
        await self._gone(replica, signal.SIGKILL)

    async def stop(self, replica: Replica) -> None:
        """Ask a process to end, as a deployment does; it has its time."""
        told = self._registered(replica.life)  # before that the signal ends it as it would any program
        code = await self._gone(replica, signal.SIGTERM, STOP_SECONDS)
        if told:
            self.exit_codes[replica.life] = code

    async def _gone(self, replica: Replica, number: signal.Signals, seconds: float | None = None) -> int:
        """Send a signal and wait for the end; give the exit code."""
        assert replica.child is not None
        self.ends[replica.life] = number.name
        replica.signal(number)
        child, replica.child = replica.child, None
        try:
            code = await asyncio.wait_for(child.wait(), seconds)
        except TimeoutError:
            child.kill()
            code = await child.wait()
        return code

    def freeze(self, replica: Replica) -> None:
        """Stop a process where it stands; it keeps its connections and hears nothing."""
        replica.signal(signal.SIGSTOP)
        replica.frozen = True
        self.frozen.add(self.number(replica.life))

    def thaw(self, replica: Replica) -> None:
        """Let it go on as if no time had passed."""
        replica.signal(signal.SIGCONT)
        replica.frozen = False

    async def settle(self, hosts: Sequence[Host]) -> None:
        """Give each replica a host of its own, and let those reach the server."""
        await asyncio.to_thread(self.server.admit, NETWORK, at=DATABASE)
        for each, host in zip(self.replicas, hosts, strict=True):
            each.host = host

    async def end(self) -> None:
        """Ask all processes to end."""
        for each in self.replicas:
            if each.frozen:
                self.thaw(each)
        living = [each for each in self.replicas if each.child is not None]
        await asyncio.gather(*(self.stop(each) for each in living))

    def rows(self, query: str, **values: object) -> list[Row]:
        """Ask the database. Raises psycopg.OperationalError while it is away."""
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row, connect_timeout=5) as db:
            return db.execute(query.encode(), values or None).fetchall()

    def watch(self) -> None:
        """Have the database write down who takes what over: see chaos_evidence."""
        with psycopg.connect(self.url, autocommit=True) as db:
            db.execute(WITNESSES)

    async def bury(self, *lives: str) -> None:
        """Let others have what belongs to these processes, as they would themselves when the lease is over."""
        db = await open_database(self.url, own=False)
        for number in map(self.number, lives):
            await db.transact(lambda conn, gone=number: processes.leave(conn, gone))  # type: ignore[misc]  # mypy cannot type a lambda's default
        await db.close()

    def number(self, life: str) -> int:
        """Give the newest id under which a process has registered; 0 while it has none."""
        found = self.rows("SELECT max(process) AS id FROM chaos_lives WHERE life = %(life)s", life=life)
        return int(found[0]["id"] or 0)

    def _registered(self, life: str) -> bool:
        try:
            return bool(self.number(life))
        except psycopg.OperationalError:
            return False

    async def quiet(self) -> bool:
        """Wait until nothing is left to do anywhere; False when that takes too long."""
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                while await self._busy():
                    await asyncio.sleep(0.2)
        except TimeoutError:
            return False
        return True

    async def _busy(self) -> bool:
        if (await self.tg.do("bot", token=TOKEN))["pending"]:
            return True
        query = """
            SELECT 1 FROM jobs WHERE told = 0 UNION ALL SELECT 1 FROM inbox WHERE done_at IS NULL
            UNION ALL SELECT 1 FROM albums WHERE due_at IS NOT NULL LIMIT 1
        """
        return bool(self.rows(query))


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@asynccontextmanager
async def chaos_fleet(
    folder: Path,
    roles: Sequence[str],
    *,
    webhook: bool = True,
    seconds: tuple[float, float] = (0.1, 1.2),
    answer: tuple[float, float] = (0.0, 0.4),
    durable: bool = True,
    **settings: str,
) -> AsyncIterator[Fleet]:
    """Start sandbox, vendor, PostgreSQL and balancer, and no process of the bot; its database is empty.

    `settings` are more DARKROOM_ settings, in lower case.
    """
    counted = [f"{role}-{roles[: at + 1].count(role)}" for at, role in enumerate(roles)]
    replicas = [Replica(name, role, free_port()) for name, role in zip(counted, roles, strict=True)]
    fronts = [each.port for each in replicas if each.role != "worker"]
    async with postgres.cluster(durable=durable) as server, balancing(fronts) as balancer:
        url = await asyncio.to_thread(server.create, "darkroom", "template0")
        settings = {"database_url": url} | ({"public_url": balancer.url} if webhook else {}) | settings
        async with outside(folder, seconds=seconds, answer=answer, **settings) as there:
            fleet = Fleet(
                there.tg,
                there.vendor,
                folder,
                there.env,
                server=server,
                url=url,
                balancer=balancer,
                replicas=replicas,
            )
            try:
                yield fleet
            finally:
                await fleet.end()
