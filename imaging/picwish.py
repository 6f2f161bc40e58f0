"""PicWish's dialect: X-API-KEY, one path for creating and asking, and results that may come inside the answer."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, ClassVar

from imaging import inline, results, wire
from imaging.client import HttpProvider, quoted
from imaging.errors import BadReply, ResultLost
from imaging.transport import TIMEOUT
from imaging.wire import ReturnType

if TYPE_CHECKING:
    import httpx
    from pydantic import SecretStr

    from imaging.operations import Operation
    from imaging.results import Spools


class PicWish(HttpProvider):
    """A provider at a PicWish URL; `return_type` as in the contract."""

    name: ClassVar[str] = "picwish"

    def __init__(
        self,
        url: str,
        key: SecretStr,
        *,
        return_type: ReturnType = ReturnType.URL,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> None:
        super().__init__(url, key, timeout=timeout)
        self._return_type = return_type

    def _headers(self) -> dict[str, str]:
        return {"X-API-KEY": self._key.get_secret_value()}

    def _create_path(self, operation: Operation) -> str:
        return wire.PICWISH_CREATE + wire.PATHS[operation.name]

    def _query_path(self, operation: Operation | None, task_id: str) -> str:
        part = wire.PATHS[operation.name if operation else "colorize"]
        return f"{wire.PICWISH_CREATE}{part}/{quoted(task_id)}"

    def _own_fields(self, operation: Operation, *, sync: bool) -> dict[str, str]:
        """Send `return_type`; a binary body needs sync=1, is not for ID photos, and holds one picture, not a mask."""
        wanted = self._return_type
        one_image = operation.name != "idphoto" and getattr(operation, "output", 2) == 2  # noqa: PLR2004  output_type
        if wanted == ReturnType.BINARY and not (sync and one_image):
            wanted = ReturnType.URL
        return {wire.RETURN_TYPE: str(int(wanted))}

    async def _read(self, response: httpx.Response) -> tuple[bytes, Spools]:
        """Read JSON, JSON that holds pictures as base64, or a bare picture, whichever comes."""
        if self._return_type == ReturnType.URL or not response.is_success:
            return await super()._read(response)
        pieces = response.aiter_bytes()
        head = b""
        async for piece in pieces:
            head += piece
            if len(head.lstrip()) > 0:
                break
        if head.lstrip().startswith(b"{"):
            return await inline.split(head, pieces)
        with ExitStack() as held:
            spool = held.enter_context(results.new_spool())
            spool.write(head)
            await results.copy(pieces, spool)
            try:
                results.look_at("image", spool)
            except ResultLost:  # no picture at all, so it says nothing about the task's
                raise BadReply("neither JSON nor a whole picture") from None
            held.pop_all()
            return b"", (("image", spool),)
