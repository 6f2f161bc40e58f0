"""What a provider is: what it takes, what it says about a task, what may be asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from imaging.wire import State

if TYPE_CHECKING:
    from imaging.operations import Operation
    from imaging.results import Result, Spools


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture to send: a seekable file, its size in bytes, and what to call it."""

    file: BinaryIO
    size: int
    filename: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Link:
    """A picture that the provider fetches itself, so that no request of ours goes where a stranger points."""

    url: str


@dataclass(frozen=True, slots=True)
class Task:
    """What a provider says about a task. `task_id` is empty when it handed over the picture at once.

    `state` is a wire.State or any other number, `progress` in percent, `image` and `mask` URLs; `pictures` holds
    what came inside the answer instead of behind a URL.
    """

    task_id: str
    state: int
    progress: int | None = None
    image: str | None = None
    mask: str | None = None
    detail: str | None = None
    error: str | None = None
    pictures: Spools = ()

    @property
    def done(self) -> bool:
        """Whether it succeeded."""
        return self.state == State.DONE

    @property
    def failed(self) -> bool:
        """Whether it failed; neither done nor failed means it is still being worked on."""
        return self.state < 0


class Provider(Protocol):
    """Somebody who develops pictures. Every method raises only from imaging.errors."""

    @property
    def name(self) -> str:
        """How settings, logs and metrics call it."""

    async def submit(
        self, operation: Operation, upload: Upload | Link, *, sync: bool = False, callback_url: str | None = None
    ) -> Task:
        """Send the one paid POST. Anything raised but OutcomeUnknown means that it surely was not taken."""

    async def query(self, operation: Operation, task_id: str) -> Task:
        """Ask for a task. Raises TaskLost when the provider does not know it."""

    async def fetch(self, task: Task) -> Result:
        """Download what a done task made; the caller closes it. Raises ResultLost, Unavailable."""

    def downloads(self, task: Task) -> int:
        """Count the requests of a fetch that go to the provider itself, which count against its rate."""

    async def check(self) -> None:
        """Test the key without paying. Raises KeyRefused, Unavailable."""

    async def aclose(self) -> None:
        """Close the connections."""
