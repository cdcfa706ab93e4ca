"""What callers accept, send and are told: formats, media types, CORS, gzip, methods (https://hl7.org/fhir/R4/http.html#mime-type)."""

import gzip

import httpx
import pytest

from tests.api import Api
from tests.callers import MAYA, RUTH
from tests.http.resources import note, observation

JSON = "application/fhir+json"


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (JSON, 200),
        ("application/json", 200),
        ("text/json", 200),
        ("*/*", 200),
        ("application/*", 200),
        (f"{JSON}; fhirVersion=4.0", 200),
        ("application/fhir+xml, application/fhir+json;q=0.5", 200),
        ("text/html, */*;q=0.1", 200),
        ("application/fhir+xml", 406),
        ("application/xml", 406),
        ("text/html", 406),
        ("text/turtle", 406),
        (f"{JSON}; fhirVersion=3.0", 406),
        (f"{JSON}; fhirVersion=5.0", 406),
        (f"{JSON};q=0", 406),
    ],
)
async def test_only_fhir_json_of_version_4_is_served(shared: Api, accept: str, status: int) -> None:
    """L19: Accept."""
    for path in ("Patient/ana", "Patient", "metadata"):
        answer = await shared.as_(RUTH).get(path, headers={"accept": accept})
        assert answer.status == status
        assert answer.headers["content-type"].startswith(JSON)
        assert status == 200 or answer.json["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("json", 200),
        (JSON, 200),
        ("application/fhir%2Bjson", 200),
        ("application/json", 200),
        ("xml", 406),
        ("application/fhir+xml", 406),
        ("application/fhir%2Bxml", 406),
    ],
)
async def test_format_in_the_address_wins_over_the_header(shared: Api, value: str, status: int) -> None:
    for accept in (JSON, "application/fhir+xml"):
        answer = await shared.as_(RUTH).get(f"Patient/ana?_format={value}", headers={"accept": accept})
        assert answer.status == status


async def test_pretty_is_for_people_and_changes_nothing_else(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    plain, pretty = await ruth.get("Patient/ana"), await ruth.get("Patient/ana?_pretty=true")
    assert b"\n" not in plain.body
    assert b"\n  " in pretty.body
    assert plain.json == pretty.json
    found = await ruth.get("Patient?_pretty=true&_format=json")
    assert b"\n" in found.body
    assert found.link("self") == "http://127.0.0.1:8000/fhir/Patient"
    assert (await ruth.get("Patient/ana?_pretty=perhaps")).status == 400


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (JSON, 201),
        ("application/json", 201),
        (f"{JSON}; charset=UTF-8; fhirVersion=4.0", 201),
        ("application/fhir+xml", 415),
        ("application/xml", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        (f"{JSON}; charset=latin-1", 415),
        (f"{JSON}; fhirVersion=3.0", 415),
        ("", 415),
    ],
)
async def test_a_body_says_that_it_is_fhir_json(shared: Api, kind: str, status: int) -> None:
    answer = await shared.as_(MAYA).post("Observation", observation(), headers={"content-type": kind})
    assert answer.status == status, answer.body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"resourceType":"Observation","resourceType":"Observation"}',
        b'{"resourceType":"Observation","valueInteger":NaN}',
        b'{"resourceType":"Observation","valueQuantity":{"value":Infinity}}',
        b'{"resourceType":"Observation",}',
        b'{"status":"final"}',
        b'{"resourceType":"Observation"}',
        b'{"resourceType":"Nothing"}',
        b'{"resourceType":["Observation"]}',
        b'{"resourceType":"Observation","extension":' + b'[{"extension":' * 70 + b"[]" + b"}]" * 70 + b"}",
    ],
)
async def test_a_body_that_is_no_such_resource_is_a_bad_request(shared: Api, body: bytes) -> None:
    """L19: what can't be read."""
    answer = await shared.as_(RUTH).post("Observation", body)
    assert (answer.status, answer.json["resourceType"]) == (400, "OperationOutcome")


async def test_a_body_beyond_the_bound_is_too_large_however_it_is_sent(shared: Api) -> None:
    maya = shared.as_(MAYA)
    large = b'{"resourceType":"Observation","note":[{"text":"' + b"x" * (16 << 20) + b'"}]}'
    assert (await maya.post("Observation", large)).status == 413
    headers = {"authorization": f"Bearer {shared.token(MAYA)}", "content-type": JSON}

    async def chunks():  # noqa: ANN202
        for start in range(0, len(large), 1 << 20):
            yield large[start : start + (1 << 20)]

    assert (await shared.http.post("Observation", content=chunks(), headers=headers)).status_code == 413


async def test_every_problem_of_a_body_is_reported_at_once_with_its_place(shared: Api) -> None:
    bad = observation(status="done", effectiveDateTime="yesterday", colour="blue", valueInteger="five") | {"code": []}
    answer = await shared.as_(MAYA).post("Observation", bad)
    assert answer.status == 400
    assert answer.places >= {"Observation.status", "Observation.colour", "Observation.code"}
    assert len(answer.places) >= 5


@pytest.mark.parametrize(
    "div",
    [
        "<script>alert(1)</script>",
        '<p onclick="x()">a</p>',
        '<a href="javascript:x()">a</a>',
        '<iframe src="https://elsewhere.example"></iframe>',
        "<form><input/></form>",
        '<img src="https://elsewhere.example/pixel.png" onerror="x()"/>',
        "<p>not closed",
        "<object></object>",
    ],
)
async def test_a_narrative_that_does_more_than_show_is_refused_with_its_place(shared: Api, div: str) -> None:
    text = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{div}</div>'}
    answer = await shared.as_(MAYA).post("Observation", observation(text=text))
    assert (answer.status, answer.places) == (422, {"Observation.text.div"})


async def test_an_invariant_that_is_broken_is_named_by_its_key(shared: Api) -> None:
    answer = await shared.as_(MAYA).post("Observation", observation(dataAbsentReason={"text": "unknown"}))
    assert (answer.status, answer.keys) == (422, {"obs-6"})


# What stands around the answer -------------------------------------------------------------------------------------------


async def test_large_answers_are_gzipped_for_those_who_take_it(shared: Api) -> None:
    headers = {"authorization": f"Bearer {shared.token(RUTH)}", "accept-encoding": "gzip"}
    async with shared.http.stream("GET", "Observation", headers=headers) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == "gzip"
        assert "Accept-Encoding" in answer.headers["vary"]
        assert len(raw) == int(answer.headers["content-length"])
    assert b"searchset" in gzip.decompress(raw)
    plain = await shared.as_(RUTH).get("Observation", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize("refused", ["gzip;q=0", "identity, gzip;q=0.0", "br"])
async def test_gzip_is_not_sent_to_those_who_refuse_it(shared: Api, refused: str) -> None:
    answer = await shared.as_(RUTH).get("Observation", headers={"accept-encoding": refused})
    assert "content-encoding" not in answer.headers


async def test_any_origin_may_ask_from_a_browser(shared: Api) -> None:
    origin = {"origin": "https://app.example"}
    for path in ("metadata", "Patient/ana", "Patient/none"):
        answer = await shared.as_(RUTH).get(path, headers=origin)
        assert answer.headers["access-control-allow-origin"] in {"*", origin["origin"]}
        exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
        assert exposed >= {"ETag", "Location", "Last-Modified", "Content-Location"}


@pytest.mark.parametrize("path", ["Patient/ana", "Patient", "metadata", ""])
async def test_options_answers_a_preflight_without_a_token(shared: Api, path: str) -> None:
    """L23: OPTIONS."""
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "PUT",
        "access-control-request-headers": "authorization, if-match",
    }
    answer = await shared.as_(None).request("OPTIONS", path, headers=asked)
    assert answer.status in {200, 204}
    assert answer.headers["access-control-allow-origin"] == "*"
    assert {"PUT", "PATCH", "DELETE"} <= {name.strip() for name in answer.headers["access-control-allow-methods"].split(",")}
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert {"authorization", "if-match", "prefer", "content-type", "if-none-exist"} <= allowed


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "Patient/ana"),
        ("PUT", "metadata"),
        ("DELETE", "Patient/ana/_history"),
        ("PUT", "Patient/ana/_history/1"),
        ("POST", "Patient/ana/_history/1"),
        ("PATCH", "_history"),
        ("PUT", ""),
        ("POST", "metadata"),
        ("TRACE", "Patient/ana"),
    ],
)
async def test_a_method_that_an_address_does_not_have_is_not_allowed(shared: Api, method: str, path: str) -> None:
    answer = await shared.as_(RUTH).request(method, path, observation() if method in {"POST", "PUT"} else None)
    assert (answer.status, answer.json["resourceType"]) == (405, "OperationOutcome")


async def test_every_answer_has_the_same_plain_headers(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    for answer in (await ruth.get("Patient/ana"), await ruth.get("Patient/none"), await ruth.get("Patient?no-such=1")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["vary"].startswith("Authorization")


async def test_a_post_search_takes_a_form_and_nothing_else(shared: Api) -> None:
    ruth = shared.as_(RUTH)
    assert (await ruth.form("Patient/_search", name="ana")).ids == {"ana"}
    assert (await ruth.post("Patient/_search", note())).status == 415
    both = await ruth.request(
        "POST", "Patient/_search?gender=female", b"name=ana", headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert both.ids == {"ana"}


async def test_an_unexpected_path_below_the_host_is_not_fhirs(shared: Api) -> None:
    async with httpx.AsyncClient(base_url=str(shared.http.base_url).removesuffix("fhir/")) as http:
        assert (await http.get("/fhirs/Patient")).status_code == 404
