"""The scenes of chaos; each gives its name, what was thrown, and the reckoning."""

import asyncio
import random
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.journeys.chaos_audit import Kills, Reckoning, reckon
from tests.journeys.chaos_house import House, chaos_house
from tests.journeys.chaos_wishes import crowd, make_all, wishes

Say = Callable[[str], None]


@dataclass
class Scene:
    """A scene that was played."""

    name: str
    thrown: Counter[str]
    sums: Reckoning = field(default_factory=Reckoning)


async def kills(folder: Path, rng: random.Random, say: Say, *, times: int, jobs: int, webhook: bool = False) -> Scene:
    """Kill the bot at random moments, start-up included, while people go on sending; then leave it alone.

    Updates come by polling, or by webhook.
    """
    port = str(free_port())
    settings = {"public_url": f"http://127.0.0.1:{port}", "http_port": port} if webhook else {}
    async with chaos_house(folder, seconds=(0.1, 1.2), answer=(0.0, 0.15), **settings) as house:
        made = wishes(await crowd(house.tg, people=40, groups=8), jobs, rng)
        await house.tg.fault("delay", "sendDocument", times=jobs // 4, delay=0.15)
        await house.tg.fault("delay", "sendPhoto", times=jobs // 8, delay=0.15)
        ready = await _first_start(house, "setWebhook" if webhook else "getUpdates")
        lives = [rng.uniform(0.2, ready + 2.5) for _ in range(times)]
        sending = asyncio.create_task(make_all(made, within=sum(lives), rng=rng))
        met = Kills()
        for number, life in enumerate(lives, 1):
            await asyncio.sleep(life)
            await house.kill()
            met.states.append(house.states())
            if number % 10 == 0:
                say(f"{number} of {times} kills, the last one met {len(met.states[-1])} jobs on their way")
            await house.start()
        await sending
        await settle(house)
        scene = Scene(
            "killed, webhook" if webhook else "killed", Counter({"SIGKILL": times}), await reckon(house, made, met)
        )
        scene.thrown.update({f"jobs {state} at a kill": count for state, count in met.totals().items()})
        return scene


async def _first_start(house: House, method: str) -> float:
    """Start the bot and give the seconds until it calls `method`: kills shall hit it before and after."""
    began = asyncio.get_running_loop().time()
    await house.start()
    await house.tg.calls(method, least=1, begun=True, timeout=60)
    return asyncio.get_running_loop().time() - began


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def settle(house: House) -> None:
    """Leave the bot alone until nothing is left to do, and end it; the reckoning finds what is left."""
    await house.quiet()
    await house.stop()
