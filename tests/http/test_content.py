"""Binaries as they are: raw, in ranges, written as pages, sent as they are; and never more of them than the caller may read."""
import base64
import hashlib
from io import BytesIO
from xml.etree import ElementTree as ET

import pytest
from pypdf import PdfReader

from recovery_api.domain.pages import pdf, plain, xhtml
from recovery_api.domain.pages.page import Block, Kind, Page, from_markdown, from_narrative, from_text
from recovery_api.fhir.media_types import preferred
from tests.api import FHIR_JSON, Api, Response
from tests.audit_log import records
from tests.callers import APP_ANA, CHEN, LEO, MAYA, RUTH, SYS_RIVERBEND, Caller
from tests.http.recorded import made
from tests.http.resources import note

OPENING = "This record which has been disclosed to you is protected by Federal confidentiality rules (42 CFR part 2)."
NOTE, HIDDEN, ABSENT = "Binary/b-ana-1", "Binary/b-cora-2", "Binary/nowhere"
TEXT, PDF, HTML, XHTML = "text/plain", "application/pdf", "text/html", "application/xhtml+xml"


async def got(api: Api, path: str, accept: str = TEXT, by: Caller = SYS_RIVERBEND, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.as_(by).get(path, headers={"accept": accept, **named})


def wire(answer: Response) -> tuple[int, bytes, dict[str, str]]:
    """All of an answer but its request's id."""
    return answer.status, answer.body, {name: value for name, value in answer.headers.items() if name != "x-request-id"}


async def test_a_text_is_served_as_it_is_with_the_notice_at_its_end(shared: Api) -> None:
    inside = await got(shared, NOTE, by=MAYA)
    outside = await got(shared, NOTE)
    assert (inside.status, inside.headers["content-type"], inside.headers["accept-ranges"]) == (200, TEXT, "bytes")
    assert inside.body == base64.b64decode((await shared.as_(MAYA).get(NOTE)).json["data"])
    assert outside.body == base64.b64decode((await shared.as_(SYS_RIVERBEND).get(NOTE)).json["data"])
    assert outside.body.startswith(inside.body)
    assert OPENING in outside.body.decode()
    assert outside.headers["x-redisclosure-notice"] == "42cfr2.32"
    assert "sandbox" in outside.headers["content-security-policy"]
    assert outside.headers["etag"] != inside.headers["etag"]
    version = await got(shared, f"{NOTE}/_history/1")
    assert wire(version) == wire(outside)
    head = await shared.as_(SYS_RIVERBEND).request("HEAD", NOTE, headers={"accept": TEXT, "range": "bytes=0-1"})
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(outside.body)))
    assert head.headers["etag"] == outside.headers["etag"]


@pytest.mark.parametrize(
    ("asked", "status", "start", "stop"),
    [
        ("bytes=0-4", 206, 0, 5),
        ("bytes=5-", 206, 5, None),
        ("bytes=-7", 206, -7, None),
        ("bytes=-999999", 206, 0, None),
        ("bytes=3-999999", 206, 3, None),
        ("bytes=0-0", 206, 0, 1),
        ("bytes=0-1,4-5", 200, 0, None),
        ("bytes=9-3", 200, 0, None),
        ("bytes=-", 200, 0, None),
        ("lines=0-4", 200, 0, None),
        ("bytes=999999-", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
    ],
)
async def test_a_range_counts_over_the_bytes_that_are_served(shared: Api, asked: str, status: int, start: int, stop: int | None) -> None:
    whole = (await got(shared, NOTE)).body
    answer = await got(shared, NOTE, range=asked)
    assert answer.status == status
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(whole)}"
        assert (answer.json["resourceType"], answer.issue) == ("OperationOutcome", ("error", "value"))
        return
    assert answer.body == whole[start:stop]
    if status == 206:
        first = whole.index(answer.body) if start >= 0 else len(whole) + start
        assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.body) - 1}/{len(whole)}"
        assert answer.headers["content-length"] == str(len(answer.body))


async def test_a_range_and_a_copy_that_is_known_go_by_the_strong_etag_of_what_is_served(shared: Api) -> None:
    tag = (await got(shared, NOTE)).headers["etag"]
    assert (await got(shared, NOTE, range="bytes=0-4", if_range=tag)).status == 206
    for other in ('"something-else"', f"W/{tag}", "Tue, 10 Nov 2026 12:00:00 GMT", 'W/"1"'):
        assert (await got(shared, NOTE, range="bytes=0-4", if_range=other)).status == 200
    known = await got(shared, NOTE, if_none_match=f'"x", {tag}')
    assert (known.status, known.body, known.headers["etag"]) == (304, b"", tag)
    assert (await got(shared, NOTE, by=MAYA, if_none_match=tag)).status == 200
    assert (await got(shared, NOTE, if_none_match='W/"1"')).status == 200
    assert (await got(shared, NOTE, PDF, if_none_match=tag)).status == 200


@pytest.mark.parametrize("accept", [FHIR_JSON, TEXT, PDF, HTML, "image/png", "*/*"])
async def test_what_is_hidden_is_answered_byte_for_byte_as_what_is_absent(shared: Api, accept: str) -> None:
    for version in ("", "/_history/1"):
        for more in ({}, {"range": "bytes=0-4"}, {"range": "bytes=99999-"}, {"if_none_match": "*"}):
            hidden = await got(shared, HIDDEN + version, accept, CHEN, **more)
            assert hidden.status == 404
            assert wire(hidden) == wire(await got(shared, ABSENT + version, accept, CHEN, **more))
            assert wire(hidden) == wire(await got(shared, NOTE + version, accept, LEO, **more))
    heads = [await shared.as_(CHEN).request("HEAD", path, headers={"accept": accept}) for path in (HIDDEN, ABSENT)]
    assert wire(heads[0]) == wire(heads[1])
    sent = {"content-type": TEXT, "if-match": 'W/"1"'}
    puts = [await shared.as_(MAYA).put(path, b"Words", headers=sent) for path in ("Binary/b-ben-1", ABSENT)]
    assert (puts[0].status, wire(puts[0])) == (405, wire(puts[1]))


@pytest.mark.parametrize(
    ("accept", "type"),
    [
        ("*/*", FHIR_JSON),
        ("application/json", FHIR_JSON),
        ("application/*", FHIR_JSON),
        ("text/*", TEXT),
        (f"{FHIR_JSON};q=0.5, {TEXT}", TEXT),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", XHTML),
        (f"{PDF}, */*;q=0.1", PDF),
        (f"{FHIR_JSON}; fhirVersion=3.0, {TEXT};q=0.1", TEXT),
        (f"{TEXT};q=0, {PDF};q=0.1", PDF),
    ],
)
async def test_the_caller_says_what_they_would_rather_have(shared: Api, accept: str, type: str) -> None:
    answer = await got(shared, NOTE, accept, RUTH)
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, type)
    assert "Accept" in answer.headers["vary"].split(", ")


async def test_format_says_it_in_the_address_and_what_cant_be_had_is_refused(shared: Api) -> None:
    for said, type in (("application/pdf", PDF), ("application/xhtml+xml", XHTML), ("application/xhtml%2Bxml", XHTML), ("json", FHIR_JSON)):
        assert (await got(shared, f"{NOTE}?_format={said}", "image/png", RUTH)).headers["content-type"].startswith(type)
    for accept in ("image/png", "application/fhir+xml", f"{TEXT};q=0", "text/plain;q=none"):
        refused = await got(shared, NOTE, accept, RUTH)
        assert (refused.status, refused.json["resourceType"]) == (406, "OperationOutcome")
    assert preferred("", (FHIR_JSON,)) is None


async def test_a_note_is_written_as_pdf_with_title_language_and_notice(shared: Api) -> None:
    answer = await got(shared, NOTE, PDF)
    assert answer.body == (await got(shared, NOTE, PDF)).body
    read = PdfReader(BytesIO(answer.body))
    text = " ".join(page.extract_text() for page in read.pages)
    assert (read.metadata and read.metadata.title, read.root_object["/Lang"]) == ("Progress note", "en")
    words = ("Ana", "Maya", "Ruth", "Progress note", "Ana chose to walk to the park", "protected by Federal", "Consent/c-ana")
    for said in words:
        assert said in " ".join(text.split())
    part = await got(shared, NOTE, PDF, range="bytes=0-3")
    assert (part.status, part.body) == (206, b"%PDF")
    inside = PdfReader(BytesIO((await got(shared, NOTE, PDF, MAYA)).body))
    assert "Federal" not in inside.pages[0].extract_text()


@pytest.mark.parametrize("type", [HTML, XHTML])
async def test_a_note_is_written_as_a_page_that_is_well_formed_and_does_nothing(shared: Api, type: str) -> None:
    answer = await got(shared, NOTE, type, APP_ANA)
    assert answer.headers["content-type"] == f"{type}; charset=utf-8"
    page = ET.fromstring(answer.body)
    names = {element.tag.rpartition("}")[2] for element in page.iter()}
    assert names <= {"html", "head", "meta", "title", "style", "body", "main", "h1", "dl", "dt", "dd", "p", "br", "hr"}
    assert page.attrib["lang"] == "en"
    assert "Ana chose to walk" in "".join(page.itertext())


async def test_markdown_is_a_page_of_words_and_other_letters_are_readable(shared: Api) -> None:
    maya = shared.as_(MAYA)
    path = await made(maya, note("ana", url="https://elsewhere.example/x"))
    said = "# Łódź\n\n- Ελλάδα\n- Привет\n\n<script>alert(1)</script> [a](https://x.example) ![b](https://x.example/b.png)\n"
    sent = {"content-type": "text/markdown", "x-security-context": path}
    posted = await maya.post("Binary", said.encode(), headers=sent)
    assert posted.status == 201, posted.body
    place = f"Binary/{posted.json['id']}"
    html = (await got(shared, place, HTML, MAYA)).body.decode()
    assert "<h2>Łódź</h2><ul><li>Ελλάδα</li><li>Привет</li></ul>" in html
    assert "<script" not in html
    assert "<a " not in html
    assert "<img" not in html
    text = PdfReader(BytesIO((await got(shared, place, PDF, MAYA)).body)).pages[0].extract_text()
    assert all(word in text for word in ("Łódź", "Ελλάδα", "Привет", "alert(1)"))
    assert (await got(shared, place, "text/markdown", MAYA)).body.decode() == said


async def test_content_is_sent_as_it_is_and_stays_where_it_belongs(shared: Api) -> None:
    maya = shared.as_(MAYA)
    path = await made(maya, note("ana", url="https://elsewhere.example/x"))
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
    sent = {"content-type": "image/png", "x-security-context": f"{shared.running.server.base}/{path}"}
    posted = await maya.post("Binary", picture, headers=sent)
    assert (posted.status, posted.json["contentType"], posted.json["securityContext"]) == (201, "image/png", {"reference": path})
    place = f"Binary/{posted.json['id']}"
    answer = await got(shared, place, "image/*", MAYA)
    assert (answer.body, answer.headers["content-type"]) == (picture, "image/png")
    assert (await got(shared, place, PDF, MAYA)).status == 406
    put = await maya.put(place, b"New words", headers={"content-type": "text/plain; charset=utf-8", "if-match": 'W/"1"'})
    assert (put.status, put.headers["etag"], put.json["securityContext"]) == (200, 'W/"2"', {"reference": path})
    assert (await got(shared, place, TEXT, MAYA)).headers["content-type"] == "text/plain; charset=utf-8"
    stale = await maya.put(place, b"Other words", headers={"content-type": TEXT, "if-match": 'W/"1"'})
    assert stale.status == 412
    assert (await maya.put(place, b"Words", headers={"content-type": TEXT, "if-match": answer.headers["etag"]})).status == 412
    assert (await got(shared, place, TEXT, LEO)).status == 404
    foreign = await maya.post("Binary", b"x", headers={"content-type": TEXT, "x-security-context": "DocumentReference/d-ben-1"})
    assert (foreign.status, foreign.keys) == (422, {"reference-exists"})
    for type in ("", "application/fhir+xml", "multipart/form-data", "no type"):
        assert (await maya.post("Binary", b"x", headers={"content-type": type})).status == 415
    assert (await maya.post("Observation", b"x", headers={"content-type": TEXT})).status == 415


async def test_every_reading_is_recorded_with_its_client_whatever_it_is_written_as(api: Api) -> None:
    await got(api, NOTE, PDF)
    told = (await records(api))[-1]
    assert (told.kind, told.patients, told.consents) == ("disclosure", ("ana",), ("Consent/c-ana",))
    assert told.data == ("Binary/b-ana-1/_history/1",)


def test_a_page_is_the_same_text_whatever_it_is_written_as() -> None:
    blocks = from_narrative(
        '<div xmlns="http://www.w3.org/1999/xhtml">Loose<h2>Head</h2><p>A <b>bold</b>\n word<br/>next</p><ul><li>x</li><li>y</li></ul><hr/>'
        "<table><tr><td>1</td><td>2</td></tr></table>tail</div>"
    )
    told = [(block.kind, block.text) for block in blocks]
    assert told == [
        (Kind.PARAGRAPH, "Loose"), (Kind.HEADING, "Head"), (Kind.PARAGRAPH, "A bold word\nnext"), (Kind.ITEM, "x"), (Kind.ITEM, "y"),
        (Kind.RULE, ""), (Kind.PARAGRAPH, "1 2"), (Kind.PARAGRAPH, "tail"),
    ]  # fmt: skip
    page = Page("Title", [("Author", "Maya & Co <m>")], blocks)
    words = plain.write(page).decode()
    assert words.startswith("Title\n\nAuthor: Maya & Co <m>\n\nLoose\n\nHead\n----\n\nA bold word\nnext\n\n- x")
    assert from_narrative(xhtml.narrative(blocks)) == blocks
    assert "Maya & Co <m>" in PdfReader(BytesIO(pdf.write(page))).pages[0].extract_text()
    assert from_narrative("<div>broken") == []
    assert from_text("a\r\nb\x00\n\n---\nc\n\n\n") == [Block(Kind.PARAGRAPH, "a\nb"), Block(Kind.RULE), Block(Kind.PARAGRAPH, "c")]
    assert from_markdown("```\ncode\n```\n\n---\n\na  \nb\nc `d`") == [
        Block(Kind.PARAGRAPH, "code"), Block(Kind.RULE), Block(Kind.PARAGRAPH, "a\nb c d"),
    ]  # fmt: skip
    assert hashlib.sha256(pdf.write(page)).digest() == hashlib.sha256(pdf.write(page)).digest()
