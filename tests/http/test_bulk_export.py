"""$export (conformance checklist G; https://hl7.org/fhir/uv/bulkdata/STU2/export.html), and what it keeps from whom."""
import gzip
from base64 import b64decode
from datetime import UTC, datetime, timedelta

import pytest

from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.bulk import export as exporting
from recovery_api.store.files import Folder
from recovery_api.workers import jobs
from tests.api import Api
from tests.audit_log import records, since
from tests.callers import APP_BEN, CHEN, KIM, LEO, MAYA, RUTH, SAM, SYS_HARBOR, SYS_LAKESIDE, SYS_RIVERBEND, Caller, system
from tests.http.bulk import ASYNC, exported, kicked_off, lines, parameters, worked
from tests.http.resources import observation

GROUP = "Group/riverbend/$export"
BULK = "http://hl7.org/fhir/uv/bulkdata"
OTHER = system("sys-riverbend-2", "ehr", "org-riverbend")


def kept(api: Api) -> list[str]:
    """The folders of jobs in the file store."""
    files = api.running.server.jobs.files
    assert isinstance(files, Folder)
    return [path.name for path in files.path.iterdir()]


async def test_the_capability_statement_declares_each_export(shared: Api) -> None:
    """G01, G02."""
    said = (await shared.as_(None).get("metadata")).json
    assert f"{BULK}/CapabilityStatement/bulk-data" in said["instantiates"]
    rest = said["rest"][0]
    declared = {entry["type"]: entry.get("operation", ()) for entry in rest["resource"]} | {"": rest["operation"]}
    for where, id in (("Group", "group-export"), ("Patient", "patient-export"), ("", "export")):
        assert {"name": "export", "definition": f"{BULK}/OperationDefinition/{id}"} in declared[where]


async def test_an_export_is_begun_watched_read_and_expires(api: Api) -> None:
    """G04-G09, G13, G14, and the hour that it is kept."""
    ehr = api.as_(SYS_RIVERBEND)
    status = await kicked_off(ehr, GROUP)
    assert status.startswith("http://127.0.0.1:8000/fhir/_jobs/")
    waiting = await ehr.get(status, headers={"accept": "application/json"})
    assert (waiting.status, waiting.body) == (202, b"")
    assert waiting.headers["x-progress"]
    assert int(waiting.headers["retry-after"]) >= 1
    await jobs.run_next(api.running.server)
    await jobs.run_next(api.running.server)
    assert "resources" in (await ehr.get(status)).headers["x-progress"]
    await worked(api)
    done = await ehr.get(status, headers={"accept": "application/json"})
    assert done.status == 200
    assert "application/json" in done.headers["content-type"]
    assert done.headers["expires"] == "Tue, 10 Nov 2026 13:00:00 GMT"
    manifest = done.json
    assert {"transactionTime", "request", "requiresAccessToken", "output", "error", "outcome"} <= manifest.keys()
    assert manifest["request"] == "http://127.0.0.1:8000/fhir/Group/riverbend/$export"
    assert manifest["requiresAccessToken"] is True
    assert {"type", "url", "count"} <= manifest["output"][0].keys()
    patients = await lines(ehr, next(one["url"] for one in manifest["output"] if one["type"] == "Patient"))
    assert {one["id"] for one in patients} == {"ana", "ben", "cora"}
    api.clock.move(seconds=3_601)
    later = api.as_(SYS_RIVERBEND)
    assert (await later.get(status)).issue == ("error", "not-found")
    assert (await later.get(manifest["output"][0]["url"])).status == 404
    assert kept(api)
    await jobs.sweep(api.running.server)
    assert not kept(api)


async def test_files_hold_what_the_recipients_own_reads_give(shared: Api) -> None:
    """G12, G15: each line is the copy that a read answers, with the notice in texts that are under it."""
    ehr = shared.as_(SYS_RIVERBEND)
    found = await exported(shared, ehr, GROUP)
    assert {"Binary", "CarePlan", "CareTeam", "Condition", "Consent", "DocumentReference", "Encounter", "Goal", "Observation",
            "Organization", "Patient", "Practitioner", "Provenance"} <= found.files.keys()  # fmt: skip
    for type, resources in found.files.items():
        for one in resources:
            assert one == (await ehr.get(f"{type}/{one['id']}")).json, (type, one["id"])
        if type in {"CarePlan", "Condition", "Consent", "DocumentReference", "Encounter", "Goal", "Observation"}:
            assert found.ids(type) == (await ehr.get(type, _count="500")).ids
    assert "42 CFR" in b64decode(next(one["data"] for one in found.files["Binary"] if one["id"] == "b-ana-1")).decode()
    hidden = {"d-cora-2", "b-cora-2", "cond-cora-oud", "eoc-cora", "prov-d-cora-2", "o-ana-2-mood", "d-ana-2", "b-ana-2"}
    assert not hidden & {one["id"] for resources in found.files.values() for one in resources}
    assert found.answer.headers["x-redisclosure-notice"] == "42cfr2.32"
    [notice] = found.outcomes
    assert "Consent/c-ana, Consent/c-ben, Consent/c-cora" in notice["issue"][1]["diagnostics"]


async def test_the_scope_of_consent_rides_along_where_consents_are_not_asked_for(shared: Api) -> None:
    ehr = shared.as_(SYS_RIVERBEND)
    found = await exported(shared, ehr, GROUP, _type="Patient,Observation")
    assert found.files.keys() == {"Patient", "Observation"}  # G19
    [scope] = next(iter(found.manifest["extension"].values()))
    assert {one["id"] for one in await lines(ehr, scope["url"])} == {"c-ana", "c-ben", "c-cora"}
    without = await exported(shared, ehr, GROUP, parameters(("_type", "valueString", "Observation"), ("patient", "valueReference",
        {"reference": "Patient/ben"})))  # fmt: skip
    assert without.ids("Observation") == {"o-ben-mood", "o-ben-urge"}
    assert without.outcomes == []
    assert "extension" not in without.manifest
    assert "x-redisclosure-notice" not in without.answer.headers


@pytest.mark.parametrize("path", ["Patient/$export", "$export"])
async def test_patients_and_the_system_are_exported_likewise(shared: Api, path: str) -> None:
    found = await exported(shared, shared.as_(SYS_RIVERBEND), path)
    assert found.ids("Patient") == {"ana", "ben", "cora"}
    assert ("Group" in found.files) is (path == "$export")


async def test_what_may_be_asked(shared: Api) -> None:
    """G16, G18-G20, G23."""
    ehr = shared.as_(SYS_RIVERBEND)
    for name in ("application/fhir+ndjson", "application/ndjson", "ndjson"):
        answer = await ehr.get(GROUP, headers=ASYNC, _outputFormat=name, _type="Goal")
        assert answer.status == 202
        await worked(shared)
    filtered = await exported(shared, ehr, GROUP, _type="Observation,Goal", _typeFilter="Observation?code=mood,Observation?code=craving")
    assert filtered.ids("Observation") == {"o-ana-mood", "o-ben-mood", "o-ana-craving"}
    assert filtered.ids("Goal") == {"g-ana-1", "g-ben-1", "g-cora-1"}
    few = await exported(shared, ehr, GROUP, _type="Patient,Observation", _elements="Patient.birthDate,status")
    assert few.files["Patient"][0].keys() == {"resourceType", "id", "meta", "birthDate"}
    assert few.files["Observation"][0].keys() == {"resourceType", "id", "meta", "status", "code"}
    assert {tag["code"] for tag in few.files["Observation"][0]["meta"]["tag"]} >= {"SUBSETTED"}
    posted = await exported(shared, ehr, "Patient/$export", parameters(
        ("_type", "valueString", "DocumentReference"), ("patient", "valueReference", {"reference": "Patient/cora"}),
        ("includeAssociatedData", "valueCode", "RelevantProvenanceResources")))  # fmt: skip
    assert posted.ids("DocumentReference") == {"d-cora-1"}
    assert posted.ids("Provenance") == {"prov-d-cora-1"}
    assert posted.files.keys() == {"DocumentReference", "Provenance"}
    empty = await exported(shared, ehr, GROUP, _type="Goal", _since="2026-11-10T13:00:00Z")
    assert empty.manifest["output"] == []  # G08
    until = await exported(shared, ehr, GROUP, _type="Goal", _until="2026-11-09T00:00:00Z")
    assert until.manifest["output"] == []


async def test_what_is_refused(shared: Api) -> None:
    """G03, G17, G27, and what no export is of."""
    ehr = shared.as_(SYS_RIVERBEND)
    assert (await shared.as_(None).get(GROUP, headers=ASYNC)).status == 401
    assert (await ehr.get(GROUP)).status == 400
    for params in (
        {"_outputFormat": "application/fhir+xml"},
        {"_type": "Patient,Banana"},
        {"_type": "Questionnaire"},
        {"_since": "yesterday"},
        {"_typeFilter": "Observation?_sort=date"},
        {"_typeFilter": "Observation?colour=red"},
        {"_typeFilter": "Observation"},
        {"includeAssociatedData": "LatestProvenanceResources"},
        {"organizeOutputBy": "Patient"},
    ):
        answer = await ehr.get(GROUP, headers=ASYNC, **params)
        assert answer.status == 400, params
        assert answer.json["resourceType"] == "OperationOutcome"
    lenient = {"prefer": "respond-async, handling=lenient"}
    odd = {"_type": "Goal,Banana", "includeAssociatedData": "LatestProvenanceResources", "organizeOutputBy": "Patient"}
    answer = await ehr.get(GROUP, headers=lenient, **odd)
    assert answer.status == 202
    await worked(shared)
    somebody = [parameters(("patient", "valueReference", {"reference": f"Patient/{id}"})) for id in ("dan", "nobody")]
    hidden, absent = [await ehr.post(GROUP, body, headers=ASYNC) for body in somebody]
    assert (hidden.status, hidden.body) == (400, absent.body)
    assert (await ehr.get("Group/lakeside/$export", headers=ASYNC)).body == (await ehr.get("Group/none/$export", headers=ASYNC)).body
    assert (await ehr.get("Group/lakeside/$export", headers=ASYNC)).status == 404
    narrow = shared.as_(SYS_RIVERBEND, scopes="recovery/ehr system/Group.r system/Patient.r")
    assert (await narrow.get(GROUP, headers=ASYNC, _type="Observation")).status == 403
    assert (await exported(shared, narrow, GROUP)).files.keys() == {"Patient"}
    for path in ("Group/$export", "Patient/ana/$export", "Encounter/$export"):
        assert (await ehr.get(path, headers=ASYNC)).status == 404


@pytest.mark.parametrize("caller", [MAYA, LEO, RUTH, CHEN, SYS_LAKESIDE, SAM, KIM], ids=lambda one: one.name)
async def test_nobody_else_exports(shared: Api, caller: Caller) -> None:
    for path in (GROUP, "Patient/$export", "$export"):
        assert (await shared.as_(caller).get(path, headers=ASYNC)).status == 403


async def test_a_job_is_its_callers_own(shared: Api) -> None:
    """G10, G24: to everybody else it is as if it never was."""
    ehr = shared.as_(SYS_RIVERBEND)
    found = await exported(shared, ehr, GROUP, _type="Patient")
    url = found.manifest["output"][0]["url"]
    assert (await shared.as_(None).get(url)).status == 401
    for caller in (OTHER, SYS_HARBOR, MAYA):
        theirs = shared.as_(caller)
        for path, unknown in ((found.status, "_jobs/none"), (url, "_jobs/none/1.Patient.ndjson")):
            answer, absent = await theirs.get(path), await theirs.get(unknown)
            assert (answer.status, answer.body, answer.headers) == (404, absent.body, absent.headers)
        assert (await theirs.delete(found.status)).status == 404
    assert (await ehr.get(f"{url}x")).status == 404
    assert (await shared.as_(SYS_RIVERBEND, scopes="recovery/ehr system/Group.r").get(url)).status == 403
    assert (await ehr.get(url)).status == 200


async def test_files_come_packed_to_who_takes_that(shared: Api) -> None:
    found = await exported(shared, shared.as_(SYS_RIVERBEND), GROUP, _type="Observation")
    file = found.manifest["output"][0]
    for accepted, packed in (("gzip", True), ("identity", False)):
        headers = {"authorization": f"Bearer {shared.token(SYS_RIVERBEND)}", "accept-encoding": accepted}
        async with shared.http.stream("GET", file["url"], headers=headers) as answer:
            body = b"".join([chunk async for chunk in answer.aiter_raw()])
        assert (answer.headers.get("content-encoding") == "gzip") is packed
        assert int(answer.headers["content-length"]) == len(body)
        assert len(gzip.decompress(body) if packed else body) == file["fileSize"]
    head = await shared.as_(SYS_RIVERBEND).head(file["url"])
    assert (head.status, head.body) == (200, b"")


async def test_a_job_that_is_ended_is_gone(api: Api) -> None:
    """G21, G22: while it works, and when it is done."""
    ehr = api.as_(SYS_RIVERBEND)
    running = await kicked_off(ehr, GROUP)
    for _ in range(3):
        await jobs.run_next(api.running.server)
    done = await exported(api, ehr, GROUP, _type="Patient")
    late = await kicked_off(ehr, GROUP)
    for status in (late, running, done.status):
        assert (await ehr.delete(status)).status == 202
        gone = await ehr.get(status)
        assert (gone.status, gone.json["resourceType"]) == (404, "OperationOutcome")
        assert (await ehr.delete(status)).status == 404
    assert (await ehr.get(done.manifest["output"][0]["url"])).status == 404
    await worked(api)
    assert not kept(api)


async def test_a_caller_has_some_exports_under_way_and_no_more(api: Api) -> None:
    ehr = api.as_(SYS_RIVERBEND)
    under_way = [await kicked_off(ehr, GROUP) for _ in range(3)]
    refused = await ehr.get(GROUP, headers=ASYNC)
    assert (refused.status, refused.issue) == (429, ("error", "throttled"))
    assert int(refused.headers["retry-after"]) > 0
    assert (await api.as_(SYS_HARBOR).get("Patient/$export", headers=ASYNC)).status == 202
    await ehr.delete(under_way[0])
    assert (await ehr.get(GROUP, headers=ASYNC)).status == 202


async def cosigned(api: Api, id: str) -> None:
    """Maya submits the note, and Ruth signs it."""
    for caller, operation in ((MAYA, "$submit"), (RUTH, "$cosign")):
        asked = api.as_(caller)
        match = (await asked.get(f"DocumentReference/{id}")).headers["etag"]
        body: JsonObject = {"resourceType": "Parameters"}
        if operation == "$cosign":
            body["parameter"] = [{"name": "attestation", "valueString": "I have read it."}]
        answer = await asked.post(f"DocumentReference/{id}/{operation}", body, headers={"if-match": match})
        assert answer.status == 200, answer.body


def day(stamp: int, days: float = 0) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=stamp, days=days)).isoformat().replace("+00:00", "Z")


async def changed_consent(api: Api, id: str, caller: Caller, **changes: object) -> None:
    asked = api.as_(caller)
    consent = await asked.get(f"Consent/{id}")
    answer = await asked.put(f"Consent/{id}", {**consent.json, **changes}, headers={"if-match": consent.headers["etag"]})
    assert answer.status == 200, answer.body


async def test_since_counts_what_was_written_since_or_may_be_seen_since(api: Api) -> None:
    """Scenario 23, G18: a note that was co-signed comes with its Binary, which is as old as the draft."""
    api.clock.move(seconds=86_400)
    ehr, before = api.as_(SYS_RIVERBEND), day(api.clock.now, days=-0.5)
    await cosigned(api, "d-ana-2")
    found = await exported(api, ehr, GROUP, _since=before)
    assert found.ids("DocumentReference") == {"d-ana-2"}
    assert found.ids("Binary") == {"b-ana-2"}
    assert len(found.ids("Provenance")) == 1
    assert found.ids("Consent") == {"c-ana", "c-ben", "c-cora"}
    assert found.files.keys() == {"Binary", "Consent", "DocumentReference", "Provenance"}
    assert found.manifest["transactionTime"] > before
    after = await exported(api, ehr, GROUP, _since=day(api.clock.now, days=0.5))
    assert after.files.keys() == {"Consent"}


async def test_since_counts_all_of_a_client_whose_consent_says_more(api: Api) -> None:
    """A deny is taken back, and a consent is given: everything of these clients is new to the recipient, and nothing of others."""
    ehr = api.as_(SYS_RIVERBEND)
    first = await exported(api, ehr, GROUP)
    since_then = first.manifest["transactionTime"]
    api.clock.move(seconds=3_600)
    ruth = api.as_(RUTH)
    cora = (await ruth.get("Consent/c-cora")).json
    lifted = {name: value for name, value in cora["provision"].items() if name != "provision"}
    await changed_consent(api, "c-cora", RUTH, provision=lifted)
    eve = (await ruth.get("Consent/c-ana")).json
    eve["patient"] = {"reference": "Patient/eve"}
    eve["performer"] = [{"reference": "Patient/eve"}]
    del eve["id"], eve["meta"]
    eve.pop("sourceReference", None)
    eve["sourceAttachment"] = {"title": "The signed form"}
    given = await ruth.post("Consent", eve)
    assert given.status == 201, given.body
    api.clock.move(seconds=60)
    found = await exported(api, ehr, GROUP, _since=since_then)
    assert found.ids("Patient") == {"cora", "eve"}
    assert {"d-cora-1", "d-cora-2"} <= found.ids("DocumentReference")
    assert {"b-cora-1", "b-cora-2"} <= found.ids("Binary")
    assert not {"d-ana-1", "d-ben-1"} & found.ids("DocumentReference")
    assert "Practitioner" not in found.files
    again = await exported(api, ehr, GROUP, _since=found.manifest["transactionTime"])
    assert again.ids("Patient") == set()


async def test_a_consent_that_bears_on_somebody_else_makes_nothing_new(api: Api) -> None:
    ehr = api.as_(SYS_RIVERBEND)
    done = await exported(api, ehr, GROUP, _type="Patient")
    api.clock.move(seconds=60)
    consent = (await api.as_(RUTH).get("Consent/c-ana")).json
    del consent["id"], consent["meta"]
    consent["provision"]["actor"][0]["reference"]["reference"] = "Organization/org-harbor"
    assert (await api.as_(RUTH).post("Consent", consent)).status == 201
    assert (await ehr.get(done.manifest["output"][0]["url"])).status == 200
    found = await exported(api, ehr, GROUP, _since=done.manifest["transactionTime"])
    assert found.ids("Patient") == set()


async def test_a_consent_that_ends_takes_the_whole_job_away(api: Api) -> None:
    """At the end, while it works, and by the clock alone."""
    ehr = api.as_(SYS_RIVERBEND)
    done = await exported(api, ehr, GROUP)
    working = await kicked_off(ehr, GROUP)
    for _ in range(4):
        await jobs.run_next(api.running.server)
    await changed_consent(api, "c-ben", APP_BEN, status="inactive")
    for path in (done.status, *(one["url"] for one in done.manifest["output"]), working):
        assert (await ehr.get(path)).body == (await ehr.get("_jobs/none")).body
    await worked(api)
    assert (await ehr.get(working)).status == 404
    assert (await exported(api, ehr, GROUP)).ids("Patient") == {"ana", "cora"}


async def test_each_file_is_audited_as_a_disclosure_before_it_can_be_had(api: Api) -> None:
    ehr, before = api.as_(SYS_RIVERBEND), await records(api)
    found = await exported(api, ehr, GROUP, _type="Patient,DocumentReference")
    told = await since(api, before)
    disclosed = [one for one in told if one.kind == "disclosure"]
    assert {(one.operation, one.client_id) for one in disclosed} == {("export", "sys-riverbend")}
    assert {one.partition("/_history")[0] for each in disclosed for one in each.data} >= {"Patient/ana", "DocumentReference/d-cora-1"}
    assert {one for each in disclosed for one in each.consents} == {"Consent/c-ana", "Consent/c-ben", "Consent/c-cora"}
    assert [one.operation for one in told if one.kind == "rest"][:1] == ["export"]
    assert [one.operation for one in told].count("job-file") == len(found.manifest["output"]) + len(found.manifest["error"])


async def test_what_goes_wrong_with_a_type_is_told_and_the_rest_is_there(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """G28."""
    whole = exporting.looks_as_stored

    def broken(server: object, actor: object, record: object) -> bool:
        if getattr(record, "type", "") == "Goal":
            raise ValueError("a body that nobody can read")
        return whole(server, actor, record)  # type: ignore[arg-type]

    monkeypatch.setattr(exporting, "looks_as_stored", broken)
    found = await exported(api, api.as_(SYS_RIVERBEND), GROUP, _type="Goal,Patient")
    assert found.files.keys() == {"Patient"}
    assert [one["issue"][0]["severity"] for one in found.outcomes] == ["error"]
    assert "Goal" in found.outcomes[-1]["issue"][0]["diagnostics"]
    assert "nobody can read" not in str(found.outcomes)


async def test_files_are_cut_and_read_in_parts_without_loss(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several files of a type, several clients and parts of a file: each resource once."""
    monkeypatch.setattr(exporting, "MOST_RESOURCES", 4)
    monkeypatch.setattr(exporting, "CLIENTS", 2)
    monkeypatch.setattr(exporting, "PART", 1_000)
    many = [
        observation(client=client) | {"id": f"many-{client}-{number}"}
        for client in ("ana", "ben", "cora")
        for number in range(7)
    ]
    await api.load(many)
    found = await exported(api, api.as_(SYS_RIVERBEND), GROUP, _type="Observation,Practitioner")
    exported_ids = [one["id"] for one in found.files["Observation"]]
    assert len(exported_ids) == len(set(exported_ids)) == 27
    assert sum(1 for one in found.manifest["output"] if one["type"] == "Observation") > 3
    assert len(found.ids("Practitioner")) == 9
