"""A job: one picture, one operation, one chat; its states and what is written down on the way.

    accepted ──> submitting ──> submitted ──> delivering ──> delivered
        │            │              │              │
        └────────────┴──────────────┴──────────────┴──> failed | cancelled

`submitting` is the intent: from here on the provider may have taken a paid request. `submitted` knows the provider's
task_id, which is asked for and never submitted again. `delivering` knows the result is good: only Telegram is missing.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Self

from imaging.operations import Operation, load
from imaging.results import Result
from imaging.routing import Resume
from storage.database import Row

SendAs = Literal["photo", "file", "both"]
PictureKind = Literal["photo", "document", "sticker", "link"]


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


def developed(row: Row) -> bool:
    """Tell whether nothing is left to do for a job of storage.tables.jobs but to let its chat know."""
    return row["state"] in {State.DELIVERING, *ENDED} or bool(row["reuse"])


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that Telegram keeps for us. `size` in bytes and the sides in pixels are None where it did not say.

    A link has its URL as `file_id` and a blank `file_unique_id`: what is behind it tomorrow may be another picture.
    """

    file_id: str
    file_unique_id: str
    kind: PictureKind
    name: str | None = None
    size: int | None = None
    width: int | None = None
    height: int | None = None

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> Self:
        """Read it from columns of storage.tables.jobs, which have no sides."""
        return cls(*(columns[name] for name in ("file_id", "file_unique_id", "file_kind", "file_name", "file_size")))


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked for. The same `source` (`m<message_id>`, `c<callback_query_id>`) and `place` make one job.

    `album`: the message that asked for several pictures at once, whose results answer it together. `fresh`: do it
    even if the same was done before.
    """

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
    album: int | None = None
    fresh: bool = False

    def again(self, message_id: int) -> Self:
        """Give the request to do the same anew, asked for by another message."""
        source, reply_to = f"m{message_id}", message_id
        if self.album is None:
            return replace(self, source=source, place=0, reply_to=reply_to, fresh=True)
        return replace(self, source=source, reply_to=self.reply_to or reply_to, album=message_id, fresh=True)

    def at(self, message_id: int) -> Self:
        """Give the request for a single picture of an album, which answers that picture."""
        return replace(self, place=message_id, reply_to=message_id)

    @property
    def wish(self) -> str:
        """What makes two results of one operation and picture the same."""
        return self.operation.model_dump_json() + (self.send_as or "")

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
            "album": self.album,
        }

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> Self:
        """Read such columns, or a whole row, back."""
        own = ("chat_id", "thread_id", "user_id", "reply_to", "source", "place", "language", "album", "send_as")
        operation = load(columns["operation"], columns["options"])
        return cls(picture=Picture.of(columns), operation=operation, **{name: columns[name] for name in own})


class Sent(NamedTuple):
    """A file of a result that Telegram keeps: a photo or a document."""

    kind: str
    file_id: str


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
    updated_at: float
    send_as: SendAs | None = None
    file_unique_id: str = ""
    file_kind: PictureKind = "photo"
    album: int | None = None
    reuse: tuple[Sent, ...] = ()
    progress_id: int | None = None
    epoch: int = 0

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row of storage.tables.jobs."""
        columns = {name: row[name] for name in cls.__dataclass_fields__}
        read = {
            "reply_to": row["reply_to"] or None,
            "operation": load(row["operation"], row["options"]),
            "state": State(row["state"]),
            "reuse": tuple(Sent(*one) for one in json.loads(row["reuse"] or "[]")),
        }
        return cls(**columns | read)

    @property
    def wish(self) -> str:
        """See Request.wish."""
        return self.operation.model_dump_json() + (self.send_as or "")

    @property
    def resume(self) -> Resume | None:
        """What a provider may already have of this job."""
        if self.provider is None or self.state == State.ACCEPTED:
            return None
        return Resume(self.provider, self.task_id, time.time() - self.updated_at)


@dataclass(frozen=True, slots=True)
class Piece:
    """A job that has come so far that its chat must hear of it: with a result, with one made earlier, or failed.

    `changes` says what was done to the picture; whoever has the piece closes it.
    """

    job: Job
    provider: str | None = None
    result: Result | None = None
    changes: tuple[str, ...] = ()

    def close(self) -> None:
        """Let go of the files."""
        if self.result is not None:
            self.result.close()
