"""The fixture world that the project carries is the world of the design."""

import gzip
import hashlib
import json
from datetime import datetime, timedelta

from recovery_api.demo.people import REALISTIC_PATIENTS
from recovery_api.demo.world import T0, bundle, fixture
from recovery_api.fhir.json import JsonObject

DESIGN_WORLD = "afca4d8b28e65c1578f8e035f5ae7b39e8ead7e9130651ea9992eb4569719b4d"  # of the design's world.json, as canonical JSON


def canonical(value: JsonObject) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_the_world_at_t0_is_the_world_of_the_design():
    assert hashlib.sha256(canonical(bundle(T0))).hexdigest() == DESIGN_WORLD


def test_another_moment_moves_every_date_but_birthdays():
    moved = {f"{each['resourceType']}/{each['id']}": each for each in fixture(T0 + timedelta(days=30))}
    assert moved["Patient/ana"]["birthDate"] == "1991-05-14"
    assert moved["CareTeam/ct-ana"]["period"] == {"start": "2026-03-31"}
    assert moved["Encounter/e-ana-1"]["period"]["start"] == "2026-11-04T17:00:00Z"
    assert moved["Observation/o-ana-mood"]["effectiveDateTime"] == "2026-11-04T17:00:00Z"


def test_ids_are_unique_and_nothing_is_labelled():
    resources = fixture(datetime.fromisoformat("2030-02-28T23:30:00Z"))
    assert len({(each["resourceType"], each["id"]) for each in resources}) == len(resources)
    assert not any("meta" in each for each in resources)


def test_the_realistic_patients_are_small_and_whole():
    lines = gzip.decompress(REALISTIC_PATIENTS.read_bytes()).splitlines()
    resources = [json.loads(line) for line in lines]
    patients = {each["id"] for each in resources if each["resourceType"] == "Patient"}
    theirs = {each["subject"]["reference"].removeprefix("Patient/") for each in resources if each["resourceType"] == "Observation"}
    assert REALISTIC_PATIENTS.stat().st_size <= 600_000
    assert len(patients) == 3
    assert theirs == patients
