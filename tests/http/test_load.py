"""`load`, in the process: what it takes, keeps, resolves and refuses."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from recovery_api.commands.loading import Loading, Outcome, load_files
from recovery_api.demo.world import fixture
from recovery_api.interactions.load_engagement import NotEmployed
from recovery_api.interactions.load_sources import files
from tests.api import Api, serving
from tests.callers import LEO, MAYA, RUTH
from tests.program import rows

JO = {"resourceType": "Patient", "id": "jo", "gender": "other"}
MOOD = {
    "resourceType": "Observation",
    "id": "mood",
    "status": "final",
    "code": {"text": "mood"},
    "subject": {"reference": "Patient/jo"},
    "valueQuantity": {"value": 1.5, "unit": "1"},
}
UUID = "6c442a81-a45d-4e99-9f87-c09e43d3ed88"


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(database_url, tmp_path, fixture()) as api:
        yield api


class Folder:
    """Files to load, and the loading of them."""

    def __init__(self, api: Api, path: Path) -> None:
        self.api, self.path = api, path
        path.mkdir()

    def lines(self, *resources: Any, name: str = "a.ndjson") -> None:
        data = b"".join(each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n" for each in resources)
        (self.path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)

    def bundle(self, *entries: Any, kind: str = "transaction", name: str = "b.json") -> None:
        (self.path / name).write_text(json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}, indent=1))

    async def load(self, **options: Any) -> Outcome:
        loading = Loading(files([self.path]), self.path.parent / "rejects.ndjson", **options)
        return await load_files(self.api.running.server, loading, Console(quiet=True))

    @property
    def rejects(self) -> list[Any]:
        return [json.loads(line) for line in (self.path.parent / "rejects.ndjson").read_text().splitlines()]


@pytest.fixture
def folder(api: Api, tmp_path: Path) -> Folder:
    return Folder(api, tmp_path / "in")


def told(outcome: Outcome) -> tuple[int, int, int, int]:
    report = outcome.report
    return report.created, report.updated, report.unchanged, report.rejected


TEAM = {"companion": "maya", "case-manager": "ruth"}


async def test_what_was_loaded_is_there_for_its_care_team_and_for_nobody_else(api: Api, folder: Folder) -> None:
    folder.lines(JO, MOOD)
    assert told(await folder.load(team=TEAM)) == (4, 0, 0, 0)
    maya = await api.as_(MAYA).get("Observation/mood")
    meta = maya.json.pop("meta")
    assert (maya.status, maya.json) == (200, MOOD)
    assert meta["versionId"] == "1"
    assert (await api.as_(RUTH).get("Patient/jo")).status == 200
    assert (await api.as_(LEO).get("Patient/jo")).status == 404
    episode = (await api.as_(RUTH).get("EpisodeOfCare", patient="jo")).matches[0]
    assert (episode["status"], episode["careManager"]) == ("active", {"reference": "Practitioner/ruth"})
    assert episode["managingOrganization"] == {"reference": "Organization/org-cir"}


async def test_a_client_who_has_a_care_team_of_ours_gets_no_other(folder: Folder) -> None:
    folder.lines(*[each for each in fixture() if each["id"] == "ana"])
    assert told(await folder.load(team=TEAM)) == (0, 0, 1, 0)
    folder.lines(JO)
    assert told(await folder.load(team=TEAM)) == (3, 0, 0, 0)
    assert told(await folder.load(team=TEAM)) == (0, 0, 1, 0)


async def test_a_care_team_is_made_of_people_who_work_here(folder: Folder) -> None:
    folder.lines(JO)
    with pytest.raises(NotEmployed, match="Practitioner/nobody"):
        await folder.load(team={"companion": "nobody"})


async def test_the_same_content_makes_no_new_version_in_whatever_order_it_is_told(api: Api, folder: Folder) -> None:
    folder.lines(JO, MOOD)
    await folder.load(team=TEAM)
    folder.lines(dict(reversed(JO.items())), MOOD | {"meta": {"versionId": "7", "lastUpdated": "2001-01-01T00:00:00Z"}})
    assert told(await folder.load()) == (0, 0, 2, 0)
    folder.lines(JO | {"gender": "female"}, json.dumps(MOOD).replace("1.5", "1.50").encode())
    assert told(await folder.load()) == (0, 2, 0, 0)
    jo = (await api.as_(RUTH).get("Patient/jo")).json
    assert (jo["gender"], jo["meta"]["versionId"]) == ("female", "2")
    assert [body["meta"]["versionId"] for body in (await api.as_(RUTH).get("Patient/jo/_history")).matches] == ["2", "1"]
    assert b"1.50" in (await api.as_(MAYA).get("Observation/mood")).body


async def test_events_are_raised_only_when_told_to(folder: Folder, database_url: str) -> None:
    before = rows(database_url, "SELECT count(*) FROM outbox")
    folder.lines(JO)
    await folder.load()
    folder.lines(JO | {"gender": "female"})
    await folder.load()
    assert rows(database_url, "SELECT count(*) FROM outbox") == before
    folder.lines(JO | {"gender": "male"}, MOOD)
    await folder.load(notify=True)
    newest = rows(database_url, "SELECT type, id, version FROM outbox ORDER BY stamp DESC, type")[:2]
    assert newest == [("Observation", "mood", 1), ("Patient", "jo", 3)]


@pytest.mark.parametrize("kind", ["transaction", "batch", "collection", "searchset", "document"])
async def test_the_resources_of_a_bundle_of_any_type_are_taken_one_by_one(api: Api, folder: Folder, kind: str) -> None:
    bad = {"resourceType": "Patient", "id": "bad", "gender": "x"}
    request = {"method": "POST", "url": "Patient"}
    removal = {"request": {"method": "DELETE", "url": "Patient/ana"}}
    folder.bundle({"resource": JO, "request": request}, {"resource": bad, "request": request}, removal, kind=kind)
    assert told(await folder.load(team=TEAM)) == (3, 0, 0, 1)
    assert (await api.as_(MAYA).get("Patient/jo")).status == 200
    assert (await api.as_(MAYA).get("Patient/ana")).status == 200
    [reject] = folder.rejects
    assert (Path(reject["file"]).name, reject["line"], reject["entry"], reject["resource"]) == ("b.json", 1, 2, "Patient/bad")
    assert reject["issue"][0]["expression"] == ["Patient.gender"]


async def test_links_are_resolved_across_files_in_any_order(api: Api, folder: Folder) -> None:
    """In the file that comes first, everything refers to what comes later."""
    links = {"reference": f"urn:uuid:{UUID}"}, {"reference": "Practitioner?identifier=http%3A//x.test%7C7"}
    performer = [links[1], {"reference": "Organization?name=The+Far+Clinic"}]
    folder.lines(MOOD | {"subject": links[0], "performer": performer}, name="1.ndjson.gz")
    practitioner = {"resourceType": "Practitioner", "id": "p7", "identifier": [{"system": "http://x.test", "value": "7"}]}
    clinic = {"resourceType": "Organization", "id": "far", "name": "The Far Clinic"}
    patient = {"fullUrl": f"urn:uuid:{UUID}", "resource": {"resourceType": "Patient", "gender": "male"}}
    folder.bundle(patient, {"resource": practitioner}, name="2.json")
    folder.lines(clinic, name="3.ndjson")
    outcome = await folder.load(team=TEAM)
    assert (told(outcome), outcome.kept) == ((6, 0, 0, 0), [])
    mood = (await api.as_(MAYA).get("Observation/mood")).json
    assert mood["subject"] == {"reference": f"Patient/{UUID}"}
    assert [each["reference"] for each in mood["performer"]] == ["Practitioner/p7", "Organization/far"]


async def test_links_that_the_run_does_not_know_are_looked_for_in_the_database_and_else_kept(api: Api, folder: Folder) -> None:
    staff = {"reference": "Practitioner?identifier=https://recovery-api.example.org/fhir/NamingSystem/staff|maya"}
    unknown, missing = {"reference": f"urn:uuid:{UUID}"}, {"reference": "Organization?identifier=a|b"}
    folder.lines(JO, MOOD | {"performer": [staff, missing], "focus": [unknown]})
    outcome = await folder.load(team=TEAM)
    assert (told(outcome), outcome.kept) == ((4, 0, 0, 0), [missing["reference"], unknown["reference"]])
    mood = (await api.as_(MAYA).get("Observation/mood")).json
    assert mood["performer"] == [{"reference": "Practitioner/maya"}, missing]
    assert mood["focus"] == [unknown]


async def test_absolute_references_to_this_server_become_relative(api: Api, folder: Folder) -> None:
    folder.lines(JO, MOOD | {"subject": {"reference": "http://127.0.0.1:8000/fhir/Patient/jo"}})
    await folder.load(team=TEAM)
    assert (await api.as_(MAYA).get("Observation/mood")).json["subject"] == {"reference": "Patient/jo"}


async def test_a_resource_without_an_id_gets_the_same_one_each_time(folder: Folder) -> None:
    folder.lines({"resourceType": "Patient", "gender": "male"})
    assert told(await folder.load()) == (1, 0, 0, 0)
    assert told(await folder.load()) == (0, 0, 1, 0)


@pytest.mark.parametrize(
    ("line", "resource", "code"),
    [
        (b"{oops\n", "", "invalid"),
        (b'{"resourceType":"Patient","id":"x","id":"y"}\n', "", "invalid"),
        (b"[]\n", "", "invalid"),
        ({"resourceType": "Spaceship", "id": "x"}, "", "not-supported"),
        ({"id": "x"}, "", "not-supported"),
        ({"resourceType": "Patient", "id": 7}, "Patient", "structure"),
        ({"resourceType": "Patient", "id": "a b"}, "Patient/a b", None),
        ({"resourceType": "Patient", "id": "x", "meta": []}, "Patient/x", None),
        ({"resourceType": "Patient", "id": "x", "birthDate": "soon"}, "Patient/x", None),
        ({"resourceType": "Patient", "id": "x", "contact": [{"gender": "male"}]}, "Patient/x", "invariant"),
        ({"resourceType": "Bundle", "entry": {}}, "Bundle", "structure"),
        ({"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "id": "a/b"}}]}, "Patient/a/b", None),
    ],
)
async def test_what_is_wrong_is_rejected_and_all_else_is_loaded(folder: Folder, line: Any, resource: str, code: str | None) -> None:
    folder.lines(JO, b"\n", line, MOOD)
    assert told(await folder.load()) == (2, 0, 0, 1)
    [reject] = folder.rejects
    assert (reject["line"], reject["resource"]) == (3, resource)
    assert reject["issue"][0]["severity"] == "error"
    assert code is None or reject["issue"][0]["code"] == code


async def test_another_resource_with_the_same_id_in_one_run_is_rejected_and_the_same_once_more_is_not(folder: Folder) -> None:
    folder.lines(JO, JO, JO | {"gender": "male"}, JO)
    assert told(await folder.load()) == (1, 0, 2, 1)
    assert folder.rejects[0]["issue"][0]["details"]["text"] == "load-twice"
    assert told(await folder.load()) == (0, 0, 3, 1)


async def test_life_cycles_do_not_hold_a_load_back(api: Api, folder: Folder) -> None:
    """A session that is finished already could not be created by HTTP, nor a signed note."""
    folder.lines(*[each for each in fixture() if each["id"] in {"e-ana-1", "d-ana-1"}])
    assert told(await folder.load()) == (0, 0, 2, 0)


async def test_staff_are_loaded_with_their_relations(api: Api, folder: Folder) -> None:
    role = {
        "resourceType": "PractitionerRole",
        "id": "nia",
        "active": True,
        "practitioner": {"reference": "Practitioner/nia"},
        "organization": {"reference": "Organization/org-cir"},
    }
    folder.lines(JO, {"resourceType": "Practitioner", "id": "nia"}, role)
    assert told(await folder.load(team={"companion": "nia"})) == (5, 0, 0, 0)


def test_files_are_named_by_how_they_end(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("b.ndjson", "a.json.gz", "c.txt"):
        (tmp_path / "in" / name).touch()
    assert [path.name for path in files([tmp_path / "in"])] == ["a.json.gz", "b.ndjson"]
    with pytest.raises(ValueError, match=r"\.ndjson"):
        files([tmp_path / "in" / "c.txt"])
    with pytest.raises(FileNotFoundError):
        files([tmp_path / "nothing.json"])
