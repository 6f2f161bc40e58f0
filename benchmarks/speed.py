"""CPU a job and jobs a second, beside a bare pipeline and a naive bot; time added, start-up and memory."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.programs import MEBI, Program, program, stand_ins

PROVIDER_SECONDS = 0.1
BIG = 19 * MEBI
Figures = dict[str, Any]


async def race(folder: Path, *, jobs: int, rounds: int, say: Callable[[str], None]) -> Figures:
    """Have the same photos developed by all three in turn, `rounds` times; give the medians and their ratios."""
    names = ("bare", "naive", "darkroom")
    cpu: dict[str, list[float]] = {name: [] for name in names}
    rate: dict[str, list[float]] = {name: [] for name in names}
    async with stand_ins(folder) as standins:
        for number in range(rounds):
            for name in names:
                say(f"race {number + 1} of {rounds}: {name}")
                async with program(name, standins, folder) as (running, _):
                    await standins.load(min(jobs, 400))  # connections, caches and 400 chats are made
                    before = running.cpu()
                    served = await standins.load(jobs)
                    cpu[name].append((running.cpu() - before) / jobs * 1000)
                    rate[name].append(jobs / served["seconds"])
    found = {name: {"cpu_ms": median(cpu[name]), "jobs_per_second": median(rate[name])} for name in names}
    ratios = {
        f"to_{other}": median(mine / its for mine, its in zip(cpu["darkroom"], cpu[other], strict=True))
        for other in ("bare", "naive")
    }
    return {"jobs": jobs, "rounds": rounds, "median": found, "ratio": ratios, "every": {"cpu_ms": cpu, "rate": rate}}


async def added(folder: Path, *, jobs: int) -> Figures:
    """Give the milliseconds between photo and reply that are not the provider's, in sync mode, one photo at a time."""
    async with stand_ins(folder) as standins, program("darkroom", standins, folder):
        await standins.load(min(jobs, 50), at_once=1)
        waits = (await standins.load(jobs, at_once=1, seconds=PROVIDER_SECONDS))["waits"]
    cuts = quantiles([(wait - PROVIDER_SECONDS) * 1000 for wait in waits], n=20)
    return {"jobs": jobs, "p50_ms": cuts[9], "p95_ms": cuts[18]}


async def starts(folder: Path, *, times: int) -> Figures:
    """Give the median seconds to the first getUpdates and the MiB at rest, with a new database and with one that is."""
    found: dict[str, list[tuple[float, float]]] = {"new": [], "existing": []}
    async with stand_ins(folder) as standins:
        for number in range(times):
            home = folder / str(number)
            home.mkdir()
            for figures in found.values():
                async with program("darkroom", standins, home) as (running, seconds):
                    await asyncio.sleep(1)  # whatever the start leaves to be done is done
                    figures.append((seconds, running.memory()))
    return {
        kind: {"seconds": median(one for one, _ in figures), "mebibytes": median(two for _, two in figures)}
        for kind, figures in found.items()
    }


async def memory(folder: Path, *, files: int) -> Figures:
    """Give by how many MiB the bot grows while `files` photos of 19 MiB and results as large are under way at once."""
    async with (
        stand_ins(folder) as standins,
        program("darkroom", standins, folder, concurrency=str(files)) as (running, _),
    ):
        await standins.load(200)
        before = await _settled(running)
        running.forget_peak()
        await standins.load(files, at_once=files, photo=BIG, result=BIG, seconds=1)
        return {"files": files, "before": before, "peak": running.memory("VmHWM"), "after": await _settled(running)}


async def _settled(running: Program) -> float:
    await asyncio.sleep(1)
    return running.memory()
