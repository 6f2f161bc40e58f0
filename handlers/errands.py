"""What goes on after a handler has returned: glances at accepted photos, and waiting for the rest of an album."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Errands:
    """Runs errands: nothing depends on them that is not written down."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = True

    def run(self, errand: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start an errand; nobody waits for it. After `close` it is cancelled at once."""
        task = asyncio.create_task(errand)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if not self._open:
            task.cancel()
        return task

    async def close(self) -> None:
        """End all errands, and begin no more."""
        self._open = False
        await self.drop()

    async def drop(self) -> None:
        """End all errands: they are others' by now."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
