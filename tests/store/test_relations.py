"""Who supervises whom follows from roles, supervision, delegation and membership, for the time that all of them share."""

import pytest

from recovery_api.fhir.search.expression import Bind, ClientOf, Own, PartyIn
from recovery_api.store.records import NEVER, Facets, Relation
from recovery_api.store.search import SearchQuery
from recovery_api.store.unit import Store
from recovery_api.store.visibility import SYSTEM, Visibility

ANA, SUE, DEE = "Practitioner/ana", "Practitioner/sue", "Practitioner/dee"
BASE = {
    ("PractitionerRole", "ana-role"): [
        Relation("practitioner-of", "PractitionerRole/ana-role", ANA),
        Relation("supervises", "PractitionerRole/sue-role", "PractitionerRole/ana-role", starts=10, ends=90),
    ],
    ("PractitionerRole", "sue-role"): [
        Relation("practitioner-of", "PractitionerRole/sue-role", SUE),
        Relation("delegates", "PractitionerRole/dee-role", "PractitionerRole/sue-role", starts=40, ends=60),
    ],
    ("PractitionerRole", "dee-role"): [Relation("practitioner-of", "PractitionerRole/dee-role", DEE)],
    ("CareTeam", "t1"): [Relation("companion", ANA, "maya", "Organization/o", starts=20, ends=80)],
}


async def _say(store: Store, said: dict[tuple[str, str], list[Relation]]) -> None:
    for (type_, id_), relations in said.items():
        async with store.writer(SYSTEM) as writer:
            await writer.project(type_, id_, relations)


async def _clients(store: Store, holder: str, now: int, *kinds: str) -> set[str]:
    rule = {"Patient": ClientOf(kinds, Bind("holder"), Bind("organization"))}
    seen = Visibility(("seen", kinds), rule, binds={"holder": holder, "organization": "Organization/o", "now": now})
    async with store.reader(seen) as reader:
        return {record.id for record in (await reader.search(SearchQuery(("Patient",)))).records}


@pytest.fixture
async def told(store: Store) -> Store:
    async with store.writer(SYSTEM) as writer:
        for id_ in ("maya", "ben"):
            await writer.create("Patient", id_, b"{}", Facets(client=id_), ())
    return store


@pytest.mark.parametrize("order", [list(BASE), list(reversed(BASE))], ids=["roles first", "care team first"])
@pytest.mark.parametrize(
    ("holder", "now", "found"),
    [
        (SUE, 19, set()),
        (SUE, 20, {"maya"}),
        (SUE, 79, {"maya"}),
        (SUE, 80, set()),
        (DEE, 39, set()),
        (DEE, 40, {"maya"}),
        (DEE, 60, set()),
        (ANA, 50, set()),
    ],
)
async def test_a_supervisor_has_the_companions_clients(
    told: Store, order: list[tuple[str, str]], holder: str, now: int, found: set[str]
) -> None:
    await _say(told, {source: BASE[source] for source in order})
    assert await _clients(told, holder, now, "case-manager", "supervised") == found


async def test_the_companion_has_the_client_until_the_period_ends(told: Store) -> None:
    await _say(told, BASE)
    assert await _clients(told, ANA, 79, "companion") == {"maya"}
    assert await _clients(told, ANA, 80, "companion") == set()


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({("CareTeam", "t1"): []}, set()),
        ({("CareTeam", "t1"): [Relation("companion", ANA, "ben", "Organization/o")]}, {"ben"}),
        ({("PractitionerRole", "ana-role"): [Relation("practitioner-of", "PractitionerRole/ana-role", ANA)]}, set()),
        ({("PractitionerRole", "sue-role"): []}, set()),
        ({("PractitionerRole", "sue-role"): [Relation("practitioner-of", "PractitionerRole/sue-role", DEE)]}, set()),
        ({("PractitionerRole", "dee-role"): []}, {"maya"}),
    ],
)
async def test_a_change_of_any_part_changes_what_follows(
    told: Store, change: dict[tuple[str, str], list[Relation]], left: set[str]
) -> None:
    await _say(told, BASE)
    await _say(told, change)
    assert await _clients(told, SUE, 50, "supervised") == left


async def test_a_delegate_loses_what_the_supervisor_takes_back(told: Store) -> None:
    await _say(told, BASE)
    await _say(told, {("PractitionerRole", "sue-role"): BASE["PractitionerRole", "sue-role"][:1]})
    assert await _clients(told, DEE, 50, "supervised") == set()
    assert await _clients(told, SUE, 50, "supervised") == {"maya"}


async def test_the_relations_of_a_deleted_source_end(told: Store) -> None:
    members = Facets(client="maya", relations=(Relation("companion", ANA, "maya", "Organization/o", "", 0, NEVER),))
    async with told.writer(SYSTEM) as writer:
        await writer.create("CareTeam", "t2", b"{}", members, ())
    assert await _clients(told, ANA, 5, "companion") == {"maya"}
    async with told.writer(SYSTEM) as writer:
        await writer.delete("CareTeam", "t2", 1)
    assert await _clients(told, ANA, 5, "companion") == set()


async def test_what_names_supervised_staff_is_found_by_the_supervisor(told: Store) -> None:
    await _say(told, BASE)
    async with told.writer(SYSTEM) as writer:
        await writer.create("Communication", "c1", b"{}", Facets(kind="supervision", parties=(("about", ANA),)), ())
        await writer.create("Communication", "c2", b"{}", Facets(kind="supervision", parties=(("about", DEE),)), ())
    rule = {"Communication": PartyIn(("about",), ("supervises-practitioner",), Bind("holder"))}
    seen = Visibility("staff", rule, binds={"holder": SUE, "now": 50})
    async with told.reader(seen) as reader:
        page = await reader.search(SearchQuery(("Communication",), Own("kind", "=", "supervision")))
        assert [record.id for record in page.records] == ["c1"]
        assert await reader.read("Communication", "c2") is None
