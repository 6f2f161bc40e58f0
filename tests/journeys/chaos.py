"""`make chaos`: break everything that can break under load, then count what was lost, doubled or charged wrongly."""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from tests.journeys.chaos_replicas import partitions, polling, replicas
from tests.journeys.chaos_scenes import Say, Scene, kills
from tests.journeys.chaos_troubles import HANGING, TROUBLES, host, provider, telegram

OUT = Path("chaos-out")
WHAT = "one process, many, both (default), or processes on hosts that are cut off (needs root and iproute2)"
SHOWN = (
    "photos",
    "delivered",
    "failed",
    "refused at the door",
    "cancelled",
    "credits charged",
    "duplicate deliveries",
    "outcome unknown",
    "further tasks",
    "most tasks for one photo",
)


async def main() -> int:
    """Play all scenes; give 0 only if nothing went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.journeys.chaos", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("one", "many", "all", "hosts"), default="all", help=WHAT)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="repeats the random choices")
    parser.add_argument("--kills", type=int, default=52)
    parser.add_argument("--jobs", type=int, default=320, help="photos sent while the bot is killed")
    asked = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(f"seed {asked.seed}: repeat with [bold]python -m tests.journeys.chaos --seed {asked.seed}[/]")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="darkroom-chaos-") as folder:
        try:
            scenes = [scene for part in _parts(asked.what) for scene in await part(Path(folder), asked, console)]
        except Exception:
            _keep_logs(Path(folder), console)
            raise
        if any(scene.sums.wrong for scene in scenes):
            _keep_logs(Path(folder), console)
    return _report(scenes, console, time.monotonic() - began)


Part = Callable[[Path, argparse.Namespace, Console], Awaitable[list[Scene]]]


def _parts(what: str) -> Sequence[Part]:
    """Choose what is played, one part after the other: each has enough to do for two cores."""
    parts: dict[str, Sequence[Part]] = {"one": [_one], "many": [_many], "all": [_one, _many], "hosts": [_hosts]}
    return parts[what]


async def _one(folder: Path, asked: argparse.Namespace, console: Console) -> list[Scene]:
    """Play the kills beside the other scenes: each has a house of its own, and waits most of the time."""
    say = _saying(console)

    async def others() -> list[Scene]:
        return [
            await provider(folder / "provider", random.Random(asked.seed), say, TROUBLES + HANGING),  # noqa: S311
            await telegram(folder / "telegram", random.Random(asked.seed), say, jobs=60),  # noqa: S311
            await host(folder / "host", random.Random(asked.seed), say, jobs=60, seconds=6.0),  # noqa: S311
            await kills(folder / "webhook", random.Random(asked.seed), say, times=10, jobs=60, webhook=True),  # noqa: S311
        ]

    rng = random.Random(asked.seed)  # noqa: S311  chaos that can be repeated, here as above
    killed, rest = await asyncio.gather(kills(folder / "kills", rng, say, times=asked.kills, jobs=asked.jobs), others())
    return [killed, *rest]


async def _many(folder: Path, asked: argparse.Namespace, console: Console) -> list[Scene]:
    """Play many processes on one PostgreSQL."""
    rng, other = random.Random(asked.seed), random.Random(asked.seed)  # noqa: S311  as above
    say = _saying(console)
    return list(
        await asyncio.gather(
            replicas(folder / "replicas", rng, say, kills=28, jobs=asked.jobs, seconds=80.0),
            polling(folder / "polling", other, say, kills=10, jobs=60, seconds=40.0),
        )
    )


async def _hosts(folder: Path, asked: argparse.Namespace, console: Console) -> list[Scene]:
    """Play processes that lose sight of each other."""
    rng = random.Random(asked.seed)  # noqa: S311  as above
    return [await partitions(folder / "hosts", rng, _saying(console), jobs=asked.jobs, seconds=80.0)]


def _saying(console: Console) -> Say:
    return lambda what: console.print(f"[dim]{what}[/]")


def _keep_logs(folder: Path, console: Console) -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    for log in folder.glob("*/*.log"):
        (OUT / log.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(log, OUT / log.parent.name)
    console.print(f"the logs are in {OUT.resolve()}")


def _report(scenes: Sequence[Scene], console: Console, seconds: float) -> int:
    thrown = Table("scene", "what was thrown", title="thrown", show_lines=True)
    for scene in scenes:
        thrown.add_row(scene.name, ", ".join(f"{what} ×{count}" for what, count in sorted(scene.thrown.items())))
    console.print(thrown)
    table = Table(Column(no_wrap=True), *(scene.name for scene in scenes), title="what came of it")
    for what in SHOWN:
        table.add_row(what, *(str(scene.sums.counts[what]) for scene in scenes))
    special = sorted(
        {what for scene in scenes for what in scene.sums.counts if what.startswith(("refused: ", "pace: "))}
    )
    for what in special:
        table.add_row(f"  {what}", *(str(scene.sums.counts[what] or "") for scene in scenes))
    table.add_section()
    for what in sorted({what for scene in scenes for what in scene.sums.faults}):
        table.add_row(what, *(_verdict(scene, what) for scene in scenes))
    console.print(table)
    wrong = [f"{scene.name}: {sentence}" for scene in scenes for sentence in scene.sums.wrong]
    for sentence in wrong:
        console.print(f"[red]✗[/] {sentence}", highlight=False)
    console.print(f"{seconds:.0f} s; below the line everything must be 0, and {'is not' if wrong else 'is'}")
    return 1 if wrong else 0


def _verdict(scene: Scene, what: str) -> str:
    count = scene.sums.faults[what]
    return f"[red]{count}[/]" if count else "[green]0[/]"


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
