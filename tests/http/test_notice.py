"""The redisclosure notice rides along with what consent discloses of a Part 2 record (42 CFR 2.32; domain.md 6; scenarios 17, 18)."""
import hashlib
from base64 import b64decode, b64encode
from typing import Any

import pytest

from tests.api import Api, Response
from tests.callers import APP_ANA, CHEN, MAYA, RUTH, SYS_RIVERBEND

HEADER = "x-redisclosure-notice"
OPENING = "This record which has been disclosed to you is protected by Federal confidentiality rules (42 CFR part 2)."


def outcomes(answer: Response) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in answer.json.get("entry", ()) if entry.get("search", {}).get("mode") == "outcome"]


async def test_a_search_ends_with_the_notice_and_the_consent_and_counts_neither(shared: Api) -> None:
    found = await shared.as_(SYS_RIVERBEND).get("DocumentReference", patient="ana")
    assert (found.ids, found.json["total"], found.headers[HEADER]) == ({"d-ana-1"}, 1, "42cfr2.32")
    [told] = outcomes(found)
    notice, scope = (issue["diagnostics"] for issue in told["issue"])
    assert notice.startswith(OPENING)
    assert "Consent/c-ana" in scope
    assert {issue["severity"] for issue in told["issue"]} == {"information"}


async def test_a_note_of_another_family_is_under_the_notice_as_the_client_is(shared: Api) -> None:
    found = await shared.as_(CHEN).get("DocumentReference", patient="cora")
    assert (found.ids, found.json["total"], found.headers[HEADER]) == ({"d-cora-1"}, 1, "42cfr2.32")
    assert (await shared.as_(CHEN).get("DocumentReference/d-cora-2")).status == 404
    assert (await shared.as_(CHEN).get("Condition/cond-cora-oud")).status == 404
    assert (await shared.as_(CHEN).get("Encounter/e-cora-1")).headers[HEADER] == "42cfr2.32"


async def test_the_text_of_a_note_ends_with_the_notice_and_what_is_stored_does_not(shared: Api) -> None:
    inside = b64decode((await shared.as_(MAYA).get("Binary/b-ana-1")).json["data"]).decode()
    answer = await shared.as_(SYS_RIVERBEND).get("Binary/b-ana-1")
    outside = b64decode(answer.json["data"]).decode()
    assert OPENING not in inside
    assert outside.startswith(inside)
    assert OPENING in outside.removeprefix(inside)
    assert outside.rstrip().endswith("with which exceptions.")
    assert answer.headers[HEADER] == "42cfr2.32"


async def test_a_document_tells_the_size_and_hash_of_what_is_served(api: Api) -> None:
    note = (await api.as_(RUTH).get("DocumentReference/d-ana-1")).json
    text = b64decode((await api.as_(RUTH).get("Binary/b-ana-1")).json["data"])
    told = {"size": len(text), "hash": b64encode(hashlib.sha1(text).digest()).decode()}
    note["content"][0]["attachment"] |= told
    await api.load([{name: value for name, value in note.items() if name != "meta"}])
    assert (await api.as_(RUTH).get("DocumentReference/d-ana-1")).json["content"][0]["attachment"].items() >= told.items()
    served = b64decode((await api.as_(CHEN).get("Binary/b-ana-1")).json["data"])
    found = await api.as_(CHEN).get("DocumentReference", patient="ana")
    for answer in (await api.as_(CHEN).get("DocumentReference/d-ana-1")).json, found.matches[0]:
        attachment = answer["content"][0]["attachment"]
        assert (attachment["size"], b64decode(attachment["hash"])) == (len(served), hashlib.sha1(served).digest())


@pytest.mark.parametrize("place", ["", "/_history/1", "/_history"])
async def test_every_way_to_read_says_it_in_a_header(shared: Api, place: str) -> None:
    path = f"Observation/o-ana-craving{place}"
    assert (await shared.as_(CHEN).get(path)).headers[HEADER] == "42cfr2.32"
    assert HEADER not in (await shared.as_(MAYA).get(path)).headers


async def test_everything_of_a_client_ends_with_it(shared: Api) -> None:
    page = await shared.as_(CHEN).get("Patient/ana/$everything", _count=200)
    assert page.headers[HEADER] == "42cfr2.32"
    [told] = outcomes(page)
    assert "Consent/c-ana" in told["issue"][1]["diagnostics"]
    assert outcomes(await shared.as_(CHEN).get("Patient/ben/$everything")) == []


async def test_a_batch_says_it_where_one_of_its_entries_does(shared: Api) -> None:
    def batch(*paths: str) -> dict[str, Any]:
        entries = [{"request": {"method": "GET", "url": path}} for path in paths]
        return {"resourceType": "Bundle", "type": "batch", "entry": entries}

    assert HEADER in (await shared.as_(CHEN).post("", batch("Practitioner/chen", "Observation/o-ana-craving"))).headers
    assert HEADER not in (await shared.as_(CHEN).post("", batch("Practitioner/chen", "Observation/o-ben-urge"))).headers


async def test_what_is_no_part_2_record_and_what_the_client_reads_goes_without(shared: Api) -> None:
    for answer in (
        await shared.as_(CHEN).get("Observation", patient="ben"),
        await shared.as_(CHEN).get("Patient/ana"),
        await shared.as_(APP_ANA).get("DocumentReference", patient="ana"),
        await shared.as_(RUTH).get("DocumentReference", patient="ana"),
        await shared.as_(CHEN).get("Observation/absent"),
    ):
        assert HEADER not in answer.headers
        assert OPENING not in answer.body.decode()
