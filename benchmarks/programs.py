"""Programs under measurement: started as processes, their CPU and memory read from /proc."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import httpx

from benchmarks.bare import TOKEN
from tests.journeys.stage import port_of, process

MEBI = 2**20


class Served(TypedDict):
    """What the stand-ins say of a load: its time, each job's wait, and the wait for its first step, in seconds."""

    seconds: float
    waits: list[float]
    firsts: list[float]


@dataclass(frozen=True, slots=True)
class Program:
    """A running program."""

    pid: int

    def cpu(self, *, ended: bool = False) -> float:
        """Seconds of CPU so far, all threads, user and system; the kernel counts in hundredths.

        `ended`: also of those processes it started that have ended.
        """
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11 : 15 if ended else 13])) / os.sysconf("SC_CLK_TCK")

    def memory(self, key: str = "VmRSS") -> float:
        """MiB of resident memory; `key` VmHWM: the most since `forget_peak`."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024

    def forget_peak(self) -> None:
        """Let VmHWM begin anew (proc(5), clear_refs)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


class StandIns:
    """The other process; see standins.py."""

    def __init__(self, url: str, pid: int) -> None:
        self.url, self.pid = url, pid

    async def load(self, jobs: int, **more: float) -> Served:
        """Have `jobs` photos sent and answered."""
        wanted = {"at_once": 32, "chats": 400, "photo": 100_000, "result": 100_000, "seconds": 0, **more}
        served: Served = await self._ask("POST", "load", {"jobs": jobs, **wanted})
        if "waits" not in served:
            raise RuntimeError(served)
        return served

    async def polled(self) -> float:
        """Wait for the next getUpdates and give its moment, by time.monotonic."""
        return float((await self._ask("GET", "polled", {}))["at"])

    async def _ask(self, method: str, what: str, body: Mapping[str, float]) -> Any:  # noqa: ANN401  JSON
        async with httpx.AsyncClient(timeout=60) as client:
            return (await client.request(method, f"{self.url}/control/{what}", json=dict(body))).json()


@asynccontextmanager
async def stand_ins(folder: Path) -> AsyncIterator[StandIns]:
    """Run the stand-ins for as long as the context lasts."""
    file = folder / "standins.port"
    file.unlink(missing_ok=True)
    async with process("benchmarks.standins", "--port-file", str(file), env={}, log=folder / "standins.log") as child:
        yield StandIns(f"http://127.0.0.1:{await port_of(file, child)}", child.pid)


def environment(standins: StandIns, folder: Path, **settings: str) -> dict[str, str]:
    """Give the settings for a bot that nothing but the machine holds back."""
    return {
        "DARKROOM_BOT_TOKEN": TOKEN,
        "DARKROOM_BOT_API_URL": standins.url,
        "DARKROOM_GPTGE_URL": standins.url,
        "DARKROOM_GPTGE_TOKEN": "sk-bench",
        "DARKROOM_PROVIDER_RATE": "10000",
        "DARKROOM_TELEGRAM_RATE": "10000",
        "DARKROOM_DAILY_ALLOWANCE": "1000000",
        "DARKROOM_WAIT": "sync",
        "DARKROOM_DATABASE_URL": f"sqlite:///{folder / 'darkroom.db'}",
        **{f"DARKROOM_{key.upper()}": value for key, value in settings.items()},
    }


@asynccontextmanager
async def program(name: str, standins: StandIns, folder: Path, **settings: str) -> AsyncIterator[tuple[Program, float]]:
    """Run `darkroom`, `naive` or `bare` against the stand-ins; give it, and its seconds to the first getUpdates.

    `web` is a darkroom that leaves the work to others.
    """
    env = environment(standins, folder, **settings)
    roles = {"darkroom": "run", "web": "web"}
    command = ("bot", roles[name]) if name in roles else (f"benchmarks.{name}", standins.url)
    polled = asyncio.create_task(standins.polled())
    await asyncio.sleep(0.1)  # the question is on its way before the program is
    began = time.monotonic()
    async with process(*command, env=env, log=folder / f"{name}.log") as child:
        died = asyncio.create_task(child.wait())
        await asyncio.wait([polled, died], timeout=60, return_when=asyncio.FIRST_COMPLETED)
        died.cancel()
        if not polled.done():
            polled.cancel()
            raise RuntimeError((folder / f"{name}.log").read_text()[-2000:])
        at = polled.result()
        yield Program(child.pid), at - began
