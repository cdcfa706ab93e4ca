"""A server over the fixture world, for tests that come in through the front door."""
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from recovery_api.demo.world import fixture
from tests.api import Api, serving


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The fixture world at T0, on each kind of database."""
    async with serving(database_url, tmp_path, fixture()) as server:
        yield server
