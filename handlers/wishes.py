"""What people want done with which pictures, before it becomes requests for the desk."""

import asyncio
from dataclasses import dataclass, field

from telegram import Message

from imaging.operations import Operation
from jobs.job import Picture


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall be done; `fresh`: even if it was done before."""

    operation: Operation
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture and the message it stands in."""

    message_id: int
    picture: Picture


@dataclass(slots=True)
class Gathering:
    """An album that is still coming in: what shall be done with it, and which message says so."""

    first: Message
    asked: Message | None = None
    wish: Wish | None = None
    awaited: bool = False
    pictures: int = 0
    more: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
