"""Worker processes: they crash, hang, die idle and are replaced."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine import pool as pool_module
from engine.pool import Pool, WorkerCrashed, WorkerHung
from imaging.operations import Colorize
from tests.engine import stub
from tests.engine.support import picture


@contextlib.asynccontextmanager
async def started(size: int = 1, seconds: float = 50.0) -> AsyncIterator[Pool]:
    pool = Pool("tests.engine.stub", size=size, seconds=seconds)
    try:
        await pool.start()
        yield pool
    finally:
        await pool.close()


def order(folder: Path, data: bytes) -> dict[str, Any]:
    (folder / "source").write_bytes(data)
    return {
        "operation": "colorize",
        "options": Colorize().model_dump_json(),
        "original_size": False,
        "source": str(folder / "source"),
        "target": str(folder / "task"),
    }


def begin() -> None:
    """Do nothing."""


def pids(pool: Pool) -> set[int]:
    return {worker._process.pid for worker in pool._alive}


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_a_crashed_worker_is_replaced(tmp_path: Path) -> None:
    """The order it crashed over fails, the next one is done by a new process."""
    async with started() as pool:
        before = pids(pool)
        with pytest.raises(WorkerCrashed):
            await pool.run(order(tmp_path, picture(stub.CRASH)), begin)
        answer = await pool.run(order(tmp_path, picture()), begin)
        assert answer["state"] == 1
        assert not pids(pool) & before
        assert pool.warm


async def test_a_hung_worker_is_killed(tmp_path: Path) -> None:
    """When its time is over the process is gone, and another takes the next order."""
    async with started(seconds=0.3) as pool:
        (before,) = pids(pool)
        with pytest.raises(WorkerHung):
            await pool.run(order(tmp_path, picture(stub.HANG)), begin)
        pool._seconds = 50.0
        assert (await pool.run(order(tmp_path, picture()), begin))["state"] == 1
        assert gone(before)


async def test_a_worker_that_died_idle_costs_no_order(tmp_path: Path) -> None:
    """One killed from outside between orders is replaced before the next order, which succeeds."""
    async with started() as pool:
        (worker,) = pool._alive
        os.kill(worker._process.pid, signal.SIGKILL)
        await worker._process.wait()
        assert not pool.warm
        assert (await pool.run(order(tmp_path, picture()), begin))["state"] == 1


async def test_an_abandoned_order_frees_its_worker(tmp_path: Path) -> None:
    """Cancelling kills the process that was at it, so it works no further."""
    async with started() as pool:
        begun = asyncio.Event()
        running = asyncio.create_task(pool.run(order(tmp_path, picture(stub.HANG)), begun.set))
        await begun.wait()
        running.cancel()
        await asyncio.wait({running})
        assert running.cancelled()
        assert (await pool.run(order(tmp_path, picture()), begin))["state"] == 1


async def test_orders_wait_for_a_free_worker(tmp_path: Path) -> None:
    """More orders than workers are all done, each by one worker at a time."""
    async with started(size=2) as pool:
        working = most = 0

        async def one(number: int) -> int:
            nonlocal working, most

            def count() -> None:
                nonlocal working, most
                working += 1
                most = max(most, working)

            (folder := tmp_path / str(number)).mkdir()
            answer = await pool.run(order(folder, picture()), count)
            working -= 1
            return int(answer["state"])

        assert await asyncio.gather(*(one(number) for number in range(8))) == [1] * 8
        assert most <= 2


async def test_closing_leaves_no_process(tmp_path: Path) -> None:
    """After close every process is gone, busy ones too."""
    async with started(size=2) as pool:
        begun = asyncio.Event()
        running = asyncio.create_task(pool.run(order(tmp_path, picture(stub.HANG)), begun.set))
        await begun.wait()
        before = pids(pool)
        await pool.close()
        assert all(gone(pid) for pid in before)
        with pytest.raises(WorkerCrashed):
            await running


async def test_operators_that_do_not_load() -> None:
    """A worker that cannot start says so at the start of the engine."""
    pool = Pool("tests.engine.no_such_module", size=2, seconds=1)
    with pytest.raises(ExceptionGroup) as caught:
        await pool.start()
    assert caught.group_contains(WorkerCrashed)
    await pool.close()


async def test_a_replacement_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a replacement does not start either, another follows until one does."""
    waits: list[float] = []
    async with started() as pool:
        sleep = asyncio.sleep

        async def mended(seconds: float) -> None:
            waits.append(seconds)
            pool._operators = "tests.engine.stub"
            await sleep(0)

        monkeypatch.setattr(asyncio, "sleep", mended)
        pool._operators = "tests.engine.no_such_module"
        with pytest.raises(WorkerCrashed):
            await pool.run(order(tmp_path, picture(stub.CRASH)), begin)
        assert (await pool.run(order(tmp_path, picture()), begin))["state"] == 1
    assert waits == [pool_module.RESPAWN_SECONDS]


async def test_secrets_are_kept_from_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that opens strangers' pictures does not have the engine's keys in its environment."""
    monkeypatch.setenv("ENGINE_KEYS", "sk-secret")
    async with started() as pool:
        (pid,) = pids(pool)
        assert b"sk-secret" not in Path(f"/proc/{pid}/environ").read_bytes()
