"""What every test runs under."""

import logging
import os
import sys
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from tests.postgres import postgres, server_url

__all__ = ["postgres", "server_url"]

# python-telegram-bot's new way to give periods of time; the old one warns, and warnings fail tests.
os.environ.setdefault("PTB_TIMEDELTA", "1")

# A noisy machine makes single examples slow; what counts is how long the whole run takes.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Take back what a test that starts the program did to logging: its stream is closed for the next one."""
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], sys.excepthook = handlers, hook
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
