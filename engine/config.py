"""What can be set on an engine, with its defaults; `__main__` fills it, tests build their own."""

import os
from dataclasses import dataclass, field

from pydantic import SecretStr

from imaging.codec import MAX_BYTES


@dataclass(frozen=True)
class Config:
    """Sizes in bytes, times in seconds."""

    keys: tuple[SecretStr, ...]  # any of them opens both dialects
    public_url: str | None = None  # base of result links; None: the address the client called
    allow_private: bool = False  # let image_url and callback_url lead into private networks
    rate: float | None = None  # requests a second for each key; None: no limit
    workers: int = field(default_factory=lambda: min(os.cpu_count() or 1, 4))
    queue: int = 100  # tasks and uploads at once, before 429
    task_seconds: float = 30.0  # in a worker, before state -8; 30 s as the vendor has it
    keep_seconds: float = 3600.0  # results, from completion; one hour as the vendor has it
    sync_seconds: float = 60.0  # how long sync=1 waits before it answers with an unfinished task
    max_bytes: int = MAX_BYTES  # of a picture, uploaded or fetched
    operators: str = "engine.operators"  # the module that does the work; tests name their own
