"""A job: one picture, one operation, one chat; its states and what is written down on the way.

    accepted ──> submitting ──> submitted ──> delivering ──> delivered
        │            │              │              │
        └────────────┴──────────────┴──────────────┴──> failed | cancelled

`submitting` is the intent: from here on the provider may have taken a paid request. `submitted` knows the provider's
task_id, which is asked for and never submitted again. `delivering` knows the result is good: only Telegram is missing.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self

from imaging.operations import Operation, load
from imaging.routing import Resume
from storage.database import Row

PictureKind = Literal["photo", "document", "sticker"]
SendAs = Literal["photo", "file", "both"]


class State(StrEnum):
    """Where a job is on its way; see the drawing above."""

    ACCEPTED = "accepted"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({State.DELIVERED, State.FAILED, State.CANCELLED})


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that Telegram keeps for us. `size` in bytes and the sides in pixels are None where it did not say."""

    file_id: str
    file_unique_id: str
    kind: PictureKind
    name: str | None = None
    size: int | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked for. The same `source` (`m<message_id>`, `c<callback_query_id>`) and `place` make one job."""

    chat_id: int
    thread_id: int | None
    user_id: int
    reply_to: int
    source: str
    place: int
    picture: Picture
    operation: Operation
    language: str
    send_as: SendAs | None = None

    def columns(self) -> dict[str, object]:
        """Give the columns of the row in storage.tables.jobs."""
        return {
            "chat_id": self.chat_id,
            "thread_id": self.thread_id,
            "user_id": self.user_id,
            "reply_to": self.reply_to,
            "source": self.source,
            "place": self.place,
            "language": self.language,
            "file_id": self.picture.file_id,
            "file_unique_id": self.picture.file_unique_id,
            "file_kind": self.picture.kind,
            "file_name": self.picture.name,
            "file_size": self.picture.size,
            "operation": self.operation.name,
            "options": self.operation.model_dump_json(),
            "send_as": self.send_as,
        }


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands in the database. `send_as` None: as suits the operation."""

    id: int
    chat_id: int
    thread_id: int | None
    user_id: int
    reply_to: int | None
    language: str
    file_id: str
    file_name: str | None
    operation: Operation
    state: State
    provider: str | None
    task_id: str | None
    submits: int
    worked: float
    error: str | None
    error_params: str | None
    created_at: float
    updated_at: float
    send_as: SendAs | None = None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row of storage.tables.jobs."""
        return cls(
            id=row["id"],
            chat_id=row["chat_id"],
            thread_id=row["thread_id"],
            user_id=row["user_id"],
            reply_to=row["reply_to"] or None,
            language=row["language"],
            file_id=row["file_id"],
            file_name=row["file_name"],
            operation=load(row["operation"], row["options"]),
            send_as=row["send_as"],
            state=State(row["state"]),
            provider=row["provider"],
            task_id=row["task_id"],
            submits=row["submits"],
            worked=row["worked"],
            error=row["error"],
            error_params=row["error_params"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
        )

    @property
    def resume(self) -> Resume | None:
        """What a provider may already have of this job."""
        if self.provider is None or self.state == State.ACCEPTED:
            return None
        return Resume(self.provider, self.task_id)
