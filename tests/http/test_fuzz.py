"""Whatever is sent, the answer is an answer: never a failure of the server's, and every refusal an OperationOutcome."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recovery_api.fhir.json import JsonObject, dump
from recovery_api.fhir.search.parameters import ParameterTable
from tests.api import Api, Response
from tests.callers import APP_ANA, CHEN, KIM, MAYA, RUTH, SAM, SYS_LAKESIDE, SYS_RIVERBEND, Caller
from tests.contract.direct import Direct
from tests.http.resources import bundle, note, observation, patient, post, referral, session

CALLERS = (RUTH, MAYA, CHEN, APP_ANA, SAM, KIM, SYS_LAKESIDE, SYS_RIVERBEND)
TYPES = ("Patient", "Observation", "Encounter", "DocumentReference", "Binary", "Task", "CareTeam", "Group", "ValueSet", "Bundle", "Nothing")
IDS = ("ana", "e-ana-1", "o-ana-mood", "d-ana-2", "b-ana-1", "ct-ana", "task-ls-401", "riverbend", "absent", "x" * 65, "A.b-c")
URN = "urn:uuid:00000000-0000-4000-8000-000000000001"
TRACES = (b"Traceback", b"sqlite", b"asyncpg", b"SELECT", b".py", b"/work", b"postgres")

fuzzed = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module")
def server(shared: Api) -> Direct:
    return Direct(shared)


def is_sound(answer: Response, method: str) -> None:
    assert answer.status < 500, answer.body
    assert not any(trace in answer.body for trace in TRACES) or answer.status < 400, answer.body
    if answer.status >= 400 and method != "HEAD":
        assert answer.headers["content-type"] == "application/fhir+json;charset=utf-8"
        assert answer.json["resourceType"] == "OperationOutcome"
        assert all({"severity", "code"} <= issue.keys() for issue in answer.json["issue"])


# What is sent ---------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ODD = (
    "", " ", "\0", "'", '"', "\\", "%", "%00", "*", "..", "$", "|", ",", "a|b|c|d", "\u202e", "é", "\U0001f600", "x" * 5000, "null",
    "true", "-1", "0", "1e400", "1e-400", "9" * 400, "NaN", "2026-11-10", "2026-13-45", "0000", "9999-12-31T23:59:60.999999999Z",
    "urn:uuid:x", "Patient/ana", "http://127.0.0.1:8000/fhir/Patient/ana", "ge2026", "ap1e2", "5.4|http://unitsofmeasure.org|mg", "1||",
    "{", 'W/"1"',
)  # fmt: skip
odd = st.sampled_from(ODD)
words = odd | texts
numbers = st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.sampled_from([2**63, -(2**63), 10**400, 2**31])
scalars = st.none() | st.booleans() | numbers | words
names = st.sampled_from(
    ["resourceType", "id", "meta", "text", "div", "status", "code", "coding", "subject", "reference", "extension", "url", "valueString",
     "valueQuantity", "contained", "identifier", "period", "start", "_status", "participant", "content", "entry", "request", "method"]
) | words  # fmt: skip
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=12)

WHOLE: Sequence[JsonObject] = (
    session(), observation(), note(), patient(), referral(),
    bundle("batch", post(observation()), {"request": {"method": "GET", "url": "Patient/ana"}}),
    bundle("transaction", post(session(), full_url=URN), post(observation(), ifNoneExist="code=x")),
    {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": observation()}, {"name": "mode", "valueCode": "create"}]},
    {
        "resourceType": "Parameters",
        "parameter": [{"name": "operation", "part": [
            {"name": "type", "valueCode": "replace"},
            {"name": "path", "valueString": "Observation.status"},
            {"name": "value", "valueCode": "final"},
        ]}],
    },
)  # fmt: skip
PATCHES: Sequence[Any] = (
    [{"op": "replace", "path": "/status", "value": "final"}],
    [{"op": "move", "from": "/code", "path": "/category/0"}],
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values within a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, child in inner for place in places(child, (*path, name)))]


@st.composite
def broken(draw: st.DrawFn, whole: Sequence[Any] = WHOLE) -> Any:
    """Something right, with something else in one or two of its places."""
    value = [copy.deepcopy(draw(st.sampled_from(whole)))]
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.sampled_from([each for each in places(value) if each]))
        holder: Any = value
        for name in place[:-1]:
            holder = holder[name]
        holder[place[-1]] = draw(values)
    return value[0]


deep = st.builds(lambda n, member: b'{"%s":' % member * n + b"1" + b"}" * n, st.integers(1, 3000), st.sampled_from([b"a", b"extension"]))
bodies = broken().map(dump) | values.map(dump) | st.binary(max_size=40) | deep
last = ("_history", "_search", "metadata", "$validate", "$nothing", "*", "1", "0", "99999999999999999999")
segments = st.sampled_from([*TYPES, *IDS, *last]) | words
paths = st.lists(segments, max_size=5).map("/".join)
targets = st.builds(
    lambda *parts: "/".join(part for part in parts if part),
    st.sampled_from(TYPES),
    st.sampled_from(("", *IDS)),
    st.sampled_from(("", "_history", "_history/1", "_history/x", "$validate", "_search", "*", "Observation")),
)
TABLE = ParameterTable()


def written(pairs: Sequence[tuple[str, str]]) -> str:
    return "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)


RESULTS = (
    "_sort", "_count", "_include", "_revinclude", "_total", "_summary", "_elements", "_type", "_format", "_pretty", "_since", "_at",
    "_page", "_has:Observation:patient:code", "_filter",
)  # fmt: skip
MODIFIERS = (
    "", ":exact", ":contains", ":not", ":missing", ":text", ":in", ":of-type", ":identifier", ":above", ":below", ":iterate", ":Patient",
    ":Patient.name", ".name", ".birthdate", ".patient.link.name", ":x",
)  # fmt: skip
known = st.sampled_from(sorted({*RESULTS, *(code for kind in TYPES[:9] for code in TABLE[kind])}))
modifiers = st.sampled_from(MODIFIERS)
parameters = st.tuples(st.builds(str.__add__, known, modifiers) | words, words | st.lists(words, max_size=3).map(",".join))
queries = st.lists(parameters, max_size=3).map(written) | words
latin = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=12)
HEADERS = (
    "if-match", "if-none-match", "if-modified-since", "if-none-exist", "prefer", "accept", "content-type", "accept-encoding",
)  # fmt: skip
SAID = (
    'W/"1"', 'W/"99999999999999999999"', "*", "return=minimal", "handling=lenient", "application/json", "application/json-patch+json",
    "application/x-www-form-urlencoded", "gzip;q=x", "Tue, 10 Nov 2026 12:00:00 GMT", "code=x", "a;b=c;q=,",
)  # fmt: skip
headers = st.dictionaries(st.sampled_from(HEADERS), latin | st.sampled_from(SAID), max_size=3)
callers = st.sampled_from(CALLERS)
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", ""])
patched = st.sampled_from(["Observation/o-ana-2-mood", "Encounter/e-ana-2", "Patient/ana", "Observation?code=mood"])


async def send(
    server: Direct, caller: Caller, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> None:
    is_sound(await server.as_(caller).request(method, path, body, headers=headers), method)


@fuzzed
@given(callers, methods, paths | targets, queries, bodies, headers)
async def test_no_request_makes_the_server_fail(
    server: Direct, caller: Caller, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]
) -> None:
    await send(server, caller, method, f"{path.replace('?', '')}?{query}", body, headers)


@fuzzed
@given(callers, st.sampled_from(TYPES[:9]), st.lists(parameters, min_size=1, max_size=3), st.sampled_from(["", "_history", "Patient/ana"]))
async def test_no_search_makes_the_server_fail(
    server: Direct, caller: Caller, kind: str, pairs: list[tuple[str, str]], where: str
) -> None:
    query = written(pairs)
    path = f"{where}/{kind}" if where == "Patient/ana" else f"{kind}/{where}" if where else kind
    await send(server, caller, "GET", f"{path}?{query}")
    await send(server, caller, "POST", f"{kind}/_search", query.encode(), {"content-type": "application/x-www-form-urlencoded"})


@fuzzed
@given(st.sampled_from((MAYA, RUTH, KIM, SYS_LAKESIDE)), broken(), headers)
async def test_no_resource_makes_the_server_fail(server: Direct, caller: Caller, resource: Any, headers: Mapping[str, str]) -> None:
    body = dump(resource)
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    kind = kind if kind in TYPES or kind == "Parameters" else "Observation"
    if kind in {"Bundle", "Parameters"}:
        await send(server, caller, "POST", "" if kind == "Bundle" else "Observation/$validate", body, headers)
        await send(server, caller, "PATCH", "Observation/o-ana-2-mood", body)
        return
    id = {"Encounter": "e-ana-2", "Observation": "o-ana-2-mood", "DocumentReference": "d-ana-2"}.get(kind, "ana")
    await send(server, caller, "POST", kind, body, headers)
    await send(server, caller, "PUT", f"{kind}/{id}", body, headers)
    await send(server, caller, "POST", f"{kind}/$validate", body)


@fuzzed
@given(st.sampled_from((MAYA, RUTH)), broken(PATCHES), patched)
async def test_no_patch_makes_the_server_fail(server: Direct, caller: Caller, patch: Any, target: str) -> None:
    await send(server, caller, "PATCH", target, dump(patch), {"content-type": "application/json-patch+json"})
