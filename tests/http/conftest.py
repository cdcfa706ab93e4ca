"""A server over the fixture world, for tests that come in through the front door."""
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from recovery_api.fhir.json import JsonObject
from tests.api import Api, Client, serving
from tests.callers import RUTH
from tests.databases import Databases
from tests.http.escalating import lead
from tests.http.notified import Endpoint, listening
from tests.http.searched import world
from tests.http.us_core_charts import Charts, everything


@pytest.fixture
def settings() -> Mapping[str, Any]:
    """The settings of `api`, without their prefix; a file may have others."""
    return {}


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """Where a subscriber listens."""
    async with listening() as server:
        yield server


@pytest.fixture
async def api(databases: Databases, world_template: str, tmp_path: Path, settings: Mapping[str, Any]) -> AsyncIterator[Api]:
    """The fixture world at T0, the test's own, on each kind of database."""
    url = databases.clone(world_template)
    async with serving(url, tmp_path, **settings) as server:
        yield server
    databases.drop(url)


@pytest.fixture(scope="module")
async def shared(databases: Databases, world_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """The fixture world at T0, one for all tests of a file: they change only what they made themselves."""
    url = databases.clone(world_template)
    async with serving(url, tmp_path_factory.mktemp("shared")) as server:
        yield server
    databases.drop(url)


@pytest.fixture
async def office(databases: Databases, migrated_template: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The fixture world at T0, where Omar supervises Ruth, and Iris, who has no client, is on call."""
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path, lead().resources, ON_CALL="Practitioner/iris") as server:
        yield server
    databases.drop(url)


@pytest.fixture(scope="session")
async def searched(databases: Databases, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """The world of tests.http.searched, which nobody changes."""
    async with serving(databases.clone(migrated_template), tmp_path_factory.mktemp("searched"), world()) as server:
        yield server


@pytest.fixture(scope="session")
def ruth(searched: Api) -> Client:
    """Ruth, before the world to search in: she sees all of its clients."""
    return searched.as_(RUTH)


@pytest.fixture(scope="module")
async def charts(databases: Databases, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Charts]:
    world = everything()
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path_factory.mktemp("us-core"), world) as api:
        resources: dict[str, list[JsonObject]] = {}
        for each in world:
            resources.setdefault(each["resourceType"], []).append(each)
        yield Charts(api.as_(RUTH), resources)
    databases.drop(url)
