"""How many statements an interaction asks of its database, through the front door; hidden and absent cost the same."""
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from recovery_api.demo.world import fixture
from recovery_api.domain.codes import CANON
from recovery_api.fhir.json import JsonObject
from tests.api import Api, serving
from tests.callers import LEO, MAYA, RUTH, Caller
from tests.databases import Databases, Kind

MOOD = f"code={CANON}/CodeSystem/companion-observation|mood"


@pytest.fixture(scope="module")
async def api(databases: Databases, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """The fixture world at T0."""
    url = databases.clone(migrated_template)
    folder: Path = tmp_path_factory.mktemp("counted")
    async with serving(url, folder, fixture()) as server:
        yield server
    databases.drop(url)


def observation(**more: Any) -> JsonObject:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": f"{CANON}/CodeSystem/observation-category", "code": "companion-session"}]}],
        "code": {"coding": [{"system": f"{CANON}/CodeSystem/companion-observation", "code": "mood"}]},
        "subject": {"reference": "Patient/ana"},
        "encounter": {"reference": "Encounter/e-ana-1"},
        "performer": [{"reference": "Practitioner/maya"}],
        "effectiveDateTime": "2026-11-10T11:00:00Z",
        "valueInteger": 5,
    } | more


class Case(NamedTuple):
    """`most` statements on PostgreSQL and on SQLite, where a write is done in steps."""

    path: str
    postgresql: int
    sqlite: int
    status: int = 200
    by: Caller = MAYA


READS = {
    "read": Case("Observation/o-ana-mood", 1, 1),
    "vread": Case("Observation/o-ana-mood/_history/1", 1, 1),
    "history-instance": Case("Observation/o-ana-mood/_history", 3, 3),
    "history-type": Case("Observation/_history", 3, 3),
    "search": Case("Observation?patient=ana", 1, 1),
    "search by code and date": Case(f"Observation?patient=ana&{MOOD}&date=ge2026-01-01", 1, 1),
    "search, chained": Case("Observation?patient.name=Morales&encounter.status=finished", 1, 1),
    "search, reverse chained": Case(f"Patient?_has:Observation:patient:{MOOD}", 1, 1),
    "search, sorted": Case("Observation?patient=ana&_sort=-date", 1, 1),
    "search, counted": Case("Observation?_total=accurate&_count=1", 2, 2),
    "search by time": Case("Observation?_lastUpdated=gt2020-01-01", 2, 2),
    "search with what it points at": Case("Observation?patient=ana&_include=Observation:encounter&_include=Observation:patient", 2, 2),
    "search with what points at it": Case("Patient?_id=ana&_revinclude=Observation:patient", 2, 2),
    "search over types": Case("?_type=Observation,Encounter", 1, 1),
    "search in a compartment": Case("Patient/ana/Observation", 1, 1),
}


AUDIT_OF_A_READ: dict[Kind, int] = {"postgresql": 1, "sqlite": 2}
"""Statements of the group that commits records and links; many requests at once share them."""
AUDIT_OF_A_WRITE: dict[Kind, int] = {"postgresql": 2, "sqlite": 2}
"""One that keeps the record in the write's transaction, and one that links it, which is shared."""


async def _asked(api: Api, case: Case, method: str = "GET", body: JsonObject | None = None, *, if_match: str = "") -> int:
    """How many statements one request took beside those of the audit log, which are what they must be. The caller is known already:
    a token is looked up once."""
    caller = api.as_(case.by)
    assert (await caller.get("Practitioner/maya")).status == 200
    with api.statements() as asked:
        answer = await caller.request(method, case.path, body, headers={"if-match": if_match} if if_match else {})
    assert answer.status == case.status, answer.body
    audit = [one for one in asked if "audit_" in one.sql]
    kind = api.running.server.store.statements.dialect
    written = method != "GET" and case.status < 400
    expected = (AUDIT_OF_A_WRITE if written else AUDIT_OF_A_READ)[kind]
    assert len(audit) == expected + (AUDIT_OF_A_READ[kind] if case.path == "" else 0)  # a Bundle has a record of its own
    return len(asked) - len(audit)


def _most(case: Case, kind: Kind) -> int:
    return case.postgresql if kind == "postgresql" else case.sqlite


@pytest.mark.parametrize("name", READS)
async def test_a_read_asks_no_more_than_it_must(api: Api, database_kind: Kind, name: str) -> None:
    assert await _asked(api, READS[name]) == _most(READS[name], database_kind)


@pytest.mark.parametrize("path", ["Observation/{}", "Observation/{}/_history/1", "Observation/{}/_history"])
async def test_what_is_hidden_takes_as_many_statements_as_what_is_absent(api: Api, path: str) -> None:
    hidden, absent = (Case(path.format(id), 0, 0, 404, LEO) for id in ("o-ana-mood", "o-nobody"))
    assert await _asked(api, hidden) == await _asked(api, absent)


async def test_changing_what_is_hidden_takes_as_many_statements_as_changing_what_is_absent(api: Api) -> None:
    hidden, absent = (Case(f"Observation/{id}", 0, 0, 405, LEO) for id in ("o-ana-mood", "o-nobody"))
    counts = [await _asked(api, case, "PUT", observation(id=case.path.partition("/")[2])) for case in (hidden, absent)]
    assert counts[0] == counts[1]


async def test_deleting_what_is_hidden_takes_as_many_statements_as_deleting_what_is_absent(api: Api) -> None:
    hidden, absent = (Case(f"Observation/{id}", 0, 0, 404, LEO) for id in ("o-ana-mood", "o-nobody"))
    assert await _asked(api, hidden, "DELETE") == await _asked(api, absent, "DELETE")


async def test_a_reference_to_what_is_hidden_takes_as_many_statements_as_one_to_what_is_absent(api: Api) -> None:
    case = Case("Observation", 0, 0, 422)
    hidden, absent = (observation(encounter={"reference": f"Encounter/{id}"}) for id in ("e-ben-1", "e-nobody"))
    assert await _asked(api, case, "POST", hidden) == await _asked(api, case, "POST", absent)


async def test_a_search_takes_as_many_statements_whether_it_finds_or_not(api: Api) -> None:
    found, hidden = (Case(f"Observation?patient={id}", 0, 0) for id in ("ana", "ben"))
    assert await _asked(api, found) == await _asked(api, hidden)


UNSIGNED = {"reference": "Encounter/e-ana-2"}
ABOUT_THE_NOTE = 1
"""What a companion changes of a session must not be signed yet."""


async def test_a_create_asks_for_its_stamp_its_references_and_the_write(api: Api, database_kind: Kind) -> None:
    most = _most(Case("", 3, 6), database_kind)
    assert await _asked(api, Case("Observation", 0, 0, 201), "POST", observation(encounter=UNSIGNED)) <= most + ABOUT_THE_NOTE


@pytest.mark.parametrize(("more", "also"), [({"encounter": {}}, 0), ({"encounter": UNSIGNED}, ABOUT_THE_NOTE)], ids=["alone", "session"])
async def test_an_update_asks_for_its_stamp_the_current_version_and_the_write(
    api: Api, database_kind: Kind, more: JsonObject, also: int
) -> None:
    said = {name: value for name, value in observation(**more).items() if value}
    made = await api.as_(MAYA).post("Observation", said)
    path = made.headers["location"].partition("/fhir/")[2].partition("/_history")[0]
    most = _most(Case("", 3, 8), database_kind) + also
    assert await _asked(api, Case(path, 0, 0), "PUT", said | {"id": path.partition("/")[2]}, if_match='W/"1"') <= most


async def test_a_delete_asks_for_its_stamp_the_current_version_the_write_and_the_relations_that_end(api: Api, database_kind: Kind) -> None:
    made = await api.as_(MAYA).post("Observation", observation(encounter=UNSIGNED))
    path = made.headers["location"].partition("/fhir/")[2].partition("/_history")[0]
    most = _most(Case("", 6, 11), database_kind) + ABOUT_THE_NOTE
    assert await _asked(api, Case(path, 0, 0, 204), "DELETE", if_match='W/"1"') <= most


async def test_a_transaction_asks_for_each_resource_what_one_write_takes(api: Api, database_kind: Kind) -> None:
    def entry(place: int) -> JsonObject:
        return {"resource": observation(valueInteger=place % 11), "request": {"method": "POST", "url": "Observation"}}

    async def asked(entries: int) -> int:
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry(place) for place in range(entries)]}
        return await _asked(api, Case("", 0, 0, by=RUTH), "POST", bundle)

    few, many = await asked(2), await asked(12)
    assert (many - few) / 10 <= (1 if database_kind == "postgresql" else 4)
