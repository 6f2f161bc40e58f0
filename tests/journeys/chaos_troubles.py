"""Trouble without kills: what vendors, Telegram and the machine itself do to a bot, and what must come of it."""

import asyncio
import random
import resource
import signal
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.journeys.chaos_audit import Allowed, reckon
from tests.journeys.chaos_house import House, chaos_house
from tests.journeys.chaos_scenes import Say, Scene, settle
from tests.journeys.chaos_wishes import Wish, crowd, make_all, wishes

CLOCK = ("tests.journeys.chaos_clock",)


@dataclass(frozen=True)
class Trouble:
    """What the vendor does to one picture (orders of vendor.py), how the job ends, and how many tasks are paid for.

    `end`: "delivered" or the code of the refusal.
    """

    end: str
    tasks: int
    orders: dict[str, Sequence[str]] = field(default_factory=dict)


TROUBLES = (
    Trouble("delivered", 1),
    Trouble("delivered", 1, {"post": ["busy", "busy"]}),
    Trouble("delivered", 1, {"post": ["broken"]}),
    Trouble("delivered", 1, {"post": ["reset"]}),
    Trouble("delivered", 2, {"post": ["lost"]}),
    Trouble("delivered", 2, {"post": ["garbage"]}),
    Trouble("delivered", 2, {"post": ["html"]}),
    Trouble("outcome_unknown", 2, {"post": ["lost", "lost"]}),
    Trouble("outcome_unknown", 0, {"post": ["broken", "reset"]}),
    Trouble("delivered", 1, {"get": ["busy", "broken", "reset", "garbage", "html"]}),
    Trouble("delivered", 2, {"get": ["gone"]}),
    Trouble("delivered", 1, {"result": ["truncated", "broken", "reset"]}),
    Trouble("delivered", 1, {"result": ["expired", "html"]}),
    Trouble("delivered", 2, {"result": ["expired", "html", "garbage"]}),
    Trouble("result_lost", 2, {"result": ["expired"] * 20}),
    Trouble("task_failed", 1, {"task": ["-1"]}),
    Trouble("delivered", 2, {"task": ["-2"]}),
    Trouble("link_unreachable", 1, {"task": ["-3"]}),
    Trouble("delivered", 1, {"task": ["-5"]}),  # the second task is for the smaller picture, another one to the vendor
    Trouble("not_a_picture", 1, {"task": ["-7"]}),
    Trouble("delivered", 2, {"task": ["-8"]}),
    Trouble("task_failed", 1, {"task": ["-9"]}),
    Trouble("task_failed", 2, {"task": ["-2", "-2"]}),
    Trouble("task_failed", 2, {"task": ["-8", "-8"]}),
)
HANGING = (
    Trouble("delivered", 2, {"post": ["hang"]}),
    Trouble("delivered", 1, {"get": ["hang"]}),
)
"""These take the client's 30 seconds of patience."""


async def provider(folder: Path, rng: random.Random, say: Say, troubles: Sequence[Trouble]) -> Scene:
    """Give each trouble to the picture of a person of its own, all at once."""
    async with chaos_house(folder, concurrency="100") as house:
        made = wishes(await crowd(house.tg, people=len(troubles)), len(troubles), rng, ("file",))
        for wish, trouble in zip(made, troubles, strict=True):
            await house.order(wish.content_sha, **trouble.orders)
        await house.start()
        say("every trouble a vendor can make")
        await make_all(made, within=len(made) / 10, rng=rng)
        await settle(house)
        shrunk = sum(trouble.orders.get("task") == ["-5"] for trouble in troubles)
        scene = Scene("provider", Counter((await house.report())["thrown"]))
        scene.sums = await reckon(house, made, allowed=Allowed(tasks=1, shrunk=shrunk))
        await _compare(house, scene, made, troubles)
        return scene


async def _compare(house: House, scene: Scene, made: Sequence[Wish], troubles: Sequence[Trouble]) -> None:
    """Hold each job's end and its number of tasks against what the contract says."""
    ends = {row["file_unique_id"]: row for row in house.rows("SELECT file_unique_id, state, error FROM jobs")}
    pictures = (await house.report())["pictures"]
    for wish, trouble in zip(made, troubles, strict=True):
        row = ends.get(wish.unique, {"state": "missing", "error": None})
        end, tasks = row["error"] or row["state"], pictures.get(wish.sha, {}).get("tasks", 0)
        unlike = (end, tasks) != (trouble.end, trouble.tasks)
        scene.sums.expect("not as the contract says", unlike, f"{trouble} ended as {end} with {tasks} tasks")


TelegramFault = tuple[str, str, dict[str, int]]
TELEGRAM: tuple[TelegramFault, ...] = (
    *(("getUpdates", kind, {}) for kind in ("error", "reset", "garbage", "lost")),
    ("getUpdates", "error", {"retry_after": 1, "status": 429}),
    *(("getFile", kind, {}) for kind in ("error", "reset", "garbage", "lost")),
    ("getFile", "error", {"retry_after": 1, "status": 429}),
    *(("download", kind, {"times": 3}) for kind in ("error", "reset")),
    *(
        (method, kind, {"times": times, **more})
        for method, times in (("sendDocument", 4), ("sendPhoto", 2), ("sendMessage", 1))
        for kind, more in (
            ("error", {}),
            ("error", {"status": 502}),
            ("error", {"retry_after": 1, "status": 429}),
            ("reset", {}),
            ("lost", {}),
            ("garbage", {}),
        )
    ),
)
"""(method, kind, further fields) of sandbox.faults.Fault."""


LEAVE = 3
"""People who block the bot while it works for them."""


async def telegram(
    folder: Path, rng: random.Random, say: Say, *, jobs: int, faults: Sequence[TelegramFault] = TELEGRAM
) -> Scene:
    """Let Telegram refuse, reset, talk nonsense and lose the answers of calls that took effect."""
    async with chaos_house(folder, concurrency="100") as house:
        made = wishes(await crowd(house.tg, people=jobs // 2, groups=2), jobs, rng, ("caption", "file", "reply"))
        refused = [wish for wish in made if wish.way == "file"][:4]
        for wish in refused:  # so that the words of a refusal meet trouble too
            await house.order(wish.content_sha, task=["-7"])
        leaving = wishes(await crowd(house.tg, people=LEAVE), LEAVE, rng, ("caption",), first=jobs)
        for wish in leaving:
            wish.blocks = True
        made += leaving
        thrown = Counter({"the bot blocked": LEAVE})
        for method, kind, more in faults:
            await house.tg.fault(kind, method, **more)
            thrown[f"{method} {more.get('status', 500) if kind == 'error' else kind}"] += more.get("times", 1)
        await house.tg.flood(per_chat_second=1)
        await house.start()
        say("every trouble Telegram can make")
        await make_all(made, within=jobs / 10, rng=rng)
        await settle(house)
        unheard = sum(
            more.get("times", 1)
            for method, kind, more in faults
            if method.startswith("send") and kind in {"lost", "garbage"}
        )
        return Scene("telegram", thrown, await reckon(house, made, allowed=Allowed(duplicates=unheard)))


@asynccontextmanager
async def locked(house: House) -> AsyncIterator[None]:
    """Another process, this one, writes to the database and does not come to an end."""
    with closing(sqlite3.connect(house.database, isolation_level=None, timeout=10)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")


@asynccontextmanager
async def full(house: House) -> AsyncIterator[None]:
    """No file of the bot, its log included, may grow past a page.

    A small disk to fill would need a superuser. A limit on file size (RLIMIT_FSIZE, set on the running process from
    outside) fails the same writes: SQLite reports an I/O error where a full disk is SQLITE_FULL, and must pass both.
    """
    pid = house.bot.pid if house.bot else 0
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


@asynccontextmanager
async def turned_on(house: House) -> AsyncIterator[None]:
    """Turn the bot's clock two days on, and back again: jobs begin and end under different dates."""
    _turn(house, signal.SIGUSR1)
    yield
    _turn(house, signal.SIGUSR2)


@asynccontextmanager
async def turned_back(house: House) -> AsyncIterator[None]:
    """Turn it two days back, and on again."""
    _turn(house, signal.SIGUSR2)
    yield
    _turn(house, signal.SIGUSR1)


def _turn(house: House, number: int) -> None:
    if house.bot is None:
        raise AssertionError
    house.bot.send_signal(number)


HOST_TROUBLES = {
    "database locked": locked,
    "disk full": full,
    "clock turned on": turned_on,
    "clock turned back": turned_back,
}


async def host(folder: Path, rng: random.Random, say: Say, *, jobs: int, seconds: float) -> Scene:
    """Lock the database, fill the disk, turn the clock: each for some seconds, while people go on sending."""
    async with chaos_house(folder, program=CLOCK) as house:
        made = wishes(await crowd(house.tg, people=jobs // 6), jobs, rng)
        await house.start()
        await house.tg.calls("getUpdates", least=1, begun=True, timeout=60)
        within = 2 * seconds * len(HOST_TROUBLES)
        sending = asyncio.create_task(make_all(made, within=within, rng=rng))
        for name, trouble in HOST_TROUBLES.items():
            await asyncio.sleep(seconds)
            say(f"{name} for {seconds} s")
            async with trouble(house):
                await asyncio.sleep(seconds)
        await sending
        await settle(house)
        return Scene("host", Counter(list(HOST_TROUBLES)), await reckon(house, made))
