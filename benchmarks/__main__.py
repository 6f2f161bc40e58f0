"""`python -m benchmarks`: measure, print a table beside the goals, and write bench-out/benchmark.json."""

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import growth, replicas, speed

OUT = Path("bench-out")
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. `files`: photos of 19 MiB at once."""

    jobs: int
    rounds: int
    waits: int
    starts: int
    files: int
    chats: int
    entries: int
    samples: int


FULL = Size(jobs=500, rounds=3, waits=150, starts=3, files=50, chats=1_000_000, entries=5_000_000, samples=2000)
QUICK = Size(jobs=150, rounds=2, waits=60, starts=2, files=10, chats=20_000, entries=100_000, samples=300)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: what was measured, what came out, and the most (or, below 0, the least) it should be."""

    what: str
    value: float
    unit: str
    goal: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the goal was reached, if there is one."""
        if self.goal is None:
            return None
        return self.value >= -self.goal if self.goal < 0 else self.value <= self.goal


async def measure(size: Size, say: Callable[[str], None], file: Path, only: str | None = None) -> Figures:
    """Measure one thing after the other, each in a folder of its own; give all figures, which go to `file` too."""
    found: Figures = {"machine": machine()}

    async def part(name: str, work: Callable[[Path], Awaitable[Figures]]) -> None:
        if only not in {None, name}:
            return
        say(f"[bold]{name}[/]")
        with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
            found[name] = await work(Path(folder))
        file.write_text(json.dumps(found, indent=1))  # noqa: ASYNC240  nothing else runs here

    await part("race", lambda folder: speed.race(folder, jobs=size.jobs, rounds=size.rounds, say=say))
    await part("added", lambda folder: speed.added(folder, jobs=size.waits))
    await part("starts", lambda folder: speed.starts(folder, times=size.starts))
    await part("memory", lambda folder: speed.memory(folder, files=size.files))
    await part(
        "growth",
        lambda folder: growth.growth(folder, chats=size.chats, entries=size.entries, samples=size.samples, say=say),
    )
    await part(
        "replicas",
        lambda folder: replicas.replicas(folder, jobs=size.jobs, rounds=size.rounds, waits=size.waits, say=say),
    )
    return found


def rows(found: Figures) -> list[Row]:
    """Choose what the table shows."""
    listed = single(found) if "race" in found else []
    return listed + [Row(what, value, unit) for what, value, unit in replicas.lines(found.get("replicas"))]


def single(found: Figures) -> list[Row]:
    """Choose what it shows of one process on SQLite."""
    race, added, starts, memory, grown = (found[name] for name in ("race", "added", "starts", "memory", "growth"))
    listed = []
    for name, figures in race["median"].items():
        goal = -150.0 if name == "darkroom" else None
        listed += [
            Row(f"CPU a job, {name}", figures["cpu_ms"], "ms"),
            Row(f"jobs a second, {name}", figures["jobs_per_second"], "", goal),
        ]
    listed += [
        Row("CPU, darkroom to bare", race["ratio"]["to_bare"], "×", 3.0),
        Row("CPU, darkroom to naive", race["ratio"]["to_naive"], "×", 0.8),
        Row("time added, median", added["p50_ms"], "ms", 40.0),
        Row("time added, 95 of 100", added["p95_ms"], "ms", 120.0),
    ]
    for kind, figures in starts.items():
        listed += [
            Row(f"start to first poll, {kind} database", figures["seconds"], "s", 1.5),
            Row(f"memory at rest, {kind} database", figures["mebibytes"], "MiB", 90.0),
        ]
    listed.append(
        Row(f"memory more, {memory['files']} × 19 MiB at once", memory["peak"] - memory["before"], "MiB", 150.0)
    )
    for kind, words in (("quota", "quota check"), ("insert", "job insert"), ("glance", "glance at a quota")):
        full = f"{words}, 99 of 100, {grown['chats']:,} chats and {grown['entries']:,} entries"
        listed += [
            Row(full, grown["p99_ms"]["full"][kind], "ms"),
            Row("… to an empty database", grown["ratio"][kind], "×", 1.5),
        ]
    return listed


def show(listed: list[Row], console: Console) -> None:
    """Print the table."""
    table = Table("measured", "", "goal", "", title="darkroom")
    for row in listed:
        goal = "" if row.goal is None else f"{'at least' if row.goal < 0 else 'at most'} {abs(row.goal):g}"
        mark = {None: "", True: "[green]✓[/]", False: "[bold red]✗[/]"}[row.reached]
        table.add_row(row.what, f"{row.value:.4g} {row.unit}", goal, mark)
    console.print(table)


def machine() -> dict[str, str | int | float | None]:
    """Say where this was measured, and what else the machine was doing."""
    load = os.getloadavg()[0]
    made = {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count(), "load": load}
    return {**made, "at": time.strftime("%Y-%m-%d %H:%M", time.gmtime())}


def command_line() -> argparse.ArgumentParser:
    """Say what may stand behind `python -m benchmarks`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes: less than the five minutes it takes")
    parser.add_argument("only", nargs="?", choices=("replicas",), help="measure this alone")
    return parser


def main() -> None:
    """Read the command line, measure, show."""
    console = Console()
    asked = command_line().parse_args()
    size = QUICK if asked.quick else FULL
    OUT.mkdir(exist_ok=True)
    file = OUT / f"{asked.only or 'benchmark'}.json"
    found = asyncio.run(measure(size, console.print, file, asked.only))
    show(rows(found), console)
    console.print(f"every figure: {file}")


if __name__ == "__main__":
    main()
