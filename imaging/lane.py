"""One provider as the router sees it: its rate, its breaker, what it learned, whether an admin paused it."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Protocol, TypeVar

from imaging import patience
from imaging.breaker import Breaker
from imaging.errors import (
    BadReply,
    Busy,
    ImagingError,
    KeyRefused,
    OutcomeUnknown,
    OutOfCredit,
    PictureError,
    Rejected,
    Unavailable,
)
from imaging.pace import Gate, Pace, Urgency
from imaging.waiting import Durations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from imaging.operations import Operation
    from imaging.provider import Link, Provider, Task, Upload
    from imaging.results import Result

T = TypeVar("T")


class Observer(Protocol):
    """Whoever counts; see bot.metrics."""

    def provider_request(self, provider: str, seconds: float, outcome: str) -> None:
        """Note a request; `outcome` is "ok" or an error's code (imaging.errors)."""

    def provider_state(self, provider: str, state: str) -> None:
        """Note what a provider's breaker has become: closed, open or half_open."""

    def unknown_submission(self, provider: str) -> None:
        """Note a paid POST that may have been taken without our learning its task_id."""


class Lane:
    """Every request to a provider goes through here, is paced, timed and judged."""

    def __init__(self, provider: Provider, rate: float, observer: Observer, gate: Gate | None = None) -> None:
        self.provider = provider
        self.name = provider.name
        self.paused = False
        self.durations: defaultdict[str, Durations] = defaultdict(Durations)
        self.breaker = Breaker()
        self._pace = Pace(rate, gate, f"provider {self.name}")
        self._observer = observer

    def admit(self) -> bool:
        """Say whether a new task may be given to it now."""
        return not self.paused and self.breaker.admit()

    @property
    def in_service(self) -> bool:
        """Whether it takes tasks, without taking a try while its breaker is half open."""
        return not self.paused and self.breaker.state == "closed"

    async def turn(self, urgency: Urgency) -> None:
        """Wait until the provider's rate lets a request through."""
        await self._pace.turn(urgency)

    async def submit(
        self, operation: Operation, upload: Upload | Link, *, sync: bool, callback_url: str | None
    ) -> Task:
        """Send the paid POST; its turn was waited for before."""
        task = await self._watch(lambda: self.provider.submit(operation, upload, sync=sync, callback_url=callback_url))
        self._tell(self.breaker.succeeded)
        return task

    async def query(self, operation: Operation, task_id: str, urgency: Urgency) -> Task:
        """Ask for a task in its turn."""
        await self.turn(urgency)
        return await self._watch(lambda: self.provider.query(operation, task_id))

    async def fetch(self, task: Task) -> Result:
        """Download a result; each file in its turn where it lies with the provider itself."""
        for _ in range(self.provider.downloads(task)):
            await self.turn(Urgency.SOON)
        result = await self._watch(lambda: self.provider.fetch(task))
        self._tell(self.breaker.succeeded)
        return result

    async def _watch(self, ask: Callable[[], Awaitable[T]]) -> T:
        started = time.perf_counter()
        outcome = "cancelled"
        try:
            answer = await ask()
            outcome = "ok"
        except ImagingError as error:
            outcome = error.code
            await self._judge(error)
            raise
        finally:
            self._observer.provider_request(self.name, time.perf_counter() - started, outcome)
        return answer

    async def _judge(self, error: ImagingError) -> None:
        """Slow down, count a failure, or leave it: what is no fault of the provider's health is not counted."""
        if isinstance(error, Busy):
            await self._pace.hold(patience.HOLD if error.retry_after is None else error.retry_after)
        elif isinstance(error, KeyRefused | OutOfCredit):
            self._tell(lambda: self.breaker.trip(patience.REFUSED))
        elif isinstance(error, PictureError):
            self._tell(self.breaker.succeeded)  # it looked at the picture, so it works
        elif isinstance(error, Unavailable | OutcomeUnknown | BadReply) and not isinstance(error, Rejected):
            self._tell(self.breaker.failed)

    def _tell(self, change: Callable[[], None]) -> None:
        before = self.breaker.state
        change()
        if self.breaker.state != before:
            self._observer.provider_state(self.name, self.breaker.state)
