"""What every test may ask for: databases of both kinds, empty or with a world. And what none may have: another host."""
import gc
import os
from collections.abc import Callable, Iterator
from functools import partial

import hypothesis
import pytest

from recovery_api.demo.world import fixture
from tests import loopback
from tests.api import serving
from tests.databases import KINDS, Databases, Kind, migrated, opened
from tests.postgresql import Origin
from tests.wider import wide

hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")

DatabaseMaker = Callable[[], str]
LONGEST = "test_non_interference.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("databases")
    group.addoption("--database", choices=("all", *KINDS), default="all", help="which databases the tests run on (all)")
    group.addoption("--postgresql", choices=("embedded", "system"), default="embedded", help="whose PostgreSQL is started (embedded)")


def pytest_configure(config: pytest.Config) -> None:
    loopback.close_sockets()
    gc.set_threshold(50_000, 20, 50)  # what tests hold is much, and stays: to look through it often took a quarter of the time


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--database")
        metafunc.parametrize("database_kind", KINDS if chosen == "all" else (chosen,), scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One kind of database after the other, what takes longest first. A process gets a file's tests on one kind (xdist's groups), so
    that it makes its server and its templates once; the tests of the longest file are groups by themselves.
    """
    kinds = {id(item): _kind(item) for item in items}
    items.sort(key=lambda item: (*kinds[id(item)], item.path.name != LONGEST))
    for item in items:
        if item.path.name != LONGEST:
            item.add_marker(pytest.mark.xdist_group(f"{item.path}:{kinds[id(item)][1]}"))


def _kind(item: pytest.Item) -> tuple[int, str]:
    """The place and the name of a test's kind of database; what needs none comes last."""
    named = item.callspec.params.get("database_kind") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
    return next(((place, kind) for place, kind in enumerate(KINDS) if kind == named), (len(KINDS), ""))


@pytest.fixture(scope="session")
def database_kind(request: pytest.FixtureRequest) -> Kind:
    """`sqlite`, then `postgresql`: a test that asks for it, or for any database, runs once on each."""
    return request.param


@pytest.fixture(scope="session")
def databases(database_kind: Kind, pytestconfig: pytest.Config) -> Iterator[Databases]:
    """The maker of databases; it stays for the run."""
    origin: Origin = pytestconfig.option.postgresql
    with opened(database_kind, origin) as maker:
        yield maker


@pytest.fixture(scope="session")
def migrated_template(databases: Databases) -> str:
    """A migrated database that nobody writes to: clone it."""
    return migrated(databases)


@pytest.fixture(scope="session")
async def world_template(databases: Databases, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database that holds the fixture world, and that nobody writes to: clone it."""
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path_factory.mktemp("template"), fixture()):
        return url


@pytest.fixture(scope="session")
async def wide_template(databases: Databases, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same with the wide world of tests.wider."""
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path_factory.mktemp("wide-template"), wide().resources):
        return url


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
