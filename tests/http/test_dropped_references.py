"""A reference that the caller may not follow is not in their copy, finds nothing, and stays when they write (domain.md 3.2)."""
from collections.abc import AsyncIterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from recovery_api.demo.world import fixture
from recovery_api.domain.codes import concept, ref
from recovery_api.fhir.json import JsonObject
from recovery_api.policy.facets import facets
from tests.api import Api, Client, serving
from tests.callers import CHEN, MAYA, RUTH, SAM, SYS_LAKESIDE, WIDE_CALLERS
from tests.contract.direct import Direct
from tests.databases import Databases
from tests.http.resources import bundle, note, observation, session
from tests.statements import recorded
from tests.wider import wide

WALK = {"system": "urn:walks", "value": "7"}


def _known(target: str) -> JsonObject:
    return {"reference": target, "type": target.partition("/")[0], "identifier": WALK, "display": "Nobody's business"}


def _content(type: str, id: str, **content: Any) -> JsonObject:
    return {"resourceType": type, "id": id, **content}


HIDDEN = [
    session(status="in-progress") | {"id": "e-open"},
    observation(status="preliminary") | {"id": "o-early"},
    note() | {"id": "d-draft"},
    _content("Condition", "cond-elsewhere", subject=ref("Patient/dan"), code={"text": "not hers"}),
    _content("Task", "t-inside", status="requested", intent="order", **{"for": ref("Patient/ana")}, owner=ref("Practitioner/ruth")),
]
"""What Chen does not see."""

_diagnoses = [{"condition": ref("Condition/cond-elsewhere"), "rank": 1}, {"condition": ref("Condition/cond-ana-ptsd"), "rank": 2}]
POINTING: list[JsonObject] = [
    observation(encounter=_known("Encounter/e-open"), hasMember=[ref("Observation/o-early"), ref("Observation/o-ana-mood")])
    | {"id": "o-walk", "extension": [{"url": "urn:why", "valueReference": ref("Task/t-inside")}]},
    observation(encounter=ref("Encounter/e-ana-1"), derivedFrom=[ref("Observation/o-early")]) | {"id": "o-talk"},
    note(docStatus="final", authenticator=ref("Practitioner/ruth"))
    | {
        "id": "d-walk",
        "relatesTo": [{"code": "transforms", "target": ref("DocumentReference/d-draft")}],
        "context": {"encounter": [ref("Encounter/e-open")], "related": [ref("Task/t-inside")]},
    },
    session(status="finished", diagnosis=_diagnoses, partOf=ref("Encounter/e-open")) | {"id": "e-walk"},
    _content(
        "CarePlan",
        "cp-walk",
        status="active",
        intent="plan",
        subject=ref("Patient/ana"),
        addresses=[ref("Condition/cond-elsewhere"), ref("Condition/cond-ana-ptsd")],
        activity=[{"reference": ref("Task/t-inside")}],
    ),
    _content("EpisodeOfCare", "eoc-walk", status="active", patient=ref("Patient/ana"), diagnosis=_diagnoses),
    _content(
        "Provenance",
        "prov-walk",
        recorded="2026-11-10T11:00:00Z",
        target=[ref("DocumentReference/d-draft"), ref("DocumentReference/d-ana-1/_history/1")],
        agent=[{"who": ref("Practitioner/maya")}],
    ),
    _content(
        "Provenance",
        "prov-draft",
        recorded="2026-11-10T11:00:00Z",
        target=[ref("DocumentReference/d-draft")],
        agent=[{"type": concept(("urn:agents", "writer")), "who": ref("Practitioner/maya")}],
    ),
]
IDS = ("e-open", "o-early", "d-draft", "cond-elsewhere", "t-inside")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The servers' keys: what seals page links is the same for all."""
    return tmp_path_factory.mktemp("pointing")


@pytest.fixture(scope="module")
async def pointing(databases: Databases, migrated_template: str, folder: Path) -> AsyncIterator[Api]:
    """The fixture world, and resources that point at what Chen does not see."""
    async with _world(databases, migrated_template, folder, [*HIDDEN, *POINTING]) as api:
        yield api


def _world(databases: Databases, template: str, folder: Path, more: Sequence[JsonObject]) -> Any:
    return serving(databases.clone(template), folder, [*fixture(), *deepcopy(more)])


async def _read(client: Client, path: str) -> JsonObject:
    answer = await client.get(path)
    assert answer.status == 200, (path, answer.body)
    return answer.json


READ = [f"{each['resourceType']}/{each['id']}" for each in POINTING]
TYPES = sorted({each["resourceType"] for each in POINTING})
SEARCHED = [
    "Observation?encounter=Encounter/e-open",
    "Observation?encounter=e-open",
    "Observation?encounter:Encounter=e-open",
    "Observation?encounter:identifier=urn:walks|7",
    "Observation?has-member=Observation/o-early",
    "Observation?derived-from:missing=false",
    "Observation?_has:Observation:derived-from:_id=o-talk",
    "Observation?encounter.status=in-progress",
    "Observation?encounter:Encounter.patient.name=Morales&_id=o-walk",
    "Encounter?diagnosis=Condition/cond-elsewhere",
    "Encounter?part-of=Encounter/e-open",
    "Encounter?part-of:missing=false",
    "DocumentReference?relatesto=DocumentReference/d-draft",
    "DocumentReference?relation=transforms",
    "DocumentReference?relationship=DocumentReference/d-draft$transforms",
    "DocumentReference?encounter=Encounter/e-open",
    "DocumentReference?related=Task/t-inside",
    "CarePlan?condition=Condition/cond-elsewhere",
    "CarePlan?activity-reference=Task/t-inside",
    "EpisodeOfCare?condition=Condition/cond-elsewhere",
    "Provenance?target=DocumentReference/d-draft",
    "Provenance?agent-type=urn:agents|writer",
    "Condition?_has:CarePlan:condition:_id=cp-walk&_id=cond-elsewhere",
]
"""Searches that find nothing."""
ASKED = [
    *READ,
    *(f"{each}/_history/1" for each in READ),
    *(f"{each}/_history" for each in READ),
    *(f"{each}?_count=100" for each in TYPES),
    *(f"{each}/_history?_count=200" for each in TYPES),
    *SEARCHED,
    "Observation?patient=ana&_sort=encounter",
    "Observation?patient=ana&_sort=-has-member,_id",
    "DocumentReference?patient=ana&_sort=relation",
    "Observation?patient=ana&_include=*&_revinclude=*",
    "Observation?encounter:missing=true&_summary=count",
    "Observation?encounter:not=x",
    "Observation?_id=o-walk&_include=Observation:encounter&_include=Observation:has-member",
    "Observation?_id=o-walk&_elements=encounter,hasMember",
    "Observation?_id=o-walk&_summary=true",
    "Patient/ana/Observation?_count=100",
    "?_type=Observation,Encounter,Provenance&_count=100",
    "Provenance?_include=Provenance:target&_count=100",
    *(f"{each['resourceType']}/{each['id']}" for each in HIDDEN),
]


@pytest.mark.parametrize("path", READ[:-1])
async def test_a_copy_holds_no_reference_that_cannot_be_followed(pointing: Api, path: str) -> None:
    whole = next(each for each in POINTING if path.endswith(f"/{each['id']}"))
    assert any(f'"{each}"' in repr(whole).replace("'", '"') or f"/{each}" in repr(whole) for each in IDS)
    answer = await pointing.as_(CHEN).get(path)
    assert answer.status == 200
    assert not [each for each in IDS if each.encode() in answer.body]
    assert b"Nobody" not in answer.body


async def test_what_is_left_of_a_copy_is_whole(pointing: Api) -> None:
    chen = pointing.as_(CHEN)
    walk = await _read(chen, "Observation/o-walk")
    assert walk["hasMember"] == [{"reference": "Observation/o-ana-mood"}]
    assert not {"encounter", "extension"} & walk.keys()
    assert not {"relatesTo", "context"} & (await _read(chen, "DocumentReference/d-walk")).keys()
    session = await _read(chen, "Encounter/e-walk")
    assert (session["diagnosis"], "partOf" in session) == (_diagnoses[1:], False)
    plan = await _read(chen, "CarePlan/cp-walk")
    assert (plan["addresses"], "activity" in plan) == ([{"reference": "Condition/cond-ana-ptsd"}], False)
    assert (await _read(chen, "Provenance/prov-walk"))["target"] == [{"reference": "DocumentReference/d-ana-1/_history/1"}]


async def test_who_may_follow_the_references_has_all_of_them(pointing: Api) -> None:
    maya = pointing.as_(MAYA)
    stored = next(each for each in POINTING if each["id"] == "o-walk")
    got = await _read(maya, "Observation/o-walk")
    assert got["encounter"] == stored["encounter"]
    assert got["hasMember"] == stored["hasMember"]
    assert "extension" not in got  # the Task is Ruth's alone
    assert (await maya.get("Observation?encounter=Encounter/e-open")).ids == {"o-walk"}
    assert (await maya.get("DocumentReference?relation=transforms")).ids == {"d-walk"}
    assert (await maya.get("Observation?encounter:identifier=urn:walks|7")).ids == {"o-walk"}


@pytest.mark.parametrize("search", SEARCHED)
async def test_a_dropped_reference_finds_nothing(pointing: Api, search: str) -> None:
    answer = await pointing.as_(CHEN).get(search)
    assert answer.status == 200, answer.body
    assert not answer.ids & {each["id"] for each in POINTING}


async def test_hidden_and_absent_targets_answer_alike_by_as_many_statements(
    pointing: Api, databases: Databases, migrated_template: str, folder: Path
) -> None:
    async with _world(databases, migrated_template, folder, POINTING) as lacking:
        for caller in (CHEN, SYS_LAKESIDE):
            here, there = (Direct(api).as_(caller) for api in (pointing, lacking))
            for server in (here, there):  # its first request begins the audit chain, and gets to know the caller
                assert (await server.request("GET", "Practitioner/maya")).status == 200
            for path in ASKED:
                with recorded() as asked:
                    one = await here.request("GET", path)
                with recorded() as asked_there:
                    other = await there.request("GET", path)
                assert (one.status, one.headers, one.body) == (other.status, other.headers, other.body), path
                assert len(asked) == len(asked_there), path


@pytest.mark.timeout(900)  # every caller reads all there is: a statement of its own for each role and type
async def test_what_is_told_of_a_record_at_once_is_what_the_rules_of_its_targets_say(
    databases: Databases, migrated_template: str, folder: Path
) -> None:
    async with serving(databases.clone(migrated_template), folder, wide().resources) as api:
        server = api.running.server
        world = {(each["resourceType"], each["id"]): each for each in wide().resources}
        for caller in WIDE_CALLERS.values():
            actor = await api.running.callers.actor(api.token(caller))
            async with server.store.reader(server.grants.rows(actor, server.clock())) as reader:
                seen = {key: record for key in world if (record := await reader.read(*key)) is not None}
                open = server.matrix.open_to(caller.role)
                for key, record in seen.items():
                    links = [tuple(link.split("/")) for link in facets(world[key], server.matrix, server.zone).links]
                    hidden = {"/".join(link) for link in links if link not in seen and link[0] not in open}
                    assert (record.hidden is None) == (not links), (caller.name, key)
                    assert set((record.hidden or "").split()) == hidden, (caller.name, key)


async def test_a_provenance_of_nothing_visible_is_not_there_save_for_the_auditor(pointing: Api) -> None:
    assert (await pointing.as_(CHEN).get("Provenance/prov-draft")).status == 404
    sam = pointing.as_(SAM)
    assert (await _read(sam, "Provenance/prov-draft"))["target"] == [{"reference": "DocumentReference/d-draft"}]
    assert (await sam.get("Provenance?target=DocumentReference/d-draft")).ids == {"prov-walk", "prov-draft"}
    consent = await _read(sam, "Consent/c-ana")
    assert consent["patient"] == {"reference": "Patient/ana"}
    assert consent["sourceReference"] == {"reference": "DocumentReference/form-ana"}
    assert "performer" not in consent


async def test_the_reference_that_names_the_client_stays_where_the_patient_is_not_readable(pointing: Api) -> None:
    clinic = pointing.as_(SYS_LAKESIDE)
    assert (await _read(clinic, "Task/task-ls-401"))["for"] == {"reference": "Patient/eve-ls"}
    assert (await clinic.get("Task?patient=Patient/eve-ls")).ids == {"task-ls-401"}
    assert (await clinic.get("ServiceRequest?subject=Patient/eve-ls")).ids == {"sr-ls-401"}


async def test_a_scope_that_names_a_dropped_reference_opens_nothing(pointing: Api) -> None:
    for encounter, status in (("e-ana-1", 200), ("e-open", 404)):
        id = {"e-ana-1": "o-talk", "e-open": "o-walk"}[encounter]
        client = pointing.as_(CHEN, scopes=f"recovery/treatment-team user/Observation.rs?encounter=Encounter/{encounter}")
        found = await client.get("Observation?patient=ana")
        assert (id in found.ids) == (status == 200)
        for path in (f"Observation/{id}", f"Observation/{id}/_history/1", f"Observation/{id}/_history"):
            assert (await client.get(path)).status == status, path


# Writing -----------------------------------------------------------------------------------------------------------------

BOUNDARY = _content(
    "Observation",
    "o-boundary",
    status="final",
    code=concept(("https://recovery-api.example.org/fhir/CodeSystem/companion-observation", "boundary-event")),
    focus=[ref("Practitioner/maya")],
    performer=[ref("Practitioner/ruth")],
)
DERIVED = [ref("Observation/o-boundary"), ref("Observation/o-ana-mood")]


@pytest.fixture
async def writing(api: Api) -> Api:
    """An Observation of Maya's that derives from one that only Ruth sees."""
    told = observation(derivedFrom=DERIVED, interpretation=[{"text": "calm"}]) | {"id": "o-hers"}
    await api.load([deepcopy(BOUNDARY), told])
    return api


async def _stored(api: Api) -> JsonObject:
    return await _read(api.as_(RUTH), "Observation/o-hers")


async def test_a_put_of_what_was_read_changes_nothing_else(writing: Api) -> None:
    maya = writing.as_(MAYA)
    mine = await _read(maya, "Observation/o-hers")
    assert mine["derivedFrom"] == DERIVED[1:]
    answer = await maya.put("Observation/o-hers", mine | {"valueInteger": 9}, headers={"if-match": 'W/"1"'})
    assert (answer.status, answer.json["derivedFrom"], answer.json["valueInteger"]) == (200, DERIVED[1:], 9)
    assert answer.body == (await maya.get("Observation/o-hers")).body
    assert ((await _stored(writing))["derivedFrom"], (await _stored(writing))["valueInteger"]) == (DERIVED, 9)


async def test_what_is_not_seen_survives_that_all_that_is_seen_is_removed(writing: Api) -> None:
    maya = writing.as_(MAYA)
    mine = await _read(maya, "Observation/o-hers")
    del mine["derivedFrom"]
    assert (await maya.put("Observation/o-hers", mine)).status == 200
    assert (await _stored(writing))["derivedFrom"] == DERIVED[:1]


async def test_a_hidden_reference_that_stands_there_can_be_sent_no_more_than_one_to_nothing(writing: Api) -> None:
    maya = writing.as_(MAYA)
    mine = await _read(maya, "Observation/o-hers")
    answers = [
        await maya.put("Observation/o-hers", mine | {"derivedFrom": [ref(f"Observation/{id}"), *DERIVED[1:]]})
        for id in ("o-boundary", "o-nothings")
    ]
    assert [(answer.status, answer.places) for answer in answers] == [(422, {"Observation.derivedFrom[0]"})] * 2
    assert answers[0].body == answers[1].body.replace(b"o-nothings", b"o-boundary")
    assert (await _stored(writing))["derivedFrom"] == DERIVED


async def test_a_patch_sees_the_callers_copy(writing: Api) -> None:
    maya = writing.as_(MAYA)
    for patch, status in (
        ([{"op": "test", "path": "/derivedFrom/1/reference", "value": "Observation/o-ana-mood"}], 422),
        ([{"op": "test", "path": "/derivedFrom/0/reference", "value": "Observation/o-boundary"}], 422),
        ([{"op": "test", "path": "/derivedFrom/0/reference", "value": "Observation/o-ana-mood"}], 200),
        ([{"op": "replace", "path": "/interpretation/0/text", "value": "calmer"}], 200),
    ):
        answer = await maya.patch("Observation/o-hers", patch)
        assert answer.status == status, patch
        assert b"o-boundary" not in answer.body
    assert (await _stored(writing))["derivedFrom"] == DERIVED
    assert (await maya.patch("Observation/o-hers", [{"op": "remove", "path": "/derivedFrom"}])).status == 200
    assert (await _stored(writing))["derivedFrom"] == DERIVED[:1]


@pytest.mark.parametrize("kind", ["batch", "transaction"])
async def test_the_answer_of_a_bundle_entry_is_the_callers_copy_too(writing: Api, kind: str) -> None:
    maya = writing.as_(MAYA)
    mine = await _read(maya, "Observation/o-hers")
    put = {"resource": mine | {"valueInteger": 8}, "request": {"method": "PUT", "url": "Observation/o-hers"}}
    get = {"request": {"method": "GET", "url": "Observation/o-hers"}}
    answer = await maya.post("", bundle(kind, put, get), headers={"prefer": "return=representation"})
    assert answer.status == 200, answer.body
    assert [entry["resource"]["derivedFrom"] for entry in answer.json["entry"]] == [DERIVED[1:]] * 2
    assert (await _stored(writing))["derivedFrom"] == DERIVED


async def test_what_is_wrong_is_told_at_its_place_in_the_callers_copy(writing: Api) -> None:
    maya = writing.as_(MAYA)
    mine = await _read(maya, "Observation/o-hers")
    wrong = await maya.put("Observation/o-hers", mine | {"derivedFrom": [*DERIVED[1:], {"nothing": "x"}]})
    assert (wrong.status, wrong.places) == (400, {"Observation.derivedFrom[1].nothing"})
    absent = await maya.put("Observation/o-hers", mine | {"derivedFrom": [*DERIVED[1:], ref("Observation/none")]})
    assert (absent.status, absent.places) == (422, {"Observation.derivedFrom[1]"})


async def test_a_conditional_create_that_finds_one_answers_with_the_callers_copy(writing: Api) -> None:
    answer = await writing.as_(MAYA).post("Observation", observation(), headers={"if-none-exist": "_id=o-hers"})
    assert (answer.status, answer.json["derivedFrom"]) == (200, DERIVED[1:])


async def test_a_reference_is_dropped_when_its_target_is_deleted_and_every_version_is_judged_as_it_is_now(api: Api) -> None:
    maya = api.as_(MAYA)
    target = (await maya.post("Observation", observation())).json["id"]
    made = (await maya.post("Observation", observation(derivedFrom=[ref(f"Observation/{target}")]))).json
    assert made["derivedFrom"] == [ref(f"Observation/{target}")]
    assert (await maya.put(f"Observation/{made['id']}", made | {"valueInteger": 1})).status == 200
    assert (await maya.delete(f"Observation/{target}")).status == 204
    for path in ("", "/_history/1", "/_history/2"):
        assert "derivedFrom" not in await _read(maya, f"Observation/{made['id']}{path}")
    told = await _read(maya, f"Observation/{made['id']}/_history")
    assert not [entry for entry in told["entry"] if "derivedFrom" in entry["resource"]]
    assert (await maya.get(f"Observation/{made['id']}")).headers["etag"] == 'W/"2"'
