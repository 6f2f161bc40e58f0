"""PostgreSQL beside SQLite, and several processes on one PostgreSQL: CPU a job, the time to the first step, jobs/s."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.programs import Program, Served, StandIns, environment, program, stand_ins
from tests import postgres
from tests.journeys.stage import free_port, process

Figures = dict[str, Any]
PROVIDER_SECONDS = 1.0
AT_ONCE = (64, 128, 256)
"""Photos under way; each process may work on so many."""

CHATS = 2000
"""So many that no chat comes near the pace of messages to one chat, which no setting changes."""

STARTS_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Tree:
    """A program with all processes it ever starts, as PostgreSQL is one."""

    pid: int

    def cpu(self) -> float:
        """Seconds of CPU so far, of those that run and of those that have ended."""
        children = 0.0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has just ended
                if int(stat.read_text().rpartition(")")[2].split()[1]) == self.pid:
                    children += Program(int(stat.parent.name)).cpu()
        return Program(self.pid).cpu(ended=True) + children


Measured = Mapping[str, Program | Tree]


@dataclass(frozen=True, slots=True)
class Load:
    """What one load took: jobs a second, and the CPU seconds of each program."""

    served: Served
    jobs: int
    cpu: dict[str, float]
    busy: float

    def figures(self, wait: float) -> Figures:
        """Give jobs a second, less a provider's `wait` for the last; CPU ms a job and the share of a core each had.

        `busy` is of all the machine's cores, also by programs that have nothing to do with it.
        """
        seconds = self.served["seconds"]
        return {
            "jobs_per_second": self.jobs / (seconds - wait),
            "cpu_ms": {name: cpu / self.jobs * 1000 for name, cpu in self.cpu.items()},
            "share": {name: cpu / seconds for name, cpu in self.cpu.items()},
            "cores": sum(self.cpu.values()) / seconds,
            "busy": self.busy / seconds,
            "wait_p50": median(self.served["waits"]),
        }


async def replicas(folder: Path, *, jobs: int, rounds: int, waits: int, say: Callable[[str], None]) -> Figures:
    """Measure `run` on both databases by turns, then a web process with one and with two workers."""
    found: Figures = {"race": {}, "first": {}, "slow": {}}
    async with stand_ins(folder) as standins, postgres.cluster(durable=True) as server:
        for number in range(rounds):
            for kind in ("sqlite", "postgresql"):
                say(f"run on {kind}, {number + 1} of {rounds}")
                async with _run(kind, standins, server, folder / f"{kind}{number}") as programs:
                    await standins.load(min(jobs, 400))
                    load = await measured(standins, programs, jobs)
                    found["race"].setdefault(kind, []).append(load.figures(0))
                    found["first"].setdefault(kind, []).extend((await standins.load(waits, at_once=1))["firsts"])
        for workers in (1, 2):
            say(f"a provider that takes {PROVIDER_SECONDS:g} s; web and {workers} worker{'s' * (workers > 1)}")
            async with fleet(standins, server, folder / str(workers), workers, concurrency=max(AT_ONCE)) as programs:
                found["slow"][f"web + {workers}"] = await _sweep(standins, programs, jobs)
        for kind in ("sqlite", "postgresql"):
            say(f"the same; run on {kind}")
            async with _run(kind, standins, server, folder / f"slow {kind}", concurrency=max(AT_ONCE)) as programs:
                found["slow"][f"run, {kind}"] = await _sweep(standins, programs, jobs)
        say("the first step, from web to worker")
        async with fleet(standins, server, folder / "first", 1) as programs:
            await standins.load(50, at_once=1)
            found["first"]["web + 1"] = (await standins.load(waits, at_once=1))["firsts"]
    return summary(found)


def summary(found: Figures) -> Figures:
    """Put the medians of rounds and the quantiles of waits beside what was measured."""
    cuts = {kind: quantiles([one * 1000 for one in firsts], n=20) for kind, firsts in found["first"].items()}
    race = {
        kind: {
            "jobs_per_second": median(one["jobs_per_second"] for one in its),
            "cpu_ms": {name: median(one["cpu_ms"][name] for one in its) for name in its[0]["cpu_ms"]},
        }
        for kind, its in found["race"].items()
    }
    best = {
        who: max(points, key=lambda point: float(point["jobs_per_second"])) for who, points in found["slow"].items()
    }
    first = {kind: {"p50_ms": its[9], "p95_ms": its[18]} for kind, its in cuts.items()}
    return {"median": race, "first": first, "best": best, "every": found}


@asynccontextmanager
async def _run(
    kind: str, standins: StandIns, server: postgres.Server, folder: Path, **settings: object
) -> AsyncIterator[Measured]:
    """Run everything in one process, on one database or the other."""
    folder.mkdir()  # noqa: ASYNC240  nothing else runs here
    given = {name: str(value) for name, value in settings.items()}
    if kind == "postgresql":
        given["database_url"] = await _database(server)
    async with program("darkroom", standins, folder, **given) as (running, _):
        others: Measured = {"postgresql": Tree(server.pid)} if kind == "postgresql" else {}
        yield {"run": running, **others, "stand-ins": Program(standins.pid)}


@asynccontextmanager
async def fleet(
    standins: StandIns, server: postgres.Server, folder: Path, workers: int, **settings: object
) -> AsyncIterator[Measured]:
    """Run a web process, which polls, and so many workers."""
    folder.mkdir()  # noqa: ASYNC240  nothing else runs here
    given = {name: str(value) for name, value in settings.items()} | {"database_url": await _database(server)}
    async with AsyncExitStack() as stack:
        web, _ = await stack.enter_async_context(program("web", standins, folder, **given))
        programs: dict[str, Program | Tree] = {"web": web}
        for number in range(1, workers + 1):
            port = free_port()
            env = environment(standins, folder, **given, http_port=str(port))
            log = folder / f"worker{number}.log"
            child = await stack.enter_async_context(process("bot", "worker", env=env, log=log))
            await _listening(port, child)
            programs[f"worker {number}"] = Program(child.pid)
        yield {**programs, "postgresql": Tree(server.pid), "stand-ins": Program(standins.pid)}


async def _database(server: postgres.Server) -> str:
    """Make an empty database and give its URL."""
    return await asyncio.to_thread(server.create, f"bench_{secrets.token_hex(8)}", "template0")


async def _listening(port: int, child: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(STARTS_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                if child.returncode is not None:
                    raise
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def _sweep(standins: StandIns, programs: Measured, jobs: int) -> list[Figures]:
    """Have more and more photos under way at once, while a provider takes its time."""
    await standins.load(400, at_once=64, chats=CHATS)
    points = []
    for at_once in AT_ONCE:
        load = await measured(
            standins, programs, jobs + at_once, at_once=at_once, chats=CHATS, seconds=PROVIDER_SECONDS
        )
        points.append({"at_once": at_once, **load.figures(PROVIDER_SECONDS)})
    return points


async def measured(standins: StandIns, programs: Measured, jobs: int, **more: float) -> Load:
    """Have a load served, and give what it took of each program; `more` is the stand-ins' to know."""
    before, busy = {name: one.cpu() for name, one in programs.items()}, _busy()
    served = await standins.load(jobs, **more)
    return Load(served, jobs, {name: one.cpu() - before[name] for name, one in programs.items()}, _busy() - busy)


def _busy() -> float:
    """Seconds that all cores together were not idle (proc(5), /proc/stat: idle and iowait)."""
    ticks = [int(one) for one in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def lines(found: Figures | None) -> Iterator[tuple[str, float, str]]:
    """Choose what the table shows."""
    if not found:
        return
    for kind, figures in found["median"].items():
        for name, value in figures["cpu_ms"].items():
            yield f"CPU a job, run on {kind}: {name}", value, "ms"
        yield f"jobs a second, run on {kind}", figures["jobs_per_second"], ""
    for who, cuts in found["first"].items():
        yield f"first step, {who}: median", cuts["p50_ms"], "ms"
        yield f"first step, {who}: 95 of 100", cuts["p95_ms"], "ms"
    for who, point in found["best"].items():
        yield f"jobs a second, provider of 1 s, {point['at_once']} at once: {who}", point["jobs_per_second"], ""
        for name, share in point["share"].items():
            yield f"… share of a core: {name}", share, ""
        yield "… cores in use by these · by all programs", point["cores"], f"· {point['busy']:.4g}"
