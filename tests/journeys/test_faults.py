"""Short forms of the scenes of `make chaos` in which nobody is killed."""

import asyncio
import random
from pathlib import Path

from tests.journeys.chaos_audit import reckon
from tests.journeys.chaos_house import chaos_house
from tests.journeys.chaos_scenes import settle
from tests.journeys.chaos_troubles import CLOCK, HOST_TROUBLES, TROUBLES, TelegramFault, provider, telegram
from tests.journeys.chaos_wishes import crowd, make_all, wishes
from tests.journeys.stage import START_SECONDS

FAULTS: tuple[TelegramFault, ...] = (
    ("getUpdates", "lost", {}),
    ("getFile", "reset", {}),
    ("download", "error", {}),
    *(("sendDocument", kind, {}) for kind in ("error", "reset", "lost", "garbage")),
    ("sendDocument", "error", {"status": 502}),
    ("sendDocument", "error", {"status": 429, "retry_after": 1}),
    ("sendMessage", "error", {}),
)


def _silent(_: str) -> None:
    """Say nothing."""


def _rng() -> random.Random:
    return random.Random(1)  # noqa: S311  chaos that can be repeated


async def test_every_trouble_a_provider_makes_ends_as_the_contract_says(tmp_path: Path) -> None:
    """Delivered and charged once, or refused in words and free; and paid tasks are as many as the contract allows."""
    scene = await provider(tmp_path, _rng(), _silent, TROUBLES)
    assert scene.sums.wrong == []
    assert scene.sums.counts["photos"] == len(TROUBLES)


async def test_trouble_at_telegram_costs_nothing_but_time(tmp_path: Path) -> None:
    """Refused, reset and unheard calls are made again; what comes twice is no more than the answers lost."""
    scene = await telegram(tmp_path, _rng(), _silent, jobs=16, faults=FAULTS)
    assert scene.sums.wrong == []
    assert scene.sums.counts["delivered"] >= 16 - scene.sums.counts["refused: not_a_picture"] > 10


async def test_trouble_on_the_machine_costs_nothing_but_time(tmp_path: Path) -> None:
    """A locked database, a full disk and a clock that jumps either way lose no photo and charge none twice."""
    rng, each = _rng(), 5
    async with chaos_house(tmp_path, program=CLOCK) as house:
        made = wishes(await crowd(house.tg, people=10), each * len(HOST_TROUBLES), rng, ("caption", "file"))
        await house.start()
        await house.tg.calls("getUpdates", least=1, begun=True, timeout=START_SECONDS)
        for number, trouble in enumerate(HOST_TROUBLES.values()):
            batch = made[number * each :][:each]
            polled = len(await house.tg.calls("getUpdates"))
            async with trouble(house):
                await make_all(batch, within=0.0, rng=rng)
                await house.tg.calls("getUpdates", least=polled + 1, timeout=30)
            await asyncio.gather(*(wish.answered() for wish in batch))
        await settle(house)
        sums = await reckon(house, made)
    assert sums.wrong == []
    assert sums.counts["delivered"] + sums.counts["refused at the door"] == len(made)
