"""A short `make chaos`: the bot killed at telling moments instead of random ones, alone and as one of many."""

import asyncio
import random
from pathlib import Path

import sqlalchemy as sa

from storage import migrations
from tests.journeys.chaos_audit import Kills, reckon
from tests.journeys.chaos_fleet import chaos_fleet
from tests.journeys.chaos_house import House, chaos_house
from tests.journeys.chaos_replicas import Mischief, judge, people
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
        await house.hold()
        await house.start()
        await house.tg.calls("getUpdates", least=1)
        await _kill(house, met)
        await house.tg.calls("getFile", least=5)
        await _kill(house, met)
        await house.report(posts=8)
        await _kill(house, met)
        await house.release()
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


async def test_many_processes_lose_nothing_either(tmp_path: Path) -> None:
    """A web and a worker killed, another worker frozen until it is buried, PostgreSQL restarted: as if nothing was."""
    rng = random.Random(6)  # noqa: S311  chaos that can be repeated
    roles = ("web", "web", "worker", "worker")
    async with chaos_fleet(tmp_path, roles, seconds=(0.2, 0.6), answer=(0.1, 0.2), durable=False) as fleet:
        await asyncio.to_thread(migrations.bring_up_server, sa.make_url(fleet.url), upgrade=True)
        fleet.watch()
        made = await people(fleet, rng, JOBS, ("again",))
        mischief = Mischief(fleet, rng, print)
        await fleet.hold()
        await fleet.start_all()
        await fleet.ready(fleet.replicas)
        sending = asyncio.create_task(make_all(made, within=0.5, rng=rng))
        frozen, _ = await mischief.busy_worker(least=3)
        mischief.taken.add(frozen.name)
        fleet.freeze(frozen)
        killed, web = (await mischief.busy_worker(least=3))[0], fleet.replicas[0]
        dead = [each.life for each in (frozen, killed, web)]
        await fleet.kill(web)
        await fleet.kill(killed)
        await fleet.start(killed)
        await fleet.bury(*dead)
        await asyncio.to_thread(fleet.server.restart)
        mischief.thaw(frozen)
        await fleet.release()
        await sending
        scene = await judge(fleet, mischief, made, "short")
    assert scene.sums.wrong == []
    assert scene.sums.counts["photos"] == JOBS
    ends = {what.rpartition(" ")[2] for what in scene.thrown if what.startswith("jobs taken over")}
    assert ends == {"SIGKILL", "SIGSTOP"}
