"""A server over the fixture world, with somebody to sign in and apps that are registered."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from recovery_api.identity.accounts import Account
from tests.api import Api, serving
from tests.databases import Databases
from tests.http.conftest import world_template
from tests.oauth.apps import CALLBACK, PASSWORD, Smart, registered

__all__ = ["world_template"]

PEOPLE = (
    Account(username="maya", role="companion", fhir_user="Practitioner/maya"),
    Account(username="ruth", role="case-manager", fhir_user="Practitioner/ruth"),
    Account(username="chen", role="treatment-team", fhir_user="Practitioner/chen", organization="org-riverbend"),
    Account(username="ana", role="client", fhir_user="Patient/ana", patient="ana"),
)


@pytest.fixture(scope="session")
async def people_template(databases: Databases, world_template: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with the fixture world and the accounts, that nobody writes to: clone it."""
    url = databases.clone(world_template)
    async with serving(url, tmp_path_factory.mktemp("people")) as server:
        for account in PEOPLE:
            await server.running.authorization.accounts.add(account, PASSWORD)
        return url


@pytest.fixture
async def api(databases: Databases, people_template: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The fixture world at T0, the test's own, on each kind of database."""
    url = databases.clone(people_template)
    async with serving(url, tmp_path) as server:
        yield server
    databases.drop(url)


@pytest.fixture
async def smart(api: Api) -> AsyncIterator[Smart]:
    """A public app with a browser in front of it."""
    app = await registered(api, "public", redirect_uris=(CALLBACK,))
    yield app
    await app.http.aclose()
