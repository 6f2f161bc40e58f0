"""What a result looks like in its chat: a photo or a file, its name, and the words under it."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Protocol

from imaging import codec
from imaging.operations import Colorize, Enhance
from imaging.results import Result
from jobs.job import Job, Piece


class Say(Protocol):
    """Gives the words for a key in a language; see handlers.words."""

    def __call__(self, language: str | None, key: str, /, **params: str | int) -> str:
        """Give the sentence."""


def caption_of(to: Job, pieces: Sequence[Piece], say: Say) -> str:
    """Give the words under results that answer `to` together: that they are done, and what was done besides."""
    notes = dict.fromkeys(change for piece in pieces for change in piece.changes)
    said = [say(to.language, key) for key in (f"done_{to.operation.name}", *(f"note_{note}" for note in notes))]
    if reused := sum(bool(piece.job.reuse) for piece in pieces):
        said.append(say(to.language, "note_reused" if reused == len(pieces) else "note_reused_some", n=reused))
    return " ".join(said)


def goes_as_photo(job: Job, result: Result) -> bool:
    """Tell whether the result can be looked at as a photo, and shall be: a photo loses transparency and sharpness."""
    first = result.files[0]
    opaque = first.format == "jpg" or isinstance(job.operation, (Colorize, Enhance))
    if len(result.files) > 1 or job.send_as == "file" or not opaque or first.format == "webp":
        return False
    wanted = job.send_as is not None or (isinstance(job.operation, Colorize) and first.format == "jpg")
    return wanted and codec.fit_photo(first.width, first.height, first.size)


def name_of(job: Job, role: str, extension: str) -> str:
    """Name a file of a result after the original, without control characters.

    Among them are those that turn the direction of a name and with it its ending.
    """
    stem = "".join(filter(str.isprintable, PurePath(job.file_name or "").stem))[:60] or "photo"
    part = job.operation.name if role == "image" else role
    return f"{stem}-{part}.{extension}"
