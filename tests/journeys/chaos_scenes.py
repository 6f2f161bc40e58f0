"""The scenes of chaos; each gives its name, what was thrown, and the reckoning."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.journeys.chaos_audit import Kills, Reckoning, reckon
from tests.journeys.chaos_house import House, chaos_house
from tests.journeys.chaos_wishes import crowd, make_all, wishes
from tests.journeys.stage import free_port

FIRST_KILLS = 3
MOST_SECONDS = 200.0
"""All lives of the bot together, however slow the machine starts it."""

TERM_EVERY = 6
"""After so many kills comes a SIGTERM, as in a deployment."""

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
    async with chaos_house(folder, seconds=(0.1, 1.2), answer=(0.0, 0.4), **settings) as house:
        made = wishes(await crowd(house.tg, people=40, groups=8), jobs, rng)
        for method in ("sendDocument", "sendPhoto", "sendMessage"):  # so that some kills meet an answer on its way
            await house.tg.fault("delay", method, times=jobs // 2, delay=0.3)
        for _ in range(FIRST_KILLS):
            await house.start()
            await asyncio.sleep(rng.uniform(0.2, 1.0))
            await house.kill()
        asks = "setWebhook" if webhook else "getUpdates"
        ready = await _start(house, asks)
        ends = times + times // TERM_EVERY
        lives = [rng.uniform(0.2, min(ready + 2.5, 2 * MOST_SECONDS / ends)) for _ in range(ends)]
        sending = asyncio.create_task(make_all(made, within=sum(lives), rng=rng))
        met, thrown = Kills(), Counter({"SIGKILL while it makes its database": FIRST_KILLS})
        for number, life in enumerate(lives, 1):
            await asyncio.sleep(life)
            told = number % (TERM_EVERY + 1) == 0
            await (house.stop() if told else house.kill())
            thrown["SIGTERM" if told else "SIGKILL"] += 1
            met.states.append(house.states())
            if number % 10 == 0:
                say(f"{number} of {len(lives)} ends, the last one met {len(met.states[-1])} jobs on their way")
            await (house.start() if number < len(lives) else _start(house, asks))
        await sending
        await settle(house)
        scene = Scene("killed, webhook" if webhook else "killed", thrown, await reckon(house, made, met))
        scene.thrown.update({f"jobs {state} at an end": count for state, count in met.totals().items()})
        return scene


async def _start(house: House, asks: str) -> float:
    """Start the bot and give the seconds until it asks for updates: kills shall hit it before and after."""
    began = asyncio.get_running_loop().time()
    before = len(await house.tg.calls(asks, begun=True))
    await house.start()
    await house.tg.calls(asks, least=before + 1, begun=True, timeout=60)
    return asyncio.get_running_loop().time() - began


async def settle(house: House) -> None:
    """Leave the bot alone until nothing is left to do, and end it; the reckoning finds what is left."""
    await house.quiet()
    house.exit_code = await house.stop()
