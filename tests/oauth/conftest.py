"""A server over the fixture world, with somebody to sign in and apps that are registered."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from recovery_api.identity.accounts import Account
from recovery_api.identity.keys import KeyRing
from recovery_api.identity.registrations import Kind
from tests.api import Api, serving
from tests.databases import Databases
from tests.oauth.apps import CALLBACK, PASSWORD, Register, Smart, registered

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


@pytest.fixture(scope="module")
async def shared(databases: Databases, people_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """The fixture world at T0, one for all tests of a file that do not move its clock."""
    url = databases.clone(people_template)
    async with serving(url, tmp_path_factory.mktemp("shared")) as server:
        yield server
    databases.drop(url)


@pytest.fixture
async def api(databases: Databases, people_template: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The fixture world at T0, the test's own."""
    url = databases.clone(people_template)
    async with serving(url, tmp_path) as server:
        yield server
    databases.drop(url)


@pytest.fixture
async def register() -> AsyncIterator[Register]:
    """Call it to register an app; each has an id and a browser of its own."""
    async with AsyncExitStack() as stack:

        async def make(api: Api, kind: Kind, **more: Any) -> Smart:
            app = await registered(api, kind, **more)
            await stack.enter_async_context(app.http)
            return app

        yield make


@pytest.fixture
async def smart(shared: Api, register: Register) -> Smart:
    """A public app with a browser in front of it, on the shared server."""
    return await register(shared, "public", redirect_uris=(CALLBACK,))


@pytest.fixture
async def lone(api: Api, register: Register) -> Smart:
    """The same on a server of the test's own, whose clock may be moved."""
    return await register(api, "public", redirect_uris=(CALLBACK,))


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    """Somebody else's keys."""
    return KeyRing(tmp_path / "foreign-keys")
