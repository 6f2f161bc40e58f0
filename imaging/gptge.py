"""gpt.ge's dialect: Bearer key, short paths, one place to ask for any task. Our own engine speaks it too."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from imaging import wire
from imaging.client import HttpProvider, quoted

if TYPE_CHECKING:
    from imaging.operations import Operation


class GptGe(HttpProvider):
    """A provider at a gpt.ge URL."""

    name: ClassVar[str] = "gptge"

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key.get_secret_value()}"}

    def _create_path(self, operation: Operation) -> str:
        return wire.GPTGE_CREATE + wire.PATHS[operation.name]

    def _query_path(self, operation: Operation | None, task_id: str) -> str:
        del operation  # one path for all
        return wire.GPTGE_QUERY + quoted(task_id)
