"""Programs that other people wrote for FHIR servers do their job against this one."""

import json

from tests.clients.conftest import HERE, PYTHON, Demo


def test_fhirpy_records_finds_corrects_and_pages(demo: Demo) -> None:
    assert demo.told("with_fhirpy.py") == {"value": 6, "included": ["ana"], "paged": True, "name": "Morales", "absent": True}


def test_fhirclient_for_python_finds_the_endpoints_reads_and_writes_by_its_models(demo: Demo) -> None:
    said = demo.told("with_fhirclient.py")
    assert said.pop("endpoints") == [f"{demo.origin}/oauth/authorize", f"{demo.origin}/oauth/token"]
    assert said.pop("observations") > 2
    assert said.pop("sessions") > 1
    assert said == {"name": "Ana Morales", "goal": "A short walk", "about": "ana"}


def test_fhir_pyrate_makes_a_data_frame_of_all_pages(demo: Demo) -> None:
    said = demo.told("with_fhir_pyrate.py")
    assert said["rows"] == said["total"] > 2
    assert said["clients"] == ["Patient/ana"]
    assert "e-ana-1" in said["sessions"]


def test_smart_fetch_signs_in_as_a_backend_and_crawls_what_consent_opens(demo: Demo) -> None:
    key = demo.backend("crawler", "ehr", "org-riverbend")
    output = demo.program.folder / "crawled"
    who = ("--fhir-url", demo.environment["FHIR"], "--smart-client-id", "crawler", "--smart-key", key, "--id-list", "ana")
    demo.run(PYTHON.with_name("smart-fetch"), "crawl", *who, "--type", "Patient,Encounter,DocumentReference", "--no-compression", output)
    notes = [json.loads(line) for line in (output / "DocumentReference.ndjson").read_text().splitlines()]
    assert [note["id"] for note in notes] == ["d-ana-1"]
    sessions = [json.loads(line) for line in (output / "Encounter.ndjson").read_text().splitlines()]
    assert {session["status"] for session in sessions} == {"finished"}


def test_fhirclient_for_javascript_is_the_clients_own_app(demo: Demo) -> None:
    said = demo.told("with_fhirclient.mjs")
    assert said.pop("appointments") > 0
    assert said.pop("goals") > 0
    assert said == {"name": "Morales", "made": "proposed", "refused": 404}


def test_fhir_kit_client_sends_a_referral_and_follows_it(demo: Demo) -> None:
    said = demo.told("with_fhir_kit_client.mjs")
    assert said.pop("created") == ["201 Created"] * 3
    assert said.pop("token") == "/oauth/token"
    assert said == {"fhir": "4.0.1", "status": "requested", "versions": 1, "next": 2, "valid": "OperationOutcome", "refused": 403}


def test_the_client_of_medplum_pages_patches_and_reads_everything(demo: Demo) -> None:
    said = demo.told("with_medplum.mjs")
    assert said == {
        "name": "Morales", "tasks": True, "pages": True, "patched": "A call", "versions": 2, "one": "ana", "everything": True,
        "refused": "not-found",
    }  # fmt: skip


def test_schemathesis_finds_no_answer_that_the_document_does_not_say(demo: Demo) -> None:
    part = demo.program.folder / "part.json"
    demo.run(PYTHON, HERE / "programs" / "part_of_the_document.py", f"{demo.origin}/openapi.json?audience=referrer", part)
    how = ("--phases", "examples,fuzzing", "--mode", "positive", "--max-examples", "5", "--seed", "1", "--workers", "2", "--no-shrink")
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    token = ("--header", f"Authorization: Bearer {demo.environment['TOKEN_SYS_LAKESIDE']}")
    health = ("--suppress-health-check", "all", "--warnings", "off")
    where = ("--url", demo.environment["FHIR"], "--include-method", "GET")  # to make bodies up takes it minutes; test_fuzz does that
    said = demo.run(PYTHON.with_name("schemathesis"), "run", part, *where, *token, "--checks", checks, *how, *health)
    assert "No issues found" in said
