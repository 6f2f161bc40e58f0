"""Two vendors on loopback and a router over them, with everything it does written down."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import stamina
from aiohttp import web
from pydantic import SecretStr

from imaging import patience, waiting
from imaging.callbacks import OwnCallbacks
from imaging.gptge import GptGe
from imaging.operations import Colorize, Operation
from imaging.picwish import PicWish
from imaging.provider import Upload
from imaging.routing import Resume, Router, WaitMode
from tests.imaging.vendor import EASY, Behaviour, Vendor, body, hurry, running, says, upload

DONE = says(body("gptge_query"))


class Notes:
    """A checkpoint and an observer that write everything down."""

    name = "1"

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.outcomes: list[str] = []
        self.states: list[str] = []
        self.unknown = 0

    async def submitting(self, provider: str) -> None:
        """Note the intent."""
        self.steps.append(f"submitting {provider}")

    async def submitted(self, provider: str, task_id: str) -> None:
        """Note the task."""
        self.steps.append(f"submitted {provider} {task_id}")

    def progressed(self, percent: int) -> None:
        """Nobody looks."""

    async def unsubmitted(self) -> None:
        """Note that nothing is pending."""
        self.steps.append("unsubmitted")

    def provider_request(self, provider: str, seconds: float, outcome: str) -> None:
        """Note a request."""
        assert seconds >= 0
        self.outcomes.append(f"{provider} {outcome}")

    def provider_state(self, provider: str, state: str) -> None:
        """Note a breaker's change."""
        self.states.append(f"{provider} {state}")

    def unknown_submission(self, provider: str) -> None:
        """Count it."""
        assert provider
        self.unknown += 1


class House:
    """A router over two vendors, gptge first."""

    def __init__(self, first: Vendor, second: Vendor) -> None:
        self.first = first
        self.second = second
        self.notes = Notes()
        self.providers = [
            GptGe(first.url, SecretStr("sk-a"), timeout=EASY),
            PicWish(second.url, SecretStr("wx-b"), timeout=EASY),
        ]
        self.router = self.make()
        second.will("GET", says(body("picwish_done")))

    def make(self, *, only: int = 2, wait: WaitMode = "poll", callback_base: str | None = None) -> Router:
        """Make the router anew, over the first `only` vendors."""
        callbacks = OwnCallbacks(callback_base, SecretStr("key")) if callback_base else None
        self.router = Router(self.providers[:only], rate=1000, wait=wait, callbacks=callbacks, observer=self.notes)
        return self.router

    def hurry(self, behaviour: Behaviour) -> None:
        """Let both clients be impatient where a vendor never answers."""
        for one in self.providers:
            hurry(one, behaviour)

    def hurry_once(self, behaviour: Behaviour) -> Behaviour:
        """Let the clients be impatient with the one request that gets this, and patient again once it is there."""

        async def behave(vendor: Vendor, request: web.Request) -> web.StreamResponse:
            for one in self.providers:
                one._connections.timeout = EASY
            return await behaviour(vendor, request)

        self.hurry(behaviour)
        return behave

    async def develop(
        self, operation: Operation | None = None, photo: Upload | None = None, resume: Resume | None = None
    ) -> tuple[str, ...]:
        """Develop a photo; give the formats of the result."""
        result = await self.router.develop(operation or Colorize(), photo or upload(), self.notes, resume=resume)
        formats = tuple(one.format for one in result.files)
        result.close()
        return formats + result.changes

    @property
    def posts(self) -> tuple[int, int]:
        """How many paid POSTs each vendor got."""
        return self.first.count("POST"), self.second.count("POST")


@asynccontextmanager
async def opened() -> AsyncIterator[House]:
    """Open a house without its pauses; test_waiting.py and test_timing.py show those on a simulated clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "FIRST", 0.01)
        patch.setattr(patience, "FOR_SERVICE", 0.0)
        patch.setattr(patience, "BREATH", 0.0)
        patch.setattr(patience, "HOLD", 0.0)
        stamina.set_testing(True, attempts=3, cap=True)
        async with running() as first, running() as second:
            made = House(first, second)
            yield made
            for one in made.providers:
                await one.aclose()
        stamina.set_testing(False)
