"""What a process does: everything, or its part where several share a PostgreSQL server."""

from enum import StrEnum


class Role(StrEnum):
    """The parts; each is a command of `darkroom`."""

    RUN = "run"
    WEB = "web"
    WORKER = "worker"

    @property
    def takes_updates(self) -> bool:
        """Whether it hears and answers people."""
        return self != Role.WORKER

    @property
    def works(self) -> bool:
        """Whether it works on their photos."""
        return self != Role.WEB
