"""What people want done with which pictures, before it becomes requests for the desk."""

import json
from dataclasses import dataclass
from typing import Self

from imaging.operations import Operation, load
from jobs.job import Picture


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall be done; `fresh`: even if it was done before."""

    operation: Operation
    fresh: bool = False

    def dump(self) -> str:
        """Give the wish as JSON."""
        return json.dumps([self.operation.name, self.operation.model_dump_json(), self.fresh])

    @classmethod
    def load(cls, dumped: str) -> Self:
        """Read what `dump` gave."""
        name, options, fresh = json.loads(dumped)
        return cls(load(name, options), fresh)


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture and the message it stands in."""

    message_id: int
    picture: Picture
