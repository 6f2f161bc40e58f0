"""Which provider develops a picture: their order, who is out of service, and who takes over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from imaging.checkpoint import Checkpoint, Resume
from imaging.errors import Unavailable
from imaging.journey import Journey
from imaging.lane import Lane, Observer
from imaging.pace import Gate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imaging.callbacks import Callbacks
    from imaging.operations import Operation
    from imaging.provider import Link, Provider, Upload
    from imaging.results import Result

__all__ = ["Checkpoint", "Gate", "Observer", "Resume", "Router", "WaitMode"]

WaitMode = Literal["poll", "sync", "callback"]


class _Nobody:
    """An observer that looks away."""

    def provider_request(self, provider: str, seconds: float, outcome: str) -> None: ...
    def provider_state(self, provider: str, state: str) -> None: ...
    def unknown_submission(self, provider: str) -> None: ...


class Router:
    """Develops pictures with the first provider that can, each at `rate` requests a second.

    `wait` says how to learn that a task is done; `callbacks` are those that providers make when it is "callback".
    With a `gate` the rate holds for all processes that share it.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        rate: float = 2.0,
        wait: WaitMode = "poll",
        callbacks: Callbacks | None = None,
        observer: Observer | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._observer = observer or _Nobody()
        self._lanes = {one.name: Lane(one, rate, self._observer, gate) for one in providers}
        for name in self._lanes:
            self._observer.provider_state(name, "closed")
        self._sync = wait == "sync"
        self._callbacks = callbacks if wait == "callback" else None

    async def develop(
        self, operation: Operation, upload: Upload | Link, checkpoint: Checkpoint, *, resume: Resume | None = None
    ) -> Result:
        """Give the result, which the caller closes. Raises PictureError, or GaveUp from the last ProviderError.

        `resume` takes up what a process before this one began: a known task is asked for and not submitted again.
        The deadline is the caller's asyncio.timeout. Nothing is charged twice but as API_CONTRACT allows.
        """
        call = await self._callbacks.expect(checkpoint.name) if self._callbacks else None
        journey = Journey(
            list(self._lanes.values()), operation, upload, checkpoint, self._observer, sync=self._sync, call=call
        )
        try:
            return await journey.run(resume)
        finally:
            journey.close()
            if self._callbacks and call:
                self._callbacks.forget(call)

    async def on_callback(self, token: str, body: bytes = b"") -> bool:
        """Take a provider's call; whether the URL was awaited. It is good for one call."""
        return self._callbacks is not None and await self._callbacks.take(token, body)

    async def ready(self) -> None:
        """Raise Unavailable when no provider is in service."""
        if not any(state in {"closed", "half_open"} for state in self.states().values()):
            raise Unavailable("no provider is in service")

    def states(self) -> dict[str, str]:
        """Give each provider's state: closed, open, half_open (its breaker's) or paused."""
        return {name: "paused" if lane.paused else lane.breaker.state for name, lane in self._lanes.items()}

    def pause(self, name: str) -> None:
        """Give a provider no new tasks; those it has are still asked for."""
        self._lanes[name].paused = True

    def resume(self, name: str) -> None:
        """Give a provider tasks again."""
        self._lanes[name].paused = False
