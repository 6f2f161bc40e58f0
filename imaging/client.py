"""The client of both dialects: it submits, asks and fetches; a dialect adds paths, key header and own fields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import quote

from imaging import refusals, results, wire
from imaging.errors import BadReply, OutcomeUnknown, Rejected, ResultLost, TaskLost, Unavailable, Unsent
from imaging.provider import Link, Task, Upload
from imaging.transport import TIMEOUT, Connections

if TYPE_CHECKING:
    import httpx
    from pydantic import SecretStr

    from imaging.errors import ImagingError
    from imaging.operations import Operation
    from imaging.results import Result, Role, Spools

SYNC_SECONDS: Final = 90.0
"""How long a provider may think about a POST with sync=1 (vendors end a task after 30 s)."""

NO_SUCH_TASK: Final = "00000000-0000-0000-0000-000000000000"
OK: Final = 200
_REDIRECTS: Final = range(300, 400)
_LONGEST_ID: Final = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API that was read to its end: JSON in `raw`, pictures that came beside it."""

    status: int
    raw: bytes
    retry_after: float | None
    pictures: Spools = ()


class HttpProvider(ABC):
    """Speaks the contract; a dialect adds its paths, its key header and its own fields."""

    name: ClassVar[str]

    def __init__(self, url: str, key: SecretStr, *, timeout: httpx.Timeout = TIMEOUT) -> None:
        self._key = key
        self._connections = Connections(url, timeout)

    @abstractmethod
    def _headers(self) -> dict[str, str]: ...

    @abstractmethod
    def _create_path(self, operation: Operation) -> str: ...

    @abstractmethod
    def _query_path(self, operation: Operation | None, task_id: str) -> str: ...

    def _own_fields(self, operation: Operation, *, sync: bool) -> dict[str, str]:
        """Give what only this dialect sends."""
        del operation, sync
        return {}

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connections.aclose()

    def downloads(self, task: Task) -> int:
        """Count the requests of a fetch that go to the provider itself, which count against its rate."""
        return sum(self._connections.is_own(results.read_url(url)) for url in (task.image, task.mask) if url)

    async def submit(
        self, operation: Operation, upload: Upload | Link, *, sync: bool = False, callback_url: str | None = None
    ) -> Task:
        """Send the one paid POST. Anything raised but OutcomeUnknown means that it surely was not taken."""
        fields = {**operation.fields(), wire.SYNC: str(int(sync)), **self._own_fields(operation, sync=sync)}
        if callback_url:
            fields[wire.CALLBACK_URL] = callback_url
        if isinstance(upload, Link):
            fields[wire.IMAGE_URL], file = upload.url, None
        else:
            upload.file.seek(0)
            file = upload
        try:
            answer = await self._ask("POST", self._create_path(operation), fields=fields, upload=file, sync=sync)
            self._complain(answer, unknown=Rejected)
            return self._task(operation, answer, None)
        except (Unsent, Rejected):
            raise
        except (Unavailable, BadReply, ResultLost) as error:
            raise OutcomeUnknown(str(error)) from None

    async def query(self, operation: Operation, task_id: str) -> Task:
        """Ask for a task. Raises TaskLost when the provider does not know it."""
        answer = await self._ask("GET", self._query_path(operation, task_id))
        self._complain(answer, unknown=TaskLost)
        return self._task(operation, answer, task_id)

    async def check(self) -> None:
        """Ask for a task that cannot exist: 404 means that the key is good. Raises ProviderError otherwise."""
        answer = await self._ask("GET", self._query_path(None, NO_SUCH_TASK))
        try:
            self._complain(answer, unknown=TaskLost)
        except (TaskLost, Rejected):
            if answer.status in _REDIRECTS:  # by whoever has the address now, and knows no key
                raise

    async def fetch(self, task: Task) -> Result:
        """Download what a done task made; the caller closes it. Raises ResultLost, Unavailable."""
        return await results.fetch(self._connections, task.image, task.mask, task.pictures)

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        fields: dict[str, str] | None = None,
        upload: Upload | None = None,
        sync: bool = False,
    ) -> Answer:
        async with self._connections.send(
            method,
            self._connections.at(path),
            headers=self._headers(),
            fields=fields,
            upload=(upload.filename, upload.file, upload.content_type) if upload else None,
            read_seconds=SYNC_SECONDS if sync else None,
        ) as response:
            raw, pictures = await self._read(response)
            wait = refusals.retry_after(response.headers.get("Retry-After"))
            return Answer(response.status_code, raw, wait, pictures)

    async def _read(self, response: httpx.Response) -> tuple[bytes, Spools]:
        """Read a body of JSON, at most one byte more than wire.read_reply takes."""
        raw = bytearray()
        async for piece in response.aiter_bytes():
            raw += piece
            if len(raw) > wire.MAX_BODY:
                break
        return bytes(raw[: wire.MAX_BODY + 1]), ()

    def _complain(self, answer: Answer, *, unknown: type[ImagingError]) -> None:
        """Raise what a failed answer means; `unknown` is what 404 means here. The body's own status counts too."""
        status, message = answer.status, ""
        try:
            reply = wire.read_reply(answer.raw)
        except BadReply:
            if status == OK and not answer.pictures:
                raise
        else:
            status = reply.status if status == OK else status
            message = self._tame(reply.message)
        if status != OK:
            raise refusals.meaning(status, message, answer.raw, answer.retry_after, unknown)

    def _tame(self, text: str | None) -> str:
        return refusals.tame(text, self._key.get_secret_value())

    def _task(self, operation: Operation, answer: Answer, asked: str | None) -> Task:
        """Read a task. Raises BadReply when it has no id, or is not the one that was asked for."""
        if answer.pictures and not answer.raw:
            return Task("", wire.State.DONE, pictures=answer.pictures)
        data = wire.read_reply(answer.raw).data
        task_id = (data.task_id if data else None) or asked
        if data is None or task_id is None or (asked and task_id != asked) or len(task_id) > _LONGEST_ID:
            raise BadReply("no task, or another one than asked for")
        given = {role for role, _ in answer.pictures}
        roles = _wanted(operation, image=bool(data.image) or "image" in given, mask=bool(data.mask) or "mask" in given)
        return Task(
            task_id=task_id,
            state=data.state,
            progress=data.progress,
            image=data.image if "image" in roles else None,
            mask=data.mask if "mask" in roles else None,
            detail=self._tame(data.state_detail) or None,
            error=self._tame(data.err_info) or None,
            pictures=tuple((role, spool) for role, spool in answer.pictures if role in roles),
        )


def quoted(task_id: str) -> str:
    """Write a provider's task_id as one segment of a path, whatever it is made of."""
    return quote(task_id, safe="")


def _wanted(operation: Operation, *, image: bool, mask: bool) -> frozenset[Role]:
    """Which of the pictures at hand were asked for: a mask is only ever a cutout's."""
    output = getattr(operation, "output", 2)
    if image and not (output == 3 and mask):  # noqa: PLR2004  the contract's output_type
        return frozenset({"image", "mask"} if output == 1 else {"image"})
    return frozenset({"mask"})
