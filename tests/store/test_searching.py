"""Pages neither lose nor double, sorting has a place for all, includes and chains show nothing that is hidden."""

import pytest

from recovery_api.fhir.search.expression import (
    EVERYTHING,
    Bind,
    Chain,
    ClientOf,
    Has,
    IndexRow,
    Not,
    Own,
    Party,
    Row,
    Via,
    both,
    either,
    param_number,
)
from recovery_api.fhir.search.expression import Test as Passes
from recovery_api.store.bulk import Item, load, versions
from recovery_api.store.history import HistoryQuery, read_history
from recovery_api.store.labelling import Labeller
from recovery_api.store.records import Facets, Relation
from recovery_api.store.reindex import reindex
from recovery_api.store.search import Include, SearchQuery, SortKey
from recovery_api.store.unit import Store
from recovery_api.store.visibility import SYSTEM, Visibility
from recovery_api.store.writer import Writer
from tests.store.conftest import START, Clock

OBSERVATION = ("Observation",)
ANA = "Practitioner/ana"


def _index(
    param: str, *, system: str | None = None, value: str | None = None, low: float | None = None, high: float | None = None
) -> IndexRow:
    return IndexRow(param_number(param), system, value, low=low, high=high)


async def _observe(writer: Writer, id_: str, client: str = "maya", *, date: float | None = None, code: str = "a") -> None:
    rows = [_index("Observation.code", system="s", value=code)]
    if date is not None:
        rows.append(_index("Observation.date", low=date, high=date + 1))
    await writer.create("Observation", id_, id_.encode(), Facets(client), rows)


async def _ids(store: Store, query: SearchQuery, visibility: Visibility = SYSTEM) -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    while True:
        async with store.reader(visibility) as reader:
            page = await reader.search(query)
        found += [record.id for record in page.records]
        if page.next is None:
            return found
        query = SearchQuery(query.types, query.where, query.sort, query.count, page.next)


async def test_pages_neither_lose_nor_double_while_others_write(store: Store, clock: Clock) -> None:
    async with store.writer(SYSTEM) as writer:
        for number in range(10):
            await _observe(writer, f"o{number}")
    async with store.reader(SYSTEM) as reader:
        first = await reader.search(SearchQuery(OBSERVATION, count=4))
    assert first.total is None
    clock.now = START + 10
    async with store.writer(SYSTEM) as writer:
        await _observe(writer, "o35")
        await writer.update("Observation", "o3", 1, b"new", Facets("maya"), ())
        await writer.update("Observation", "o8", 1, b"new", Facets("maya"), ())
        await writer.delete("Observation", "o2", 1)
    rest = await _ids(store, SearchQuery(OBSERVATION, count=4, cursor=first.next))
    assert [*(record.id for record in first.records), *rest] == ["o9", "o8", "o7", "o6", "o5", "o4", "o3", "o1", "o0"]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize(("descending", "order"), [(False, "o3 o2 o0 o1 o5 o4"), (True, "o2 o1 o0 o3 o5 o4")])
async def test_sorted_pages_put_what_has_no_value_last(store: Store, count: int, *, descending: bool, order: str) -> None:
    dates = {"o0": 5.0, "o1": 6.0, "o2": 4.0, "o3": 3.0, "o4": None, "o5": None}
    async with store.writer(SYSTEM) as writer:
        for id_, date in dates.items():
            await _observe(writer, id_, date=date)
        second = [_index("Observation.date", low=low, high=low + 1) for low in (4.0, 7.0)]
        await writer.update("Observation", "o2", 1, b"", Facets("maya"), second)
    for where in (EVERYTHING, Own("client", "=", "maya")):
        found = await _ids(store, SearchQuery(OBSERVATION, where, (SortKey("Observation.date", descending),), count))
        assert found == order.split()


async def test_several_sort_keys_and_types_page_through_all(store: Store) -> None:
    async with store.writer(SYSTEM) as writer:
        for number in range(6):
            await _observe(writer, f"o{number}", code="ab"[number % 2], date=float(number // 2))
            await writer.create("Encounter", f"o{number}", b"", Facets("maya"), ())
    keys = (SortKey("Observation.code"), SortKey("Observation.date", descending=True))
    assert await _ids(store, SearchQuery(OBSERVATION, EVERYTHING, keys, 2)) == ["o4", "o2", "o0", "o5", "o3", "o1"]
    assert await _ids(store, SearchQuery(("Encounter", "Observation"), count=5)) == [f"o{n}" for n in (5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0)]


HERS = Visibility(
    "hers",
    {
        "Observation": either(ClientOf(("companion",), Bind("holder")), Party(("performer",), Bind("holder"))),
        "Patient": ClientOf(("companion",), Bind("holder")),
        "Encounter": both(ClientOf(("companion",), Bind("holder")), Not(Own("kind", "=", "hidden"))),
        "Provenance": Via("target"),
    },
    unseen={"Patient": frozenset({"Patient.name"})},
    binds={"holder": ANA, "now": 50},
)


@pytest.fixture
async def two_clients(store: Store) -> Store:
    async with store.writer(SYSTEM) as writer:
        await writer.project("CareTeam", "t", [Relation("companion", ANA, "maya", starts=0, ends=100)])
        for client in ("maya", "ben"):
            link = _index("Patient.link", system="Patient", value="ben" if client == "maya" else "maya")
            name = _index("Patient.name", value=client)
            await writer.create("Patient", client, client.encode(), Facets(client), [name, link])
            for kind in ("", "hidden"):
                await writer.create("Encounter", f"e{kind}-{client}", b"", Facets(client, kind), ())
                at = _index("Observation.encounter", system="Encounter", value=f"e{kind}-{client}")
                await writer.create("Observation", f"o{kind}-{client}", b"", Facets(client), [at])
            about = Facets(parties=(("target", f"Observation/o-{client}"),))
            await writer.create("Provenance", f"of-{client}", b"", about, ())
    return store


async def test_only_what_is_visible_is_read_found_and_counted(two_clients: Store) -> None:
    async with two_clients.reader(HERS) as reader:
        assert await reader.read("Observation", "o-ben") is None
        assert await reader.read("Task", "t") is None
        page = await reader.search(SearchQuery(OBSERVATION, count=1, want_total=True))
        assert page.total == 2
        assert await _ids(two_clients, SearchQuery(OBSERVATION), HERS) == ["ohidden-maya", "o-maya"]
        assert await _ids(two_clients, SearchQuery(("Provenance",)), HERS) == ["of-maya"]
        pairs = [("Observation", "o-maya"), ("Observation", "o-ben"), ("Patient", "nobody"), ("Provenance", "of-maya")]
        assert await reader.references_visible(pairs) == {pairs[0], pairs[3]}


async def test_what_a_caller_created_may_be_referred_to(two_clients: Store) -> None:
    async with two_clients.writer(SYSTEM, creator="Device/clinic") as writer:
        await writer.create("Patient", "new", b"", Facets("new"), ())
    async with two_clients.reader(HERS) as reader:
        pairs = [("Patient", "new"), ("Patient", "ben")]
        assert await reader.references_visible(pairs) == set()
        assert await reader.references_visible(pairs, "Device/clinic") == {("Patient", "new")}


async def test_chains_and_has_see_only_what_is_visible(two_clients: Store) -> None:
    at_encounter = Chain("Observation.encounter", (("Encounter", EVERYTHING),))
    assert await _ids(two_clients, SearchQuery(OBSERVATION, at_encounter), HERS) == ["o-maya"]
    linked = Chain("Patient.link", (("Patient", EVERYTHING),))
    assert await _ids(two_clients, SearchQuery(("Patient",), linked), HERS) == []
    with_encounter = Has("Encounter", "Encounter.patient", Own("kind", "=", "hidden"))
    assert await _ids(two_clients, SearchQuery(("Patient",), with_encounter), HERS) == []


async def test_elements_that_are_left_out_find_nothing(two_clients: Store) -> None:
    named = Row("Patient.name", (Passes("value", "=", "maya"),))
    assert await _ids(two_clients, SearchQuery(("Patient",), named), HERS) == []
    assert await _ids(two_clients, SearchQuery(("Patient",), Not(Row("Patient.name"))), HERS) == ["maya"]
    assert await _ids(two_clients, SearchQuery(OBSERVATION, Chain("Observation.patient", (("Patient", named),))), HERS) == []


@pytest.mark.parametrize(
    ("types", "includes", "found"),
    [
        (OBSERVATION, (Include("Observation.patient"),), {"maya"}),
        (OBSERVATION, (Include("Observation.encounter"),), {"e-maya"}),
        (OBSERVATION, (Include("Observation.encounter", ("Patient",)),), set()),
        (("Patient",), (Include("Patient.link"),), set()),
        (("Patient",), (Include("Observation.patient", reverse=True),), {"o-maya", "ohidden-maya"}),
        (
            ("Encounter",),
            (Include("Observation.encounter", reverse=True), Include("Observation.patient", iterate=True)),
            {"o-maya", "maya"},
        ),
    ],
)
async def test_includes_bring_only_what_is_visible(
    two_clients: Store, types: tuple[str, ...], includes: tuple[Include, ...], found: set[str]
) -> None:
    async with two_clients.reader(HERS) as reader:
        page = await reader.search(SearchQuery(types, includes=includes))
    assert {record.id for record in page.included} == found
    assert len(page.included) == len(found)


async def test_each_version_is_judged_by_what_it_says_itself(store: Store, clock: Clock) -> None:
    states = (Facets("maya", released=False), Facets("maya", released=True), Facets("maya", released=False))
    async with store.writer(SYSTEM) as writer:
        await writer.create("Observation", "o1", b"1", states[0], ())
    for expected, state in enumerate(states[1:], start=1):
        clock.now += 10
        async with store.writer(SYSTEM) as writer:
            await writer.update("Observation", "o1", expected, b"2", state, ())
    async with store.writer(SYSTEM) as writer:
        await writer.delete("Observation", "o1", 3)
    released = Visibility("released", {"Observation": Own("released", "=", True)})
    async with store.reader(released) as reader:
        told = await read_history(reader, HistoryQuery(OBSERVATION, "o1"))
        assert ([record.version for record in told.records], told.total) == ([2], 1)
        assert await reader.vread("Observation", "o1", 1) is None
        assert await reader.vread("Observation", "o1", 2) is not None
        assert await reader.deleted("Observation", "o1") is None
    async with store.reader(SYSTEM) as reader:
        assert [record.version for record in (await read_history(reader, HistoryQuery(OBSERVATION, "o1"))).records] == [4, 3, 2, 1]
        assert [record.version for record in (await read_history(reader, HistoryQuery(OBSERVATION, since=START + 10))).records] == [4, 3, 2]
        then = HistoryQuery(OBSERVATION, at=(START + 5, START + 11))
        assert [record.version for record in (await read_history(reader, then)).records] == [2, 1]
        first = await read_history(reader, HistoryQuery(OBSERVATION, count=3))
        assert first.total == 4
        last = await read_history(reader, HistoryQuery(OBSERVATION, count=3, cursor=first.next))
        assert ([record.version for record in last.records], last.next) == ([1], None)


async def test_what_is_loaded_is_there_as_if_it_were_written(store: Store) -> None:
    row = _index("Observation.code", system="s", value="a")
    items = [Item("Observation", f"o{n}", 1, False, b"1", Facets("maya", parties=(("performer", ANA),)), [row]) for n in range(3)]
    async with store.writer(SYSTEM) as writer:
        assert await versions(writer, "Observation", ["o1"]) == {}
        await load(writer, items)
    async with store.writer(SYSTEM) as writer:
        await writer.delete("Observation", "o2", 1)
    async with store.writer(SYSTEM) as writer:
        assert await versions(writer, "Observation", ["o1", "o2", "o3"]) == {"o1": (1, True, 0, 0), "o2": (2, False, 0, 0)}
        await load(writer, [items[1]._replace(version=2, replaces=True, body=b"2"), items[2]._replace(version=3)])
    async with store.reader(SYSTEM) as reader:
        page = await reader.search(SearchQuery(OBSERVATION, Row("Observation.code", (Passes("value", "=", "a"),))))
        assert [(record.id, record.version, record.body) for record in page.records] == [("o2", 3, b"1"), ("o1", 2, b"2"), ("o0", 1, b"1")]
    mine = Visibility("mine", {"Observation": Party(("performer",), ANA)})
    assert await _ids(store, SearchQuery(OBSERVATION), mine) == ["o2", "o1", "o0"]


async def test_reindexing_replaces_the_rows_and_makes_no_version(store: Store) -> None:
    async with store.writer(SYSTEM) as writer:
        for number in range(5):
            body = b'{"resourceType":"Observation","id":"o%d","meta":{}}' % number
            await writer.create("Observation", f"o{number}", body, Facets("maya"), [_index("Observation.code", value="old")])
        await writer.create("Encounter", "o1", b"", Facets("maya"), [_index("Encounter.class", value="kept")])
    heard: list[int] = []
    labeller = Labeller(lambda said: Facets("maya", kind=said["id"]), ("Observation",))
    done = await reindex(store, OBSERVATION, lambda said: [_index("Observation.code", value=said["id"])], labeller, 2, heard.append)
    assert (done, heard) == (5, [2, 2, 1])
    for value, found in (("old", []), ("o3", ["o3"])):
        assert await _ids(store, SearchQuery(OBSERVATION, Row("Observation.code", (Passes("value", "=", value),)))) == found
    assert await _ids(store, SearchQuery(("Encounter",), Row("Encounter.class", (Passes("value", "=", "kept"),)))) == ["o1"]
    async with store.reader(SYSTEM) as reader:
        record = await reader.read("Observation", "o3")
        assert record is not None
        assert (record.version, record.kind) == (1, "o3")
