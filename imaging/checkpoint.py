"""What must not be repeated is written down by the caller, and taken up again after a crash."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Checkpoint(Protocol):
    """Where the caller writes down what must not be repeated; each call is durable when it returns."""

    @property
    def name(self) -> str:
        """What no other picture's way is called, the same for whoever takes it up."""

    async def submitting(self, provider: str) -> None:
        """Write down that a paid POST is about to be sent."""

    async def submitted(self, provider: str, task_id: str) -> None:
        """Write down that the provider took it."""

    async def unsubmitted(self) -> None:
        """Write down that nothing is pending: the POST surely was not taken, or its task is over."""

    def progressed(self, percent: int) -> None:
        """Take note of how far the task is; this alone is not written down."""


@dataclass(frozen=True, slots=True)
class Resume:
    """What was pending when a process ended, and for how many seconds by now.

    task_id None means that the POST's outcome is unknown.
    """

    provider: str
    task_id: str | None
    age: float = field(default=0.0, compare=False)
