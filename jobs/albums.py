"""Albums on their way back: held until the last picture is developed or has failed, then sent in order, together."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from jobs.closing import Closing, Messenger, UndeliverableError
from jobs.job import Job, Piece, State
from storage import jobs as rows
from storage.albums import MOST
from storage.database import Database
from storage.jobs import SupersededError


class Albums:
    """Collects the pieces of albums. Each job keeps its own row: what was not sent at the end is fetched again.

    `alone` delivers one piece by itself and ends its job, whatever comes.
    """

    def __init__(
        self, db: Database, messenger: Messenger, closing: Closing, alone: Callable[[Piece], Awaitable[None]]
    ) -> None:
        self._db = db
        self._messenger = messenger
        self._closing = closing
        self._alone = alone
        self._here: dict[int, Piece] = {}  # by job id
        self._sending: set[int] = set()

    async def arrive(self, piece: Piece) -> None:
        """Take a picture that is developed or has failed. With the last one the album goes out."""
        self._here[piece.job.id] = piece
        await self.check(piece.job.id)

    def drop(self, job_id: int) -> bool:
        """Forget a piece, because the person gave it up; False when it is on its way to the chat."""
        if job_id in self._sending:
            return False
        if piece := self._here.pop(job_id, None):
            piece.close()
        return True

    def holds(self, job_id: int) -> bool:
        """Tell whether a piece is here, or on its way to the chat."""
        return job_id in self._here or job_id in self._sending

    def close(self) -> None:
        """Let go of albums that are not complete; the next start fetches their results again."""
        for piece in self._here.values():
            piece.close()
        self._here.clear()

    async def check_all(self) -> None:
        """Send the albums of which what was missing has ended in another process."""
        for job_id in list(self._here):
            if job_id in self._here:
                await self.check(job_id)

    async def check(self, job_id: int) -> None:
        """Send the album of a job if nothing of it is missing any more.

        Raises SupersededError when another process has pictures of it that were this one's.
        """
        album = await self._db.look(lambda conn: rows.together(conn, job_id))
        if not all(row["told"] or row["id"] in self._here for row in album):
            return
        if any(row["id"] in self._here and row["epoch"] != self._here[row["id"]].job.epoch for row in album):
            raise SupersededError(job_id)
        # As the rows have it now: the chat may have moved meanwhile.
        pieces = {
            number: replace(self._here.pop(row["id"]), job=Job.of(row))
            for number, row in enumerate(album, 1)
            if row["id"] in self._here
        }
        ids = {piece.job.id for piece in pieces.values()}
        self._sending |= ids
        try:
            with ExitStack() as held:
                for piece in pieces.values():
                    held.callback(piece.close)
                await self._send(pieces)
        finally:
            self._sending -= ids

    async def _send(self, pieces: dict[int, Piece]) -> None:
        """Send the results, then name what failed, by its number in the album."""
        done = [piece for piece in pieces.values() if piece.job.state != State.FAILED]
        for batch in batches(done, self._messenger.looks):
            await self._send_batch(batch)
        for number, piece in pieces.items():
            if piece.job.state == State.FAILED:
                await self._closing.tell(piece.job, number=number)

    async def _send_batch(self, batch: Sequence[Piece]) -> None:
        if len(batch) > 1 and await self._send_together(batch):
            return
        for piece in batch:
            await self._alone(piece)

    async def _send_together(self, batch: Sequence[Piece]) -> bool:
        """Send results in one call and end their jobs; False when Telegram does not take them so."""
        first = batch[0].job
        asked = replace(first, reply_to=first.album or first.reply_to)
        try:
            sent = await self._closing.reach(asked, lambda to: self._messenger.deliver(to, batch))
        except UndeliverableError:
            return False  # perhaps it is the fault of one of them
        except SupersededError:
            raise
        except Exception as error:  # noqa: BLE001  whatever broke, nothing is charged and no job is left behind
            for piece in batch:
                await self._closing.tell((await self._closing.failed(piece, error)).job)
        else:
            await self._closing.delivered(*zip(batch, sent, strict=True))
        return True


def batches(pieces: Sequence[Piece], looks: Callable[[Piece], tuple[str, int]]) -> Iterator[list[Piece]]:
    """Sort pieces into albums as Telegram takes them: photos with photos, files with files, at most MOST files each."""
    by_kind: dict[str, list[tuple[Piece, int]]] = {}
    for piece in pieces:
        kind, files = looks(piece)
        by_kind.setdefault(kind, []).append((piece, files))
    for alike in by_kind.values():
        batch: list[Piece] = []
        room = MOST
        for piece, files in alike:
            if files > room:
                yield batch
                batch, room = [], MOST
            batch.append(piece)
            room -= files
        yield batch
