"""Chaos on PostgreSQL: web and worker processes killed, told to end and frozen, their server restarted and killed."""

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import sqlalchemy as sa

from sandbox.connection import Json
from storage import migrations, rates
from tests.journeys.chaos_audit import Reckoning, reckon
from tests.journeys.chaos_evidence import Pace, excuses, takeovers, too_fast
from tests.journeys.chaos_fleet import Fleet, Replica, chaos_fleet
from tests.journeys.chaos_hosts import DATABASE, NEAR, hosts
from tests.journeys.chaos_house import Row
from tests.journeys.chaos_scenes import Say, Scene
from tests.journeys.chaos_wishes import Way, Wish, crowd, make_all, picture, wishes

ROLES = ("web", "web", "worker", "worker", "worker")
TELEGRAM_RATE = 12
PROVIDER_RATE = 15
"""Calls a second of all processes together; low enough that five that knew nothing of each other would break them."""

SLOW = "8"
"""Seconds of a task that somebody gives up."""

ALBUM_OF = 4
DOWN_SECONDS = 1.0
LONG_FROZEN = 25.0
"""After so long at the most a frozen process is dead to the others: the lease, a beat, and their taking over."""

BLINK = 6.0
"""Less than a lease: who is cut off for so long keeps its work."""


@dataclass
class Mischief:
    """What is done to a fleet; each kind can go on beside the others, but not with the same replica."""

    fleet: Fleet
    rng: random.Random
    say: Say
    thrown: Counter[str] = field(default_factory=Counter)
    pardons: list[tuple[float, float]] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def _free(self) -> list[Replica]:
        return [each for each in self.fleet.replicas if each.name not in self.taken and each.runs]

    async def supervise(self) -> None:
        """Have what ended by itself started anew, until cancelled: a start without its server is given up."""
        while True:
            self.thrown["start given up without PostgreSQL"] += await self.fleet.look_after()
            await asyncio.sleep(0.5)

    async def kill(self) -> None:
        """Kill a random process and start another in its place at once."""
        while not (free := self._free()):
            await asyncio.sleep(0.1)
        async with self._alone_with(self.rng.choice(free)) as victim:
            await self.fleet.kill(victim)
            self.thrown[f"SIGKILL of a {victim.role}"] += 1
            await self.fleet.start(victim)

    async def deploy(self) -> None:
        """Replace one process after the other, as a new version would."""
        for each in self.fleet.replicas:
            async with self._alone_with(each):
                if each.runs:
                    await self.fleet.stop(each)
                    self.thrown[f"SIGTERM of a {each.role}"] += 1
                    await self.fleet.start(each)
                    await self.fleet.ready([each])
        self.say("every process told to end and replaced, one after the other")

    async def restart_server(self) -> None:
        """Restart PostgreSQL as an upgrade does."""
        await asyncio.to_thread(self.fleet.server.restart)
        self.thrown["PostgreSQL restarted"] += 1
        self.say("PostgreSQL restarted")

    async def crash_server(self) -> None:
        """Kill PostgreSQL; for a while there is none."""
        began = time.time()
        await asyncio.to_thread(self.fleet.server.kill)
        await asyncio.sleep(DOWN_SECONDS)
        await asyncio.to_thread(self.fleet.server.start)
        self.pardons.append((began, time.time()))
        self.thrown["PostgreSQL killed"] += 1
        self.say(f"PostgreSQL killed, gone for {time.time() - began:.1f} s")

    async def freeze(self) -> None:
        """Freeze a worker that has work until the others have taken it over, and let it go on."""
        victim, jobs = await self.busy_worker()
        async with self._alone_with(victim):
            self.fleet.freeze(victim)
            number, began = self.fleet.number(victim.life), time.time()
            while time.time() < began + LONG_FROZEN and not self._taken_over(jobs, number):
                await asyncio.sleep(0.2)
            await asyncio.sleep(1)
            buried = not self._asked("SELECT 1 FROM processes WHERE id = %(number)s", number=number)
            self.thaw(victim)
        self.thrown["worker frozen until buried" if buried else "worker frozen"] += 1
        self.say(f"a worker with {len(jobs)} jobs frozen for {time.time() - began:.1f} s")

    async def cut(self, *wires: str, seconds: float) -> None:
        """Cut the process that polls off for so long, and tell when the others did its work."""
        while not (victim := self._polls()):
            await asyncio.sleep(0.1)
        async with self._alone_with(victim):
            assert victim.host
            jobs, number, began = self._jobs(victim), self.fleet.number(victim.life), time.time()
            self.fleet.frozen.add(number)
            victim.host.cut(*wires)
            after: dict[str, float] = {}
            while (passed := time.time() - began) < seconds:
                if self._polls() not in (None, victim):
                    after.setdefault("another polled", passed)
                if self._taken_over(jobs, number):
                    after.setdefault(f"its {len(jobs)} jobs were taken over", passed)
                await asyncio.sleep(0.1)
            victim.host.join()
            self.pardons.append((began, time.time() + rates.AWAY))
        what = "PostgreSQL" if wires == (DATABASE,) else "everything"
        self.thrown[f"cut off from {what} for {seconds:.0f} s"] += 1
        heard = "".join(f", after {passed:.1f} s {what}" for what, passed in after.items())
        self.say(f"the process that polls cut off from {what} for {seconds:.0f} s{heard}")

    def _polls(self) -> Replica | None:
        """Tell on which host the process is that holds the lock."""
        query = """
            SELECT host(client_addr) AS at FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE locktype = 'advisory' AND granted AND state = 'idle'
        """
        at = {row["at"] for row in self._asked(query)}
        return next((each for each in self.fleet.replicas if each.host and each.host.address(DATABASE) in at), None)

    def thaw(self, victim: Replica) -> None:
        """Let a frozen process go on: it sends at once what it was granted long ago."""
        self.fleet.thaw(victim)
        self.pardons.append((time.time(), time.time() + 1))

    @asynccontextmanager
    async def _alone_with(self, replica: Replica) -> AsyncIterator[Replica]:
        """Wait until nothing else is done to a replica, and let nothing else be."""
        while replica.name in self.taken:
            await asyncio.sleep(0.1)
        self.taken.add(replica.name)
        try:
            yield replica
        finally:
            self.taken.remove(replica.name)

    async def busy_worker(self, least: int = 1) -> tuple[Replica, list[int]]:
        """Wait for a worker with so many jobs, and give both."""
        while True:
            for each in self.rng.sample(self._free(), len(self._free())):
                jobs = self._jobs(each) if each.role != "web" else []
                if len(jobs) >= least:
                    return each, jobs
            await asyncio.sleep(0.05)

    def _jobs(self, replica: Replica) -> list[int]:
        mine = """
            SELECT id FROM jobs
            WHERE told = 0 AND owner = (SELECT max(process) FROM chaos_lives WHERE life = %(life)s)
        """
        return [row["id"] for row in self._asked(mine, life=replica.life)]

    def _taken_over(self, jobs: list[int], number: int) -> bool:
        """Tell whether another process works on one of the jobs, or has."""
        later = """
            SELECT 1 FROM chaos_takes AS took WHERE job = ANY(%(jobs)s) AND n >
            (SELECT max(n) FROM chaos_takes WHERE job = took.job AND owner = %(number)s) LIMIT 1
        """
        return bool(self._asked(later, jobs=jobs, number=number))

    def _asked(self, query: str, **values: object) -> list[Row]:
        """Ask the database; nothing while it is away."""
        try:
            return self.fleet.rows(query, **values)
        except psycopg.OperationalError:
            return []


async def replicas(folder: Path, rng: random.Random, say: Say, *, kills: int, jobs: int, seconds: float) -> Scene:
    """Do all of it to web and worker processes for so many seconds while people go on sending; then leave them alone.

    Updates and callbacks come over a balancer, each to another process.
    """
    async with chaos_fleet(
        folder, ROLES, wait="callback", telegram_rate=str(TELEGRAM_RATE), provider_rate=str(PROVIDER_RATE)
    ) as fleet:
        made = await people(fleet, rng, jobs)
        for method in ("sendDocument", "sendPhoto", "sendMessage"):  # so that some kills meet an answer on its way
            await fleet.tg.fault("delay", method, times=jobs // 2, delay=0.3)
        mischief = Mischief(fleet, rng, say)
        await born(mischief)
        plan = {
            0.12: mischief.freeze,
            0.25: mischief.restart_server,
            0.4: mischief.deploy,
            0.6: mischief.crash_server,
            0.7: mischief.freeze,
        }
        await befall(mischief, made, plan, kills=kills, seconds=seconds)
        return await judge(fleet, mischief, made, "replicas")


async def polling(folder: Path, rng: random.Random, say: Say, *, kills: int, jobs: int, seconds: float) -> Scene:
    """Let three processes poll in turn: one at a time, another one when that dies, freezes or loses its server."""
    async with chaos_fleet(folder, ("run", "run", "web"), webhook=False, durable=False) as fleet:
        mischief = Mischief(fleet, rng, say)
        plan = {0.3: mischief.freeze, 0.6: mischief.restart_server, 0.8: mischief.deploy}
        return await _polled_by_turns(
            mischief, await people(fleet, rng, jobs), plan, "replicas, polling", kills=kills, seconds=seconds
        )


async def partitions(folder: Path, rng: random.Random, say: Say, *, jobs: int, seconds: float) -> Scene:
    """Let three processes work on hosts of their own, and cut off the one that polls, for longer than a lease and less.

    One that is cut off from PostgreSQL alone still reaches Telegram and the provider, and must leave them in peace.
    """
    with hosts(3) as wired:
        async with chaos_fleet(
            *(folder, ("run", "run", "run")),
            webhook=False,
            durable=False,
            seconds=(1.0, 5.0),
            telegram_rate=str(TELEGRAM_RATE),
            provider_rate=str(PROVIDER_RATE),
        ) as fleet:
            await fleet.settle(wired)
            mischief = Mischief(fleet, rng, say)
            plan = {
                0.08: lambda: mischief.cut(NEAR, DATABASE, seconds=LONG_FROZEN),
                0.42: lambda: mischief.cut(DATABASE, seconds=LONG_FROZEN),
                0.75: lambda: mischief.cut(DATABASE, seconds=BLINK),
                0.88: lambda: mischief.cut(NEAR, DATABASE, seconds=BLINK),
            }
            return await _polled_by_turns(mischief, await people(fleet, rng, jobs), plan, "partitions", seconds=seconds)


Action = Callable[[], Awaitable[None]]


async def _polled_by_turns(
    mischief: Mischief, made: Sequence[Wish], plan: Mapping[float, Action], name: str, *, kills: int = 0, seconds: float
) -> Scene:
    """Play a scene of processes that poll, on a database that is there already."""
    fleet = mischief.fleet
    await asyncio.to_thread(migrations.bring_up_server, sa.make_url(fleet.url), upgrade=True)
    fleet.watch()
    await fleet.start_all()
    await fleet.ready(fleet.replicas)
    await befall(mischief, made, plan, kills=kills, seconds=seconds)
    return await judge(fleet, mischief, made, name)


async def befall(
    mischief: Mischief, made: Sequence[Wish], plan: Mapping[float, Action], *, kills: int, seconds: float
) -> None:
    """Make the wishes, kill at random moments, and do what is planned for each share of the time."""
    async with asyncio.TaskGroup() as group:
        supervisor = group.create_task(mischief.supervise())
        doing = [
            group.create_task(make_all(made, within=seconds * 0.95, rng=mischief.rng)),
            group.create_task(_again_and_again(mischief.kill, kills, seconds, mischief.rng)),
            *(group.create_task(_at(share * seconds, what)) for share, what in plan.items()),
        ]
        await asyncio.wait(doing)
        supervisor.cancel()


async def _again_and_again(what: Action, times: int, seconds: float, rng: random.Random) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for moment in sorted(rng.uniform(0, seconds) for _ in range(times)):
        await asyncio.sleep(began + moment - loop.time())
        await what()


async def _at(seconds: float, what: Action) -> None:
    await asyncio.sleep(seconds)
    await what()


async def born(mischief: Mischief) -> None:
    """Start all processes at once on an empty database, kill some while they make it, and start all in earnest."""
    fleet = mischief.fleet
    await fleet.start_all()
    for each in mischief.rng.sample(fleet.replicas, 2):
        await asyncio.sleep(mischief.rng.uniform(0.2, 0.8))
        await fleet.kill(each)
        await fleet.start(each)
    await fleet.made()
    for each in fleet.replicas:
        await fleet.kill(each)
    mischief.thrown["SIGKILL while it makes its database"] += 2
    fleet.watch()
    await fleet.start_all()
    await fleet.ready(fleet.replicas)


MINDS: Sequence[Way] = ("again", "cancel", "stop")
"""What people do after they have asked; those who stop it wait for that."""


async def people(fleet: Fleet, rng: random.Random, jobs: int, minds_of: Sequence[Way] = MINDS) -> list[Wish]:
    """Give wishes of all kinds; albums, and those who think again, are of people of their own."""
    albums, minds = jobs // 5 // ALBUM_OF, jobs // 10
    single = jobs - albums * ALBUM_OF - minds
    ways: Sequence[Way] = ("caption", "file", "reply", "alone", "button", "steps")
    made = wishes(await crowd(fleet.tg, people=40, groups=6), single, rng, ways)
    changing = wishes(await crowd(fleet.tg, people=minds), minds, rng, minds_of, first=single)
    for wish in changing:
        wish.after = rng.uniform(0.0, 4.0)
        if wish.way != "again":
            await fleet.order(wish.content_sha, seconds=[SLOW] * 3)
    made += changing
    for person, chat in await crowd(fleet.tg, people=albums):
        command = rng.choice(("/enhance 2x", "/idphoto 300x400 FFFFFF", "/cutout"))  # whose results are files
        album = [Wish(person, chat, "album", command, picture(len(made) + number)) for number in range(ALBUM_OF)]
        album[0].album = album
        made += album
    return made


async def judge(fleet: Fleet, mischief: Mischief, made: Sequence[Wish], name: str) -> Scene:
    """Leave them alone until nothing is left to do, end them, and hold everything against everything."""
    await fleet.quiet()
    audit = await _audit(fleet)
    await fleet.end()
    found = takeovers(
        fleet.rows("SELECT * FROM chaos_takes"), fleet.rows("SELECT * FROM chaos_lives"), fleet.ends, fleet.frozen
    )
    sums = await reckon(fleet, made, excuses(found))
    sums.expect("audit finds differences", bool(audit), audit)
    sums.expect("ended by itself", len(fleet.fallen), f"{fleet.fallen}: see their logs")
    calls = await fleet.tg.calls(begun=True)
    await _judge_pace(fleet, mischief, calls, sums)
    _judge_polling(fleet, mischief, calls, sums)
    thrown = mischief.thrown + Counter(f"jobs taken over, {one.state}, owner {one.end}" for one in found)
    return Scene(name, thrown, sums)


async def _judge_pace(fleet: Fleet, mischief: Mischief, calls: Sequence[Json], sums: Reckoning) -> None:
    """Hold what came to Telegram and to the provider against what the settings allow."""
    telegram, provider = (int(fleet.env[f"DARKROOM_{name}_RATE"]) for name in ("TELEGRAM", "PROVIDER"))
    most, wrong = too_fast(calls, telegram, mischief.pardons)
    sums.counts["pace: messages in 9 s"] = most["all"]
    asked = [(at, 1) for at in (await fleet.report())["times"]]
    sums.counts["pace: requests in 9 s"], sentence = Pace(provider, 1.0, 10).broken(asked, mischief.pardons)
    wrong += [f"provider: {sentence}"] if sentence else []
    sums.expect("faster than the pace", len(wrong), "; ".join(wrong))


def _judge_polling(fleet: Fleet, mischief: Mischief, calls: Sequence[Json], sums: Reckoning) -> None:
    """See that nobody polled beside another one: Telegram ends the older of two polls with 409, which is logged."""
    if "DARKROOM_PUBLIC_URL" in fleet.env:
        sums.expect("polled beside the webhook", sum(call["method"] == "getUpdates" for call in calls), "getUpdates")
        return
    ended = sum(log.read_text().count('"status": 409') for log in fleet.folder.glob("*.log"))
    excused = sum(count for what, count in mischief.thrown.items() if what.startswith(("worker frozen", "PostgreSQL")))
    sums.expect("two polled at once", max(ended - excused, 0), f"{ended} polls ended by another one")


async def _audit(fleet: Fleet) -> str:
    """Run `darkroom audit`, and give what it says if anything is wrong."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "audit"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        **fleet.surroundings(),
    )
    said, _ = await child.communicate()
    return said.decode() if child.returncode else ""
