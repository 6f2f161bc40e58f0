"""A fixed number of worker processes; one that crashes or hangs is killed and replaced."""

import asyncio
import contextlib
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from typing import Any, Self

log = logging.getLogger(__name__)

WARM_SECONDS = 60.0  # a cold machine may compile or read slowly; beyond that a start has failed
RESPAWN_SECONDS = 1.0  # between attempts, so that a broken installation does not spin


class WorkerCrashed(Exception):  # noqa: N818  named for what happened, as in imaging.errors
    """The worker died over this order."""


class WorkerHung(Exception):  # noqa: N818  as above
    """The worker took too long over this order and was killed."""


class _Worker:
    """One process, its pipes, and one order at a time."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, operators: str) -> Self:
        """Start a process and wait until it is warm. Raises WorkerCrashed, TimeoutError."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ENGINE_")}
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)  # the worker imports what the server would
        command = (sys.executable, "-m", "engine.worker", operators)
        creating = asyncio.create_task(
            asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=environment)
        )
        try:
            worker = cls(await asyncio.shield(creating))
        except asyncio.CancelledError:
            await cls(await creating).kill()  # asyncio would forget a process that is half made
            raise
        try:
            async with asyncio.timeout(WARM_SECONDS):
                await worker._answer()
        except BaseException:
            await worker.kill()
            raise
        return worker

    @property
    def dead(self) -> bool:
        """Whether the process ended by itself, as one does that ran out of memory."""
        return self._process.returncode is not None

    async def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Hand over an order and wait for the answer. Raises WorkerCrashed."""
        pipe = self._process.stdin
        assert pipe  # noqa: S101  for the type checker
        try:
            pipe.write(json.dumps(order).encode() + b"\n")
            await pipe.drain()
        except OSError as error:
            raise WorkerCrashed from error
        return await self._answer()

    async def _answer(self) -> dict[str, Any]:
        pipe = self._process.stdout
        assert pipe  # noqa: S101  for the type checker
        try:
            answer = json.loads(await pipe.readline())
        except ValueError as error:  # nothing: the process ended; too long or no JSON: it is not ours any more
            raise WorkerCrashed from error
        if not isinstance(answer, dict):
            raise WorkerCrashed
        return answer

    async def kill(self) -> None:
        """End the process at once, whatever it does, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin:
            self._process.stdin.close()
        await self._process.wait()
        self._process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001  else its pipe waits for the collector


class Pool:
    """`size` workers that develop with the module named `operators`, each order within `seconds`."""

    def __init__(self, operators: str, *, size: int, seconds: float) -> None:
        self._operators = operators
        self._size = size
        self._seconds = seconds
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._alive: set[_Worker] = set()
        self._starting: set[asyncio.Task[None]] = set()

    @property
    def warm(self) -> bool:
        """Whether any worker can work."""
        return any(not worker.dead for worker in self._alive)

    async def start(self) -> None:
        """Start all workers at once and wait until they are warm. Raises an ExceptionGroup of what failed."""
        starts = (self._add() for _ in range(self._size))
        results = await asyncio.gather(*starts, return_exceptions=True)  # none is cancelled amid cleaning up
        failures = [result for result in results if isinstance(result, Exception)]
        if failures:
            raise ExceptionGroup("workers did not start", failures)

    async def run(self, order: Mapping[str, Any], begin: Callable[[], None]) -> dict[str, Any]:
        """Wait for a free worker, call `begin`, develop. Raises WorkerCrashed, WorkerHung."""
        worker = await self._idle.get()
        while worker.dead:
            log.warning("a worker died between two orders and is replaced")
            self._replace(worker)
            worker = await self._idle.get()
        begin()
        try:
            async with asyncio.timeout(self._seconds):
                answer = await worker.ask({**order, "seconds": self._seconds})
        except TimeoutError:
            log.warning("a worker took longer than %s s and is replaced", self._seconds)
            self._replace(worker)
            raise WorkerHung from None
        except WorkerCrashed:
            log.warning("a worker crashed and is replaced")
            self._replace(worker)
            raise
        except BaseException:
            self._replace(worker)
            raise
        self._idle.put_nowait(worker)
        return answer

    async def close(self) -> None:
        """Kill all workers and wait until they are gone."""
        for task in self._starting:
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        await asyncio.gather(*(worker.kill() for worker in self._alive))
        self._alive.clear()

    async def _add(self) -> None:
        worker = await _Worker.start(self._operators)
        self._alive.add(worker)
        self._idle.put_nowait(worker)

    def _replace(self, worker: _Worker) -> None:
        """Do it in the background: the order's task need not wait for the next process."""
        task = asyncio.create_task(self._renew(worker))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _renew(self, worker: _Worker) -> None:
        await worker.kill()
        self._alive.discard(worker)
        while True:
            try:
                return await self._add()
            except (WorkerCrashed, TimeoutError, OSError):
                log.exception("a worker did not start")
                await asyncio.sleep(RESPAWN_SECONDS)
