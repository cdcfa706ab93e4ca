"""Labels in use: what they close, how they are raised and lowered by hand, and how changed rules come to what is stored."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from recovery_api.demo.codes import diagnosis
from recovery_api.demo.world import fixture
from recovery_api.domain.codes import ACT, ref
from recovery_api.fhir.json import JsonObject
from recovery_api.policy.facets import facets
from recovery_api.policy.label_rules import LabelRules, said_in_file
from recovery_api.store.labelling import Labeller
from recovery_api.store.reindex import reindex
from tests.api import Api
from tests.audit_log import records, since, tamper
from tests.callers import APP_ANA, CHEN, KIM, LEO, MAYA, RUTH, SAM, SYS_RIVERBEND
from tests.http.resources import observation
from tests.labels import LAW, PSY, SENSITIVE, SUD, act, codes, made, sensitivities, stored, versions
from tests.world import by_id


async def test_what_is_raised_to_be_about_an_employee_closes(api: Api) -> None:
    """Decision 10; of an old version the current labels count (decision 3)."""
    mood = by_id(fixture())["Observation", "o-ana-mood"]
    seers = (MAYA, CHEN, SYS_RIVERBEND, APP_ANA)
    for seer in seers:
        assert (await api.as_(seer).get("Observation/o-ana-mood")).status == 200
    await api.load([mood | {"meta": {"security": [act("EMP")]}}])
    assert (await api.as_(RUTH).get("Observation/o-ana-mood")).status == 200
    for seer in seers:
        for path in ("Observation/o-ana-mood", "Observation/o-ana-mood/_history/1", "Observation/o-ana-mood/_history"):
            assert (await api.as_(seer).get(path)).status == 404
        assert "o-ana-mood" not in (await api.as_(seer).get("Observation", patient="ana")).ids


async def test_what_is_raised_to_be_of_psychotherapy_is_its_authors(api: Api) -> None:
    note = by_id(fixture())["DocumentReference", "d-ana-1"]
    await api.load([note | {"meta": {"security": [act("PSYTHPN")]}}])
    for seer, status in ((MAYA, 200), (RUTH, 404), (SYS_RIVERBEND, 404), (APP_ANA, 404)):
        for path in ("DocumentReference/d-ana-1", "Binary/b-ana-1", "DocumentReference/d-ana-1/_history/1"):
            assert (await api.as_(seer).get(path)).status == status


async def test_what_nobody_signs_as_author_is_nobodys_while_it_is_of_psychotherapy(api: Api) -> None:
    """Only a privacy officer, who lowers the label, brings it back to the care team."""
    made(await api.as_(RUTH).post("Condition/cond-ana-ptsd/$meta-add", parameters(security=[act("PSYTHPN")])))
    for seer in (MAYA, RUTH, CHEN, SYS_RIVERBEND, APP_ANA):
        assert (await api.as_(seer).get("Condition/cond-ana-ptsd")).status == 404
    made(await api.as_(SAM).post("Condition/cond-ana-ptsd/$meta-delete", parameters(security=[act("PSYTHPN")])))
    assert (await api.as_(RUTH).get("Condition/cond-ana-ptsd")).status == 200


async def test_a_counseling_note_is_not_a_companions_to_write(api: Api) -> None:
    said = by_id(fixture())["DocumentReference", "d-ana-1"]
    others = {"id", "meta", "authenticator", "securityLabel", "context"}
    mine = {name: value for name, value in said.items() if name not in others}
    apart = {"system": "https://recovery-api.example.org/fhir/CodeSystem/note-type", "code": "counseling-note"}
    note = mine | {"docStatus": "preliminary", "content": [{"attachment": {"title": "Apart"}}]}
    assert (await api.as_(MAYA).post("DocumentReference", note)).status == 201
    refused = await api.as_(MAYA).post("DocumentReference", note | {"type": {"coding": [apart]}})
    assert (refused.status, refused.keys) == (403, {"own-draft"})


def changed(api: Api) -> Labeller:
    """By new rules, which call moods PSY, gambling SUD and depression nothing."""
    said, server = said_in_file(), api.running.server
    ours = next(system for system in said["system"] if system["name"] == "companion-observation")
    ours["rules"].append({"codes": ["mood"], "labels": ["PSY"]})
    icd = next(system for system in said["system"] if system["name"] == "ICD-10-CM")
    icd["rules"].append({"codes": ["F63"], "labels": ["SUD", "ETH"]})
    icd["rules"].append({"codes": ["F33"], "labels": []})
    matrix = replace(server.matrix, labels=LabelRules(said))
    return replace(server.labeller, describe=partial(facets, matrix=matrix, zone=server.zone))


async def test_changed_rules_relabel_what_is_stored_without_new_versions(api: Api) -> None:
    before, server, labeller = await versions(api), api.running.server, changed(api)
    await reindex(server.store, sorted(server.interactions), server.extract, labeller, 7)
    there = await stored(api)
    assert sensitivities(there["Observation/o-ana-mood"]) == PSY
    assert sensitivities(there["Condition/cond-ben-dep"]) == frozenset[str]()
    assert sensitivities(there["EpisodeOfCare/eoc-ben"]) == sensitivities(there["Binary/b-ben-1"]) == SUD
    assert codes(there["CareTeam/ct-ben"]) == LAW
    assert await versions(api) == before
    assert (await api.as_(LEO).get("Observation", patient="ben", _security=f"{ACT}|PSY")).ids == {"o-ben-mood"}
    await reindex(server.store, sorted(server.interactions), server.extract, server.labeller, 50)
    assert {said["id"]: sensitivities(said) for said in (await stored(api)).values() if sensitivities(said)} == SENSITIVE


async def test_a_reindexing_that_is_ended_between_batches_is_made_whole_by_the_next(api: Api) -> None:
    server, labeller, types = api.running.server, changed(api), sorted(api.running.server.interactions)
    before, seen = await stored(api), list[int]()

    def end_midway(count: int) -> None:
        seen.append(count)
        if sum(seen) > len(before) // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await reindex(server.store, types, server.extract, labeller, 7, end_midway)
    midway = await stored(api)
    assert midway != before
    await reindex(server.store, types, server.extract, labeller, 50)
    after = await stored(api)
    assert midway != after
    assert all(midway[reference] in (before[reference], after[reference]) for reference in before)
    await reindex(server.store, types, server.extract, labeller, 7)
    assert await stored(api) == after


async def test_reindexing_labels_what_was_stored_before_there_were_labels(api: Api) -> None:
    server, before = api.running.server, await stored(api)
    async with server.store.writer(server.grants.system) as writer:
        for table in ("client_context", "relation"):
            await writer.connection.execute(f"DELETE FROM {table}")
        await writer.connection.execute("UPDATE resource SET labels = 0")
    await reindex(server.store, sorted(server.interactions), server.extract, server.labeller, 11)
    assert await stored(api) == before


def parameters(**meta: Any) -> JsonObject:
    return {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]}


async def test_a_label_is_added_without_a_new_version_and_lowered_by_the_privacy_officer_alone(api: Api) -> None:
    before = await versions(api)
    made_ = made(await api.as_(MAYA).post("Observation", observation()))
    path = f"Observation/{made_['id']}"
    tag = {"system": "https://elsewhere.example/tags", "code": "seen"}
    added = made(await api.as_(MAYA).post(f"{path}/$meta-add", parameters(security=[act("HIV")], tag=[tag])))
    meta = added["parameter"][0]["valueMeta"]
    assert codes({"meta": meta}) == LAW | {"HIV"}
    assert (meta["versionId"], meta["tag"]) == ("1", [tag])
    assert (await api.as_(MAYA).get("Observation", patient="ana", _tag="seen", _security=f"{ACT}|HIV")).ids == {made_["id"]}
    for somebody in (MAYA, RUTH, KIM):
        assert (await api.as_(somebody).post(f"{path}/$meta-delete", parameters(security=[act("HIV")]))).status == 403
    lowered = await api.as_(SAM).post(f"{path}/$meta-delete", parameters(security=[act("HIV")]))
    assert codes({"meta": made(lowered)["parameter"][0]["valueMeta"]}) == LAW
    assert len(lowered.json["parameter"]) == 1
    untagged = made(await api.as_(MAYA).post(f"{path}/$meta-delete", parameters(tag=[tag])))
    assert "tag" not in untagged["parameter"][0]["valueMeta"]
    after = await versions(api)
    assert {reference: after[reference] for reference in before} == before


async def test_each_change_of_meta_is_recorded_once_and_without_its_record_nothing_is_changed(api: Api) -> None:
    path, hiv = "Observation/o-ana-mood", parameters(security=[act("HIV")])
    before, there = await records(api), await stored(api)
    made(await api.as_(MAYA).post(f"{path}/$meta-add", hiv))
    assert (await api.as_(MAYA).post(f"{path}/$meta-delete", hiv)).status == 403
    made(await api.as_(SAM).post(f"{path}/$meta-delete", hiv))
    made(await api.as_(MAYA).get(f"{path}/$meta"))
    assert await stored(api) == there
    version, mine = (f"{path}/_history/1",), "Practitioner/maya"
    assert [(one.operation, one.holder, one.permitted, one.data, one.patients) for one in await since(api, before)] == [
        ("meta-add", mine, True, version, ("ana",)),
        ("meta-delete", mine, False, (path,), ()),
        ("meta-delete", "Practitioner/sam", True, version, ("ana",)),
        ("meta", mine, True, version, ("ana",)),
    ]
    await tamper(api, "ALTER TABLE audit_record RENAME TO away")
    assert (await api.as_(MAYA).post(f"{path}/$meta-add", hiv)).status == 503
    await tamper(api, "ALTER TABLE away RENAME TO audit_record")
    assert await stored(api) == there


async def test_a_label_that_content_or_law_gives_is_not_lowered_by_hand(api: Api) -> None:
    before = await stored(api)
    for path, code in (("Observation/o-ana-craving", "SUD"), ("CareTeam/ct-ana", "42CFRPart2"), ("Encounter/e-ana-1", "PSY")):
        refused = await api.as_(SAM).post(f"{path}/$meta-delete", parameters(security=[act(code)]))
        assert (refused.status, refused.keys) == (422, {"label-computed"})
    assert await stored(api) == before


async def test_whom_a_resource_is_hidden_from_adds_nothing_to_it(api: Api) -> None:
    said = parameters(security=[act("HIV")])
    hidden = await api.as_(LEO).post("Observation/o-ana-mood/$meta-add", said)
    absent = await api.as_(LEO).post("Observation/o-nobody/$meta-add", said)
    assert (hidden.status, hidden.body) == (absent.status, absent.body) == (404, absent.body)
    assert (await api.as_(CHEN).post("Observation/o-ana-mood/$meta-add", said)).status == 403
    assert (await api.as_(SAM).post("Observation/o-nobody/$meta-delete", said)).status == 404
    for wrong in ({"resourceType": "Parameters"}, parameters(security="HIV"), parameters(tag=["x"])):
        assert (await api.as_(MAYA).post("Observation/o-ana-mood/$meta-add", wrong)).status == 400


async def test_raising_a_condition_raises_what_depends_on_it(api: Api) -> None:
    made(await api.as_(RUTH).post("Condition/cond-ana-ptsd/$meta-add", parameters(security=[act("SDV")])))
    there = await stored(api)
    assert {"SDV"} < codes(there["Encounter/e-ana-1"])
    assert {"SDV"} < codes(there["DocumentReference/d-ana-2"])


async def test_what_is_written_while_the_law_comes_is_under_the_law(api: Api) -> None:
    """Whoever writes of a client holds its context: either they see the change, or the change sees what they wrote."""
    condition = by_id(fixture())["Condition", "cond-ben-dep"] | {"code": diagnosis("F10.20")}
    leo = api.as_(LEO)
    writes = [leo.post("Observation", observation(client="ben", by="leo")) for _ in range(12)]
    await asyncio.gather(*writes[:6], api.load([condition]), *writes[6:])
    there = [said for said in (await stored(api)).values() if said.get("subject") == ref("Patient/ben")]
    assert len([said for said in there if "019e" in said["id"]]) == len(writes)
    assert [said["id"] for said in there if said["resourceType"] != "Consent" and not codes(said) >= LAW] == []
