"""What goes on after a handler has returned: glances at accepted photos, and albums that are being gathered."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Errands:
    """Runs errands, and remembers the updates that are not handled before one of them is over."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: dict[int, asyncio.Task[None]] = {}

    def run(self, errand: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start an errand; nobody waits for it."""
        task = asyncio.create_task(errand)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def hold(self, update_id: int, task: asyncio.Task[None]) -> None:
        """Leave an update in the inbox until `task` is over."""
        self._held[update_id] = task

    def holding(self, update_id: int) -> asyncio.Task[None] | None:
        """Give what an update waits for, once."""
        return self._held.pop(update_id, None)

    async def close(self) -> None:
        """End all errands; their updates stay for the next start."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
