"""Every access, denial and write leaves exactly one record, on the disk before its answer, that says who asked for what and no more."""

import asyncio
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from recovery_api.fhir.json import JsonObject, dump, load
from recovery_api.policy.audit import Facts
from tests.api import Api
from tests.audit_log import records, rows, since, tamper
from tests.callers import APP_ANA, CHEN, KIM, LEO, MAYA, RUTH, SAM, SYS_RIVERBEND, Caller
from tests.contract.direct import Direct
from tests.http.resources import bundle, note, observation
from tests.statements import Asked

REQUEST = "the-request-1"
WITH_NUMBER = {"x-request-id": REQUEST}


class Case(NamedTuple):
    """A request, the status of its answer, and what its record says beside who asked."""

    by: Caller
    method: str
    path: str
    status: int
    says: Mapping[str, Any]
    body: JsonObject | None = None


REFUSED = {"permitted": False}
BY_CONSENT = {"consents": ("Consent/c-ana",)}
DONE = (
    Case(
        MAYA, "GET", "Observation/o-ana-mood", 200,
        {"action": "read", "data": ("Observation/o-ana-mood/_history/1",), "patients": ("ana",)},
    ),
    Case(MAYA, "HEAD", "Patient/ana", 200, {"action": "read", "data": ("Patient/ana/_history/1",), "patients": ("ana",)}),
    Case(MAYA, "GET", "Practitioner/maya", 200, {"action": "read", "data": ("Practitioner/maya/_history/1",)}),
    Case(
        MAYA, "GET", "Encounter/e-ana-1/_history/1", 200,
        {"action": "vread", "data": ("Encounter/e-ana-1/_history/1",), "patients": ("ana",)},
    ),
    Case(
        MAYA, "GET", "Encounter/e-ana-1/_history", 200,
        {"action": "history-instance", "data": ("Encounter/e-ana-1",), "patients": ("ana",)},
    ),
    Case(
        MAYA, "GET", "Observation?patient=ana&code=mood", 200,
        {"action": "search-type", "type": "Observation", "query": "Observation?patient=ana&code=mood", "patients": ("ana",)},
    ),
    Case(
        MAYA, "GET", "Observation?patient=nobody", 200,
        {"action": "search-type", "type": "Observation", "query": "Observation?patient=nobody"},
    ),
    Case(
        MAYA, "GET", "Patient/ana/Encounter?status=finished", 200,
        {"action": "search-type", "type": "Encounter", "query": "Patient/ana/Encounter?status=finished", "patients": ("ana",)},
    ),
    Case(
        MAYA, "GET", "Binary/b-ana-1", 200,
        {"action": "read", "data": ("Binary/b-ana-1/_history/1",), "patients": ("ana",)},
    ),
    Case(
        MAYA, "POST", "Observation/$validate", 200, {"action": "operation", "operation": "validate", "type": "Observation"},
        observation(),
    ),
    Case(
        CHEN, "GET", "DocumentReference/d-ana-1", 200,
        {"kind": "disclosure", "action": "read", "data": ("DocumentReference/d-ana-1/_history/1",), "patients": ("ana",)} | BY_CONSENT,
    ),
    Case(
        SYS_RIVERBEND, "GET", "DocumentReference?patient=ana", 200,
        {
            "kind": "disclosure", "action": "search-type", "data": ("DocumentReference/d-ana-1/_history/1",), "patients": ("ana",),
            **BY_CONSENT,
            "query": "DocumentReference?patient=ana",
        },
    ),
    Case(
        SYS_RIVERBEND, "GET", "Binary/b-ana-1", 200,
        {"kind": "disclosure", "action": "read", "data": ("Binary/b-ana-1/_history/1",), "patients": ("ana",)} | BY_CONSENT,
    ),
    Case(SYS_RIVERBEND, "GET", "Organization/org-cir", 200, {"action": "read", "data": ("Organization/org-cir/_history/1",)}),
)  # fmt: skip
DENIED = (
    Case(LEO, "GET", "Observation/o-ana-mood", 404, {"action": "read", "data": ("Observation/o-ana-mood",)}),
    Case(LEO, "GET", "Observation/o-nobody", 404, {"action": "read", "data": ("Observation/o-nobody",)}),
    Case(LEO, "DELETE", "Observation/o-ana-mood", 404, {"action": "delete", "data": ("Observation/o-ana-mood",)}),
    Case(
        LEO, "PUT", "Observation/o-ana-mood", 405, {"action": "update", "data": ("Observation/o-ana-mood",)},
        observation(id="o-ana-mood"),
    ),
    Case(KIM, "GET", "Patient/ana", 403, {"action": "read", "data": ("Patient/ana",)}),
    Case(KIM, "GET", "Patient?name=Morales", 403, {"action": "search-type", "type": "Patient", "query": "Patient?name=Morales"}),
    Case(MAYA, "POST", "Observation", 400, {"action": "create", "type": "Observation"}, observation(status="no-such")),
    Case(MAYA, "POST", "Observation", 422, {"action": "create", "type": "Observation"}, observation(client="ben")),
    Case(MAYA, "GET", "Observation?no-such=1", 400, {"action": "search-type", "type": "Observation", "query": "Observation?no-such=1"}),
    Case(MAYA, "GET", "Account/1", 404, {}),
    Case(MAYA, "POST", "AuditEvent", 403, {"action": "create", "type": "AuditEvent"}, {"resourceType": "AuditEvent"}),
    Case(MAYA, "GET", "Patient/ana/$no-such", 404, {"action": "operation", "operation": "no-such", "data": ("Patient/ana",)}),
)  # fmt: skip


def who(caller: Caller) -> dict[str, Any]:
    purpose = {"companion": "CAREMGT", "case-manager": "CAREMGT", "auditor": "CAREMGT", "admin": "CAREMGT"}.get(caller.role, "TREAT")
    return {
        "holder": caller.fhir_user or f"client:{caller.client_id}",
        "role": caller.role,
        "organization": f"Organization/{caller.organization}" if caller.organization else "",
        "client_id": caller.client_id or "",
        "purpose": purpose,
    }


def said(facts: Facts) -> dict[str, Any]:
    """All that a record says save the token's id, which must be there; the query in clear."""
    found = {name: getattr(facts, name) for name in Facts.__struct_fields__}
    found["query"] = b64decode(facts.query).decode()
    assert found.pop("token") or not facts.holder
    return found


def expected(case: Case, *, permitted: bool) -> dict[str, Any]:
    default = {name: getattr(Facts(), name) for name in Facts.__struct_fields__ if name != "token"}
    return default | who(case.by) | {"address": "127.0.0.1", "request": REQUEST, "status": case.status, "permitted": permitted, **case.says}


@pytest.mark.parametrize("case", DONE, ids=lambda case: f"{case.by.name} {case.method} {case.path}")
async def test_what_is_shown_leaves_one_record_with_its_facts(shared: Api, case: Case) -> None:
    before = await records(shared)
    answer = await shared.as_(case.by).request(case.method, case.path, case.body, headers=WITH_NUMBER)
    assert answer.status == case.status, answer.body
    assert [said(each) for each in await since(shared, before)] == [expected(case, permitted=True)]


@pytest.mark.parametrize("case", DENIED, ids=lambda case: f"{case.by.name} {case.method} {case.path} {case.status}")
async def test_what_is_refused_leaves_one_record_of_what_was_asked(shared: Api, case: Case) -> None:
    before = await records(shared)
    answer = await shared.as_(case.by).request(case.method, case.path, case.body, headers=WITH_NUMBER)
    assert answer.status == case.status, answer.body
    assert [said(each) for each in await since(shared, before)] == [expected(case, permitted=False)]


async def test_what_is_hidden_leaves_the_record_that_what_is_absent_leaves(shared: Api) -> None:
    leo = shared.as_(LEO)
    for method, path, body in (
        ("GET", "Observation/{}", None),
        ("GET", "Observation/{}/_history", None),
        ("GET", "Observation/{}/_history/1", None),
        ("DELETE", "Observation/{}", None),
        ("PUT", "Observation/{}", observation()),
        ("GET", "Observation?_id={}", None),
    ):
        told: list[dict[str, Any]] = []
        for id in ("o-ana-mood", "x-ana-mood"):
            before = await records(shared)
            await leo.request(method, path.format(id), body and body | {"id": id}, headers=WITH_NUMBER)
            [facts] = await since(shared, before)
            told.append(said(facts) | {"token": ""})
        hidden, absent = (str(each).replace("o-ana-mood", "x-ana-mood") for each in told)
        assert hidden == absent


async def test_who_has_no_valid_token_is_recorded_as_nobody(shared: Api) -> None:
    before = await records(shared)
    assert (await shared.as_(None).get("Patient/ana")).status == 401
    assert (await shared.as_(None).get("Patient/ana", headers={"authorization": "Bearer e.e.e"})).status == 401
    for facts in await since(shared, before):
        assert (facts.status, facts.permitted, facts.holder, facts.token, facts.data) == (401, False, "", "", ())
    assert len(await since(shared, before)) == 2


async def test_the_capabilities_are_everybodys_and_leave_no_record(shared: Api) -> None:
    before = await records(shared)
    assert (await shared.as_(None).get("metadata")).status == 200
    assert await since(shared, before) == []


async def test_each_version_that_is_written_has_its_record(shared: Api) -> None:
    maya, before = shared.as_(MAYA), await records(shared)
    made = await maya.post("Observation", observation(), headers=WITH_NUMBER | {"if-none-exist": "identifier=x|1"})
    path = f"Observation/{made.json['id']}"
    assert (await maya.put(path, observation(id=made.json["id"], value=6))).status == 200
    assert (await maya.patch(path, [{"op": "replace", "path": "/valueInteger", "value": 7}])).status == 200
    assert (await maya.delete(path)).status == 204
    found = await since(shared, before)
    actions = enumerate(("create", "update", "patch", "delete"), start=1)
    assert [(one.action, one.data, one.patients) for one in found] == [
        (action, (f"{path}/_history/{version}",), ("ana",)) for version, action in actions
    ]
    assert b64decode(found[0].query) == b"Observation?identifier=x|1"
    assert (found[0].status, found[0].request) == (201, REQUEST)


async def test_each_entry_of_a_batch_has_its_record_and_the_batch_too(shared: Api) -> None:
    before = await records(shared)
    urls = ("Patient/ana", "Patient/ben", "Account/1")
    requests = [{"request": {"method": "GET", "url": url}} for url in urls]
    made = {"resource": observation(), "request": {"method": "POST", "url": "Observation"}}
    answer = await shared.as_(MAYA).post("", bundle("batch", *requests, made))
    assert answer.status == 200
    found = await since(shared, before)
    told = sorted((one.action, one.status, one.patients) for one in found)
    assert told == [("batch", 200, ()), ("batch", 404, ()), ("create", 201, ("ana",)), ("read", 200, ("ana",)), ("read", 404, ())]


async def test_each_entry_of_a_transaction_has_its_record_and_a_failed_one_leaves_one(shared: Api) -> None:
    made = {"resource": observation(), "request": {"method": "POST", "url": "Observation"}}
    read = {"request": {"method": "GET", "url": "Patient/ana"}}
    before = await records(shared)
    assert (await shared.as_(MAYA).post("", bundle("transaction", made, made, read))).status == 200
    assert [one.action for one in await since(shared, before)] == ["create", "create", "read", "transaction"]
    before = await records(shared)
    wrong = {"resource": observation(status="no-such"), "request": {"method": "POST", "url": "Observation"}}
    assert (await shared.as_(MAYA).post("", bundle("transaction", made, wrong))).status == 400
    assert [(one.action, one.status, one.permitted) for one in await since(shared, before)] == [("batch", 400, False)]


async def test_a_page_link_is_recorded_as_the_search_that_it_goes_on_with(shared: Api) -> None:
    maya = shared.as_(MAYA)
    first = await maya.get("Observation", patient="ana", _count=1)
    before = await records(shared)
    assert (await maya.get(first.link("next") or "")).status == 200
    assert (await shared.as_(LEO).get(first.link("next") or "")).status == 400
    followed, stolen = await since(shared, before)
    assert b64decode(followed.query) == b"Observation?patient=ana&_count=1"
    assert b64decode(stolen.query) == b"Observation?_page="


async def test_what_a_client_sees_of_their_own_is_no_disclosure(shared: Api) -> None:
    before = await records(shared)
    assert (await shared.as_(APP_ANA).get("Patient/ana")).status == 200
    assert [one.kind for one in await since(shared, before)] == ["rest"]


async def test_no_record_holds_what_a_resource_says(api: Api) -> None:
    ruth = api.as_(RUTH)
    narrative = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Hidden</div>'}
    secret = note(description="A secret of hers", text=narrative)
    assert (await ruth.post("Observation", observation(by="ruth", note=[{"text": "A secret of hers"}]))).status in {201, 403}
    await api.as_(MAYA).post("DocumentReference", secret)
    for path in ("Patient", "Observation", "DocumentReference", "Condition", "Patient/ana", "Condition?patient=ana", "_history"):
        await ruth.get(path)
    text = b"".join(bytes(body) for (body,) in await rows(api, "SELECT body FROM audit_record"))
    for word in (b"secret", b"Morales", b"Ana", b"F43", b"div", b"display", b"valueInteger", b"mood"):
        assert word not in text.replace(b"o-ana-mood", b""), word


@pytest.mark.parametrize("table", ["audit_record", "audit_link"])
async def test_without_its_record_nothing_is_shown(api: Api, table: str) -> None:
    ruth, maya = api.as_(RUTH), api.as_(MAYA)
    assert (await ruth.get("Patient/ana")).status == 200
    await tamper(api, f"ALTER TABLE {table} RENAME TO away")
    for client, path in ((ruth, "Patient/ana"), (ruth, "Observation?patient=ana"), (maya, "Patient/ben"), (maya, "Patient?no-such=1")):
        answer = await client.get(path)
        assert (answer.status, answer.issue) == (503, ("error", "transient"))
        assert b"Morales" not in answer.body
        assert b"audit" not in answer.body
    reads = bundle("batch", {"request": {"method": "GET", "url": "Patient/ana"}})
    assert (await ruth.post("", reads)).status == 503
    await tamper(api, f"ALTER TABLE away RENAME TO {table}")
    assert (await ruth.get("Patient/ana")).status == 200


async def test_without_its_record_nothing_is_written(api: Api) -> None:
    maya = api.as_(MAYA)
    there = (await maya.get("Observation", _total="accurate")).json["total"]
    await tamper(api, "ALTER TABLE audit_record RENAME TO away")
    answer = await maya.post("Observation", observation())
    assert (answer.status, answer.issue) == (503, ("error", "transient"))
    made = {"resource": observation(), "request": {"method": "POST", "url": "Observation"}}
    assert (await maya.post("", bundle("transaction", made, made))).status == 503
    await tamper(api, "ALTER TABLE away RENAME TO audit_record")
    assert (await maya.get("Observation", _total="accurate")).json["total"] == there


async def test_a_write_whose_link_fails_is_answered_as_done_and_linked_later(api: Api) -> None:
    maya = api.as_(MAYA)
    assert (await maya.get("Patient/ana")).status == 200
    await tamper(api, "ALTER TABLE audit_link RENAME TO away")
    made = await maya.post("Observation", observation())
    assert made.status == 201
    await tamper(api, "ALTER TABLE away RENAME TO audit_link")
    unlinked = "SELECT count(*) FROM audit_record WHERE id NOT IN (SELECT id FROM audit_link)"
    assert [tuple(row) for row in await rows(api, unlinked)] == [(1,)]
    api.clock.move(seconds=600)
    assert (await maya.get("Patient/ana")).status == 200
    assert [tuple(row) for row in await rows(api, unlinked)] == [(0,)]


async def test_many_requests_at_once_share_a_commit(api: Api) -> None:
    maya = Direct(api).as_(MAYA)
    assert (await maya.request("GET", "Patient/ana")).status == 200
    before = await records(api)
    with api.statements() as asked:
        answers = await asyncio.gather(*(maya.request("GET", "Patient/ana") for _ in range(200)))
    assert {answer.status for answer in answers} == {200}
    assert len(await since(api, before)) == 200
    assert 1 <= sum(_commits(one) for one in asked) <= 50


def _commits(one: Asked) -> bool:
    return "INSERT INTO audit_link" in one.sql or one.sql == "COPY audit_link"


async def test_the_log_takes_no_change(api: Api) -> None:
    await api.as_(MAYA).get("Patient/ana")
    store = api.running.server.store
    for table in ("audit_record", "audit_link", "audit_anchor"):
        for change in (f"DELETE FROM {table}", f"UPDATE {table} SET {'stamp' if table != 'audit_link' else 'place'} = 1"):
            with pytest.raises(Exception, match="never changed"):
                async with store.appending() as connection:
                    await connection.execute(change)


@pytest.mark.parametrize("caller", [MAYA, RUTH, SAM, KIM], ids=lambda caller: caller.name)
async def test_nobody_writes_an_audit_event(api: Api, caller: Caller) -> None:
    await api.as_(MAYA).get("Patient/ana")
    event = (await api.as_(SAM).get("AuditEvent")).matches[0]
    client = api.as_(caller)
    path = f"AuditEvent/{event['id']}"
    for method, where in (("POST", "AuditEvent"), ("PUT", path), ("PATCH", path), ("DELETE", path)):
        assert (await client.request(method, where, event if method != "DELETE" else None)).status in {403, 405}, method
    entry = {"resource": event, "request": {"method": "POST", "url": "AuditEvent"}}
    assert (await client.post("", bundle("transaction", entry))).status in {403, 405}
    assert load(dump((await api.as_(SAM).get(path)).json)) == event
