"""Fixtures for the tests of the room jobs."""

from collections.abc import Iterator

import pytest
import structlog
from structlog.typing import EventDict

from tests.databases import db, path, template

__all__ = ["db", "path", "template"]


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """Give what is logged, which is printed nowhere."""
    with structlog.testing.capture_logs() as events:
        yield events
