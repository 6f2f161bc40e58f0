"""What a photo costs: held before the work, charged for the result; and when to mention what is left."""

from collections.abc import Mapping
from dataclasses import dataclass

from imaging.operations import Enhance, Operation
from imaging.results import Result
from jobs.job import Job
from storage.database import Database
from storage.quotas import Terms, quota

LARGE = 2048
"""Pixels of a side past which PicWish's enhance costs more (API_CONTRACT.md)."""

FEW = 3
"""Credits left at which a person is told under the result."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Credits by operation name; `enhance_large` for an enhanced picture with a side over LARGE."""

    each: Mapping[str, int]
    enhance_large: int

    @property
    def most(self) -> Mapping[str, int]:
        """What is held for each operation, as nobody knows the result's size yet."""
        return {**self.each, Enhance.name: max(self.each[Enhance.name], self.enhance_large)}

    def actual(self, operation: Operation, result: Result) -> int:
        """Give what the result costs."""
        if isinstance(operation, Enhance) and max(max(file.width, file.height) for file in result.files) > LARGE:
            return self.enhance_large
        return self.each[operation.name]


async def few_left(db: Database, terms: Terms, job: Job) -> int | None:
    """Give how many credits the job's chat has left if they are few, else None."""
    try:
        left = (await db.look(lambda conn: quota(conn, job.chat_id, terms))).left
    except db.Error:  # a courtesy must not keep a result from its person
        return None
    return left if left is not None and left <= FEW else None
