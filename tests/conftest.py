"""What every test may ask for: databases of both kinds. And what none may have: another host."""
import os
from collections.abc import Callable, Iterator
from functools import partial

import hypothesis
import pytest

from tests import loopback
from tests.databases import KINDS, Databases, Kind, migrated, opened
from tests.postgresql import Origin

hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")

DatabaseMaker = Callable[[], str]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("databases")
    group.addoption("--database", choices=("all", *KINDS), default="all", help="which databases the tests run on (all)")
    group.addoption("--postgresql", choices=("embedded", "system"), default="embedded", help="whose PostgreSQL is started (embedded)")


def pytest_configure(config: pytest.Config) -> None:
    loopback.close_sockets()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--database")
        metafunc.parametrize("database_kind", KINDS if chosen == "all" else (chosen,), scope="session")


@pytest.fixture(scope="session")
def database_kind(request: pytest.FixtureRequest) -> Kind:
    """`sqlite`, then `postgresql`: a test that asks for it, or for any database, runs once on each."""
    return request.param


@pytest.fixture(scope="session")
def databases(database_kind: Kind, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Databases]:
    """The maker of databases; it stays for the run."""
    origin: Origin = pytestconfig.option.postgresql
    with opened(database_kind, tmp_path_factory.mktemp("databases"), origin) as maker:
        yield maker


@pytest.fixture(scope="session")
def migrated_template(databases: Databases) -> str:
    """A migrated database that nobody writes to: clone it."""
    return migrated(databases)


@pytest.fixture
def blank_database(databases: Databases) -> Iterator[DatabaseMaker]:
    """Call it for the URL of a new database without any table; all are dropped after the test."""
    yield from _dropped_after(databases, databases.blank)


@pytest.fixture
def empty_database(databases: Databases, migrated_template: str) -> Iterator[DatabaseMaker]:
    """Call it for the URL of a new, migrated database; all are dropped after the test."""
    yield from _dropped_after(databases, partial(databases.clone, migrated_template))


@pytest.fixture
def database_url(empty_database: DatabaseMaker) -> str:
    """The URL of this test's own migrated database."""
    return empty_database()


def _dropped_after(databases: Databases, make: DatabaseMaker) -> Iterator[DatabaseMaker]:
    made: list[str] = []

    def make_and_remember() -> str:
        made.append(make())
        return made[-1]

    yield make_and_remember
    for url in made:
        databases.drop(url)
