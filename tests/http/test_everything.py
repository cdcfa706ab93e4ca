"""Patient/{id}/$everything: what a client's record holds for a caller, and no hint of what it holds for others."""
from base64 import b64decode
from typing import Any

import pytest

from recovery_api.fhir.json import JsonObject
from tests.api import Api, Client
from tests.audit_log import beside, records, since
from tests.callers import APP_ANA, CHEN, KIM, LEO, MAYA, NOOR, OMAR, PATEL, RUTH, SAM, SYS_LAKESIDE, SYS_RIVERBEND, Caller
from tests.http.resources import observation, patient

PATH = "Patient/{}/$everything"


def keys(resources: list[JsonObject]) -> list[tuple[str, str]]:
    return [(one["resourceType"], one["id"]) for one in resources]


async def searched(client: Client, types: set[str], client_id: str) -> set[tuple[str, str]]:
    """What a search of each type finds of the client."""
    found: set[tuple[str, str]] = set()
    for type in types:
        answer = await client.get(f"{type}?{'_id' if type == 'Patient' else 'patient'}={client_id}&_count=200")
        assert answer.status == 200, (type, answer.body)
        found |= set(keys(answer.matches))
    return found


ALONG = {"HealthcareService", "Location", "Medication", "Organization", "Practitioner", "PractitionerRole", "Provenance"}
SEARCHED = {
    "Patient", "CarePlan", "CareTeam", "Condition", "Consent", "DocumentReference", "Encounter", "EpisodeOfCare", "Goal", "Observation",
    "QuestionnaireResponse",
}  # fmt: skip


@pytest.mark.parametrize(("caller", "client"), [(MAYA, "ana"), (RUTH, "cora"), (CHEN, "ana"), (SYS_RIVERBEND, "ben"), (APP_ANA, "ana")])
async def test_it_holds_what_the_callers_own_searches_find(shared: Api, caller: Caller, client: str) -> None:
    asked = shared.as_(caller)
    answer = await asked.get(PATH.format(client), _count="500")
    assert answer.status == 200
    found = keys(answer.matches)
    assert {key for key in found if key[0] in SEARCHED} == await searched(asked, SEARCHED, client)
    assert answer.json["total"] == len(found) == len(set(found))


async def test_the_patient_comes_first_then_by_type_and_id(shared: Api) -> None:
    found = keys((await shared.as_(MAYA).get(PATH.format("ana"), _count="500")).matches)
    assert found[0] == ("Patient", "ana")
    assert found[1:] == sorted(found[1:])
    assert {type for type, _ in found} >= {"Task", "Encounter", "Observation"}


async def test_what_it_refers_to_comes_along(shared: Api) -> None:
    answer = await shared.as_(MAYA).get(PATH.format("ana"), _count="500")
    along = keys(answer.included)
    assert {("Practitioner", "maya"), ("Organization", "org-cir"), ("Provenance", "prov-d-ana-1")} <= set(along)
    assert {type for type, _ in along} <= ALONG
    assert not [id for _, id in along if id.startswith("prov-d-ben")]


@pytest.mark.parametrize(
    ("caller", "client"),
    [
        (CHEN, "eve"), (CHEN, "dan"), (SYS_RIVERBEND, "dan"), (LEO, "ana"), (OMAR, "eve"), (PATEL, "ana"), (NOOR, "ana"), (APP_ANA, "ben"),
    ],
    ids=lambda value: getattr(value, "name", value),
)  # fmt: skip
async def test_a_patient_who_is_hidden_is_not_there_by_the_same_statements(shared: Api, caller: Caller, client: str) -> None:
    asked = shared.as_(caller)
    await asked.get(PATH.format("warm"))
    said: list[Any] = []
    for id in (client, "absent"):
        with shared.statements() as statements:
            answer = await asked.get(PATH.format(id))
        said.append((answer.status, answer.body, [one.sql for one in statements]))
    assert said[0] == said[1]
    assert said[0][0] == 404


@pytest.mark.parametrize("caller", [SYS_LAKESIDE, SAM, KIM], ids=lambda one: one.name)
async def test_roles_without_the_right_are_refused_before_anything_is_looked_up(shared: Api, caller: Caller) -> None:
    asked = shared.as_(caller)
    with shared.statements() as statements:
        assert [(await asked.get(PATH.format(id))).status for id in ("ana", "absent")] == [403, 403]
    assert beside(statements) == []


async def test_it_needs_the_scope_to_read_patients_and_shows_only_what_scopes_open(shared: Api) -> None:
    path = PATH.format("ana")
    assert (await shared.as_(MAYA, scopes="recovery/companion user/Observation.rs").get(path)).status == 403
    assert (await shared.as_(MAYA, scopes="recovery/companion user/Patient.s").get(path)).status == 403
    few = await shared.as_(MAYA, scopes="recovery/companion user/Patient.r user/Goal.r").get(path)
    assert {type for type, _ in keys(few.matches)} == {"Patient", "Goal"}
    assert few.included == []


async def test_pages_hold_each_once_and_lead_through_all(shared: Api) -> None:
    maya = shared.as_(MAYA)
    whole = keys((await maya.get(PATH.format("ana"), _count="500")).matches)
    pages = await maya.pages(PATH.format("ana"), _count="3")
    assert [key for page in pages for key in keys(page.matches)] == whole
    assert [len(page.matches) for page in pages[:-1]] == [3] * (len(pages) - 1)
    assert all("total" not in page.json for page in pages)
    assert (pages[0].link("self") or "").endswith("/Patient/ana/$everything?_count=3")


async def test_what_is_written_between_two_pages_is_neither_lost_nor_doubled(api: Api) -> None:
    maya = api.as_(MAYA)
    before = set(keys((await maya.get(PATH.format("ana"), _count="500")).matches))
    first = await maya.get(PATH.format("ana"), _count="5")
    api.clock.move(seconds=1)
    made = (await maya.post("Observation", observation())).json
    found = keys(first.matches)
    following = first.link("next")
    while following:
        page = await maya.get(following)
        found += keys(page.matches)
        following = page.link("next")
    assert len(found) == len(set(found))
    assert set(found) == before
    assert ("Observation", made["id"]) not in found


async def test_a_page_link_is_its_callers_its_clients_and_its_doors_own(shared: Api) -> None:
    maya = shared.as_(MAYA)
    link = (await maya.get(PATH.format("ana"), _count="3")).link("next") or ""
    sealed = link.partition("_page=")[2]
    for client, path in (
        (shared.as_(RUTH), f"Patient/ana/$everything?_page={sealed}"),
        (maya, f"Patient/eve/$everything?_page={sealed}"),
        (maya, f"Observation?_page={sealed}"),
        (maya, f"Patient/ana/_history?_page={sealed}"),
        (maya, f"Patient/ana/$everything?_page={sealed}&_count=2"),
        (maya, f"Patient/ana/$everything?_page={sealed[:-2]}"),
    ):
        assert (await client.get(path)).status == 400, path
    searched = (await maya.get("Observation", _count="1")).link("next") or ""
    assert (await maya.get(f"Patient/ana/_history?{searched.partition('?')[2]}")).status == 400
    assert (await maya.get(f"Patient/ana/$everything?{searched.partition('?')[2]}")).status == 400


async def test_start_and_end_are_days_of_care(shared: Api) -> None:
    maya = shared.as_(MAYA)
    october = await maya.get(PATH.format("ana"), start="2026-10-01", end="2026-10-31", _count="500")
    assert october.matches[0]["id"] == "ana"
    assert ("Encounter", "e-ana-1") in keys(october.matches)
    assert ("Encounter", "e-ana-2") not in keys(october.matches)
    later = keys((await maya.get(PATH.format("ana"), start="2026-11-01", _count="500")).matches)
    assert ("Encounter", "e-ana-2") in later
    assert ("Encounter", "e-ana-1") not in later
    assert ("CareTeam", "ct-ana") in later
    before = keys((await maya.get(PATH.format("ana"), end="1999-12-31", _count="500")).matches)
    assert ("Patient", "ana") in before
    assert not [key for key in before if key[0] in {"Encounter", "Observation"}]


async def test_since_is_about_when_it_was_changed(api: Api) -> None:
    maya = api.as_(MAYA)
    api.clock.move(seconds=60)
    made = (await maya.post("Observation", observation(effectiveDateTime="2020-01-01"))).json
    changed = await maya.get(PATH.format("ana"), _since="2026-11-10T12:00:30Z")
    assert keys(changed.matches) == [("Observation", made["id"])]
    assert changed.json["total"] == 1
    nothing = await maya.get(PATH.format("ana"), _since="2026-11-10T13:00:00+00:00")
    assert (nothing.status, nothing.matches) == (200, [])
    assert (await maya.get(PATH.format("ben"), _since="2026-11-10T13:00:00Z")).status == 404


async def test_types_can_be_chosen(shared: Api) -> None:
    maya = shared.as_(MAYA)
    for query in ("_type=Goal,Encounter", "_type=Goal&_type=Encounter"):
        answer = await maya.get(f"{PATH.format('ana')}?{query}")
        assert {type for type, _ in keys(answer.matches)} == {"Goal", "Encounter"}
        assert answer.included == []
    along = await maya.get(PATH.format("ana"), _type="Encounter,Practitioner")
    assert {type for type, _ in keys(along.included)} == {"Practitioner"}


@pytest.mark.parametrize(
    "query",
    [
        "_type=NoSuch", "_type=Goal,", "_type=Questionnaire", "_type=Practitioner", "start=soon", "start=2026-01-01T00:00:00Z",
        "_since=2026-01-01", "_count=-1", "_count=many", "_count=1&_count=2", "start=2026-01-01&start=2026-01-02", "no-such=1",
        "_include=*", "_page=x", "_page=",
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_parameter_is_told_with_its_name(shared: Api, query: str) -> None:
    answer = await shared.as_(MAYA).get(f"{PATH.format('ana')}?{query}")
    assert answer.status == 400
    assert query.partition("=")[0] in answer.json["issue"][0]["diagnostics"]


async def test_a_type_that_the_caller_may_not_read_is_forbidden(shared: Api) -> None:
    assert (await shared.as_(APP_ANA).get(PATH.format("ana"), _type="Flag")).status == 403
    assert (await shared.as_(MAYA, scopes="recovery/companion user/Patient.r").get(PATH.format("ana"), _type="Goal")).status == 403


async def test_it_can_be_asked_for_by_post_with_the_same_answer(shared: Api) -> None:
    maya = shared.as_(MAYA)
    given = [{"name": "_type", "valueCode": "Goal,Encounter"}, {"name": "start", "valueDate": "2026-11-01"}]
    posted = await maya.post(PATH.format("ana"), {"resourceType": "Parameters", "parameter": given})
    got = await maya.get(PATH.format("ana"), _type="Goal,Encounter", start="2026-11-01")
    assert keys(posted.matches) == keys(got.matches) != []
    assert posted.json["link"] == got.json["link"]


async def test_a_count_of_zero_asks_for_the_total(shared: Api) -> None:
    maya = shared.as_(MAYA)
    answer = await maya.get(PATH.format("ana"), _count="0")
    assert answer.matches == []
    assert answer.json["total"] == len((await maya.get(PATH.format("ana"), _count="1000")).matches)
    assert (await maya.get(PATH.format("ben"), _count="0")).status == 404


async def test_a_larger_count_is_lowered_and_the_link_says_so(shared: Api) -> None:
    answer = await shared.as_(MAYA).get(PATH.format("ana"), _count="5000")
    assert (answer.link("self") or "").endswith("_count=1000")


async def test_a_companions_copy_of_the_patient_leaves_out_what_a_read_does(shared: Api) -> None:
    maya = shared.as_(MAYA)
    assert (await maya.get(PATH.format("ana"))).matches[0] == (await maya.get("Patient/ana")).json


async def test_a_new_client_of_nobody_has_nothing_for_anybody_else(api: Api) -> None:
    made = await api.as_(SYS_LAKESIDE).post("Patient", patient())
    id = made.headers["location"].split("/")[-3]
    for caller in (MAYA, RUTH, CHEN, SYS_RIVERBEND):
        assert (await api.as_(caller).get(PATH.format(id))).status == 404


async def test_without_consent_a_clinician_gets_neither_the_patient_nor_everything(shared: Api) -> None:
    """Scenario 20 of domain.md 8."""
    chen = shared.as_(CHEN)
    assert [(await chen.get(path)).status for path in ("Patient/eve", PATH.format("eve"))] == [404, 404]


async def test_a_page_costs_three_statements(shared: Api) -> None:
    """The page, what comes along, and, where Provenances do, of whom they are."""
    maya = shared.as_(MAYA)
    await maya.get(PATH.format("ana"), _count="500")
    for types, cost in (("Patient,Goal", 1), ("Patient,Goal,Practitioner", 2), ("Patient,DocumentReference,Provenance", 3)):
        with shared.statements() as statements:
            await maya.get(PATH.format("ana"), _count="500", _type=types)
        assert len(beside(statements)) == cost, types


async def test_what_it_shows_is_recorded_once_as_a_disclosure_with_all_that_it_held(shared: Api) -> None:
    before = await records(shared)
    answer = await shared.as_(SYS_RIVERBEND).get(PATH.format("ana"), _count="3")
    assert (await shared.as_(SYS_RIVERBEND).get(answer.link("next") or "")).status == 200
    first, second = await since(shared, before)
    assert (first.kind, first.operation, first.status, first.patients) == ("disclosure", "everything", 200, ("ana",))
    assert set(first.data) == {f"{type}/{id}/_history/1" for type, id in keys([*answer.matches, *answer.included])}
    assert [b64decode(each.query) for each in (first, second)] == [b"Patient/ana?_count=3"] * 2
    assert (second.kind, "Patient/ana/_history/1" in second.data) == ("disclosure", False)
    await shared.as_(MAYA).get(PATH.format("ana"))
    assert [(each.kind, each.patients) for each in await since(shared, [*before, first, second])] == [("rest", ("ana",))]
