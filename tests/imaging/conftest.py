"""Fixtures of the imaging room."""

from collections.abc import AsyncIterator

import pytest

from tests.imaging import house as houses
from tests.imaging import vendor as vendors


@pytest.fixture
async def vendor() -> AsyncIterator[vendors.Vendor]:
    async with vendors.running() as running:
        yield running


@pytest.fixture
async def house() -> AsyncIterator[houses.House]:
    async with houses.opened() as opened:
        yield opened
