"""Which answer wins where several would do, and that absent and hidden get the same one (interfaces.md, order of answers)."""
import re
from typing import Any

import pytest

from recovery_api.fhir.json import JsonObject
from tests.api import Api, Client, Response
from tests.callers import APP_ANA, CHEN, LEO, MAYA, NOOR, OMAR, PATEL, SYS_LAKESIDE, SYS_RIVERBEND, Caller, system
from tests.http.resources import bundle, note, observation, referral

HARBOR = system("sys-harbor-referrer", "referrer", "org-harbor")
STALE = {"if-match": 'W/"9"'}
READ_ONLY = "recovery/companion user/*.rs"
BAD = {"resourceType": "Observation", "status": "no-such-status"}


def broken(**more: Any) -> JsonObject:
    """Well-structured, against an invariant, of a session note's author."""
    return observation(dataAbsentReason={"text": "unknown"}) | more


async def test_a_missing_or_bad_token_is_the_first_thing_that_is_said(shared: Api) -> None:
    nobody, forger = shared.as_(None), Client(shared.http, "no.such.token")
    for client in (nobody, forger):
        for method, path, body in (
            ("GET", "Patient/ana", None),
            ("GET", "NoSuchType/1", None),
            ("GET", "Patient?no-such=1", None),
            ("GET", "Patient?_format=xml", None),
            ("GET", "Patient?_pretty=maybe", None),
            ("GET", "", None),
            ("POST", "", b"{"),
            ("POST", "Patient", b"<xml/>"),
            ("PUT", "Patient/ana", b"{"),
            ("DELETE", "Patient/ana/_history", None),
            ("POST", "Patient/$validate", b"{"),
        ):
            answer = await client.request(method, path, body, headers={"prefer": "return=everything"})
            assert (answer.status, answer.issue) == (401, ("error", "login")), (method, path)
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await nobody.get("metadata")).status == 200


@pytest.mark.parametrize("id", ["o-ana-mood", "o-ben-mood", "absent"])
async def test_what_no_scope_allows_is_forbidden_before_anything_is_looked_up(shared: Api, id: str) -> None:
    reader = shared.as_(MAYA, scopes=READ_ONLY)
    writer = shared.as_(MAYA, scopes="recovery/companion user/*.cud")
    answers = [
        await reader.put(f"Observation/{id}", BAD | {"id": id}, headers=STALE),
        await reader.put(f"Observation/{id}", b"{", headers=STALE),
        await reader.patch(f"Observation/{id}", [], headers=STALE),
        await reader.delete(f"Observation/{id}"),
        await reader.post("Observation", BAD),
        await writer.get(f"Observation/{id}"),
        await writer.get(f"Observation/{id}/_history/1"),
        await writer.get(f"Observation/{id}/_history"),
        await writer.get(f"Observation?_id={id}"),
        await writer.get("Observation?no-such=1"),
        await writer.put(f"Observation?_id={id}", observation()),
        await writer.post("Observation", observation(), headers={"if-none-exist": f"_id={id}"}),
    ]
    assert [answer.status for answer in answers] == [403] * len(answers)


@pytest.mark.parametrize(
    ("caller", "method", "path", "body"),
    [
        (MAYA, "POST", "Consent", {"resourceType": "Consent"}),
        (MAYA, "DELETE", "Patient/absent", None),
        (CHEN, "PUT", "Observation/absent", BAD),
        (SYS_RIVERBEND, "POST", "Observation", BAD),
        (SYS_LAKESIDE, "GET", "Patient/absent", None),
        (SYS_LAKESIDE, "GET", "Patient?no-such=1", None),
        (APP_ANA, "PATCH", "Encounter/absent", []),
    ],
)
async def test_what_the_role_may_never_do_is_forbidden_before_anything_is_looked_up(
    shared: Api, caller: Caller, method: str, path: str, body: Any
) -> None:
    assert (await shared.as_(caller).request(method, path, body)).status == 403


async def test_not_there_comes_before_stale_and_before_malformed(shared: Api) -> None:
    maya = shared.as_(MAYA)
    for id in ("absent", "o-ben-mood"):
        for body in (b"{", BAD | {"id": id}, broken(id=id)):
            assert (await maya.put(f"Observation/{id}", body, headers=STALE)).status == 405
        assert (await maya.patch(f"Observation/{id}", [], headers=STALE)).status == 404
        assert (await maya.delete(f"Observation/{id}", headers=STALE)).status == 404
        assert (await maya.delete(f"Observation/{id}", headers={"if-match": "malformed"})).status == 404


async def test_not_writable_comes_before_stale_stale_before_structure_and_structure_before_rules(shared: Api) -> None:
    maya = shared.as_(MAYA)
    signed = (await maya.get("DocumentReference/d-ana-1")).json
    assert (await maya.put("DocumentReference/d-ana-1", signed | {"status": "no-such"}, headers=STALE)).status == 403
    assert (await maya.patch("DocumentReference/d-ana-1", [{"op": "remove", "path": "/status"}], headers=STALE)).status == 403
    assert (await maya.delete("DocumentReference/d-ana-1", headers=STALE)).status == 403
    draft = (await maya.post("DocumentReference", note())).json
    path = f"DocumentReference/{draft['id']}"
    for body in (draft | {"status": "no-such"}, b"{"):
        assert (await maya.put(path, body, headers=STALE)).status == 412
    assert (await maya.patch(path, b"{", headers=STALE | {"content-type": "application/json-patch+json"})).status == 412
    unsafe = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><script/></div>'}
    assert (await maya.put(path, draft | {"status": "no-such", "text": unsafe})).status == 400
    assert (await maya.put(path, draft | {"text": unsafe})).status == 422


async def test_a_broken_rule_comes_before_an_illegal_change_of_state(shared: Api) -> None:
    maya = shared.as_(MAYA)
    path = "Encounter/e-ana-1"
    made = (await maya.get(path)).json
    unsafe = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><script/></div>'}
    assert (await maya.put(path, made | {"status": "planned", "text": unsafe})).status == 422
    answer = await maya.put(path, made | {"status": "planned"})
    assert (answer.status, answer.keys) == (409, {"session-move"})


# The same answer for absent and hidden -----------------------------------------------------------------------------------

DOORS = [
    ("GET", "{type}/{id}", None),
    ("HEAD", "{type}/{id}", None),
    ("GET", "{type}/{id}/_history", None),
    ("GET", "{type}/{id}/_history/1", None),
    ("GET", "{type}/{id}/_history/2", None),
    ("PUT", "{type}/{id}", "put"),
    ("PATCH", "{type}/{id}", "patch"),
    ("DELETE", "{type}/{id}", None),
    ("GET", "{type}/{id}/$validate", None),
    ("POST", "{type}/{id}/$validate", "put"),
    ("GET", "{type}/{id}/$meta", None),
    ("GET", "Patient/{id}/$everything", None),
    ("GET", "Patient/{id}/$disclosure-accounting", None),
    ("GET", "{type}?_id={id}", None),
    ("GET", "Patient/{id}/Observation", None),
    ("GET", "Patient/{id}/*", None),
    ("GET", "Observation?subject=Patient/{id}", None),
    ("GET", "Observation?encounter={id}", None),
    ("GET", "Provenance?target={type}/{id}", None),
    ("GET", "Observation?_has:Provenance:target:_id={id}", None),
]
HIDDEN: list[tuple[Caller, str, str]] = [
    (MAYA, "Patient", "ben"),
    (MAYA, "Observation", "o-ben-mood"),
    (MAYA, "Encounter", "e-ben-1"),
    (MAYA, "DocumentReference", "d-ben-1"),
    (LEO, "Patient", "ana"),
    (OMAR, "Task", "task-checkin-maya"),
    (CHEN, "DocumentReference", "d-ana-2"),
    (CHEN, "Patient", "dan"),
    (SYS_RIVERBEND, "Patient", "eve"),
    (PATEL, "Patient", "ana"),
    (NOOR, "Patient", "ana"),
    (APP_ANA, "DocumentReference", "d-ana-2"),
    (APP_ANA, "Patient", "ben"),
    (SYS_LAKESIDE, "Task", "task-review-ana-1"),
]


def _said(answer: Response, id: str) -> tuple[int, bytes, dict[str, str]]:
    """All of an answer but the id that was asked for, and what is never twice the same: Bundle ids and request ids."""
    headers = {name: value for name, value in answer.headers.items() if name not in {"date", "x-request-id", "content-length"}}
    body = re.sub(rb"\b%s\b" % id.encode(), b"ID", answer.body)
    if answer.status == 200 and body:
        bundle_id = answer.json.get("id", "")
        body = body.replace(bundle_id.encode(), b"BUNDLE") if bundle_id else body
    return answer.status, body, headers


@pytest.mark.parametrize(("caller", "kind", "id"), HIDDEN, ids=lambda value: getattr(value, "name", value))
async def test_hidden_and_absent_get_the_same_answer_at_every_door(shared: Api, caller: Caller, kind: str, id: str) -> None:
    client = shared.as_(caller)
    absent = "x" * len(id)
    for method, path, body in DOORS:
        said = []
        for each in (id, absent):
            sent: Any = {"put": {"resourceType": kind, "id": each}, "patch": [], None: None}[body]
            headers = {"accept-encoding": "identity"}
            said.append(_said(await client.request(method, path.format(type=kind, id=each), sent, headers=headers), each))
        assert said[0] == said[1], (method, path)
        assert said[0][0] < 500


REFERRAL = referral()["entry"][2]["resource"] | {"requester": {"reference": "Organization/org-harbor"}}
TEXT: JsonObject = {"resourceType": "Binary", "contentType": "text/plain", "data": "QQ=="}
POINTING: list[tuple[Caller, str, str, JsonObject]] = [
    (HARBOR, "sr-ls-401", "focus", REFERRAL | {"for": {"reference": "Patient/eve-ls"}}),
    (HARBOR, "eve-ls", "for", REFERRAL | {"focus": {"reference": "ServiceRequest/sr-ls-401"}}),
    (MAYA, "d-ben-1", "securityContext", TEXT),
    (LEO, "d-ana-1", "securityContext", TEXT),
]
TYPES = {"focus": "ServiceRequest", "for": "Patient", "securityContext": "DocumentReference"}


@pytest.mark.parametrize(("caller", "id", "element", "body"), POINTING, ids=lambda value: value if isinstance(value, str) else "")
async def test_what_points_at_the_hidden_is_refused_like_what_points_at_the_absent(
    shared: Api, caller: Caller, id: str, element: str, body: JsonObject
) -> None:
    said: list[tuple[int, bytes, dict[str, str]]] = []
    for each in (id, "x" * len(id)):
        answer = await shared.as_(caller).post(body["resourceType"], body | {element: {"reference": f"{TYPES[element]}/{each}"}})
        assert (answer.status, answer.keys) == (422, {"reference-exists"})
        said.append(_said(answer, each))
    assert said[0] == said[1]


async def test_hidden_and_absent_are_alike_inside_bundles(shared: Api) -> None:
    maya = shared.as_(MAYA)
    for kind in ("batch", "transaction"):
        for method in ("GET", "PUT", "DELETE"):
            bodies = []
            for id in ("o-ben-mood", "xxxxxxxxxx"):
                entry: JsonObject = {"request": {"method": method, "url": f"Observation/{id}"}}
                entry |= {"resource": observation() | {"id": id}} if method == "PUT" else {}
                answer = await maya.post("", bundle(kind, entry))
                status = answer.status if kind == "transaction" else int(answer.json["entry"][0]["response"]["status"][:3])
                assert status == (405 if method == "PUT" else 404)
                bodies.append(answer.json["issue"] if kind == "transaction" else answer.json["entry"][0]["response"])
            assert bodies[0] == bodies[1]


async def test_gone_is_said_only_to_those_who_could_read_the_last_version(shared: Api) -> None:
    maya = shared.as_(MAYA)
    made = (await maya.post("Observation", observation(status="preliminary"))).json
    await maya.delete(f"Observation/{made['id']}")
    assert (await maya.get(f"Observation/{made['id']}")).status == 410
    for outsider in (LEO, CHEN, SYS_RIVERBEND, APP_ANA):
        answer = await shared.as_(outsider).get(f"Observation/{made['id']}")
        absent = await shared.as_(outsider).get("Observation/absent")
        assert (answer.status, answer.body) == (404, absent.body)
    final = (await maya.post("Observation", observation())).json
    await maya.delete(f"Observation/{final['id']}")
    assert (await shared.as_(CHEN).get(f"Observation/{final['id']}")).status == 410
