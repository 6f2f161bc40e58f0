"""A short `make chaos`: the bot killed at five telling moments instead of fifty random ones."""

import asyncio
import random
from pathlib import Path

from tests.journeys.chaos_audit import Kills, reckon
from tests.journeys.chaos_house import House, chaos_house
from tests.journeys.chaos_scenes import settle
from tests.journeys.chaos_wishes import crowd, make_all, wishes

JOBS = 24


async def _kill(house: House, met: Kills) -> None:
    await house.kill()
    met.states.append(house.states())
    await house.start()


async def test_no_photo_is_lost_and_none_is_paid_twice(tmp_path: Path) -> None:
    """Killed while it polls, downloads, submits, asks and delivers, the bot delivers each photo and charges it once."""
    rng, met = random.Random(5), Kills()  # noqa: S311  chaos that can be repeated
    async with chaos_house(tmp_path, seconds=(0.05, 0.4), answer=(0.1, 0.2)) as house:
        made = wishes(await crowd(house.tg, people=10, groups=2), JOBS, rng, ("caption", "file", "reply"))
        await house.tg.fault("delay", "sendDocument", times=JOBS, delay=0.2)
        asking = wishes(await crowd(house.tg, people=1), 1, rng, ("button",), first=JOBS)
        made += asking
        await make_all(made[:-1], within=0.0, rng=rng)  # they wait at Telegram before the bot first starts
        await house.start()
        await house.tg.calls("getUpdates", least=1)
        await _kill(house, met)
        await house.tg.calls("getFile", least=5)
        await _kill(house, met)
        await house.report(posts=8)
        await _kill(house, met)
        await house.tg.fault("delay", "sendMessage", delay=0.5)
        pressing = asyncio.create_task(make_all(asking, within=0.0, rng=rng))
        await house.tg.calls("sendMessage", least=1, begun=True)
        await _kill(house, met)
        await house.tg.calls("sendDocument", least=2, begun=True)
        polled = len(await house.tg.calls("getUpdates"))
        await _kill(house, met)
        await house.tg.calls("getUpdates", least=polled + 1, begun=True)
        await pressing
        await settle(house)
        sums = await reckon(house, made, met)
    assert sums.wrong == []
    assert sums.counts["delivered"] == sums.counts["credits charged"] == len(made)
    assert met.totals()["submitting"] + met.totals()["submitted"] > 0
