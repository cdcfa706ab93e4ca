"""Narratives are well-formed XHTML without anything active."""
import pytest

from recovery_api.fhir import narrative
from recovery_api.fhir.json import JsonObject
from tests.fhir.examples import DEFECTS, SOURCES, examples, name

DIV = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'


@pytest.mark.parametrize("source", SOURCES)
def test_the_narratives_of_official_examples_are_accepted_save_those_with_known_defects(source: str) -> None:
    problems = ((resource, narrative.check(resource)) for resource in examples(source))
    refused = {name(resource): {issue.expression for issue in issues} for resource, issues in problems if issues}
    assert refused == {key: {place} for (of, key), place in DEFECTS.items() if of == source and ".text." in place}


@pytest.mark.parametrize(
    "inner",
    [
        "text &amp; more &#160;",
        "<p style='color: red'>a<br/>b</p>",
        "<a href='https://example.org/?a=1&amp;b=2'>a</a><a name='b'>b</a><a href='#b'>c</a><a href='Patient/1'>d</a>",
        "<a href='mailto:a@example.org'>a</a>",
        "<img src='data:image/png;base64,iVBORw0KGgo=' alt='a'/>",
        "<td style='background-image: url(data:image/png;base64,iVBORw0KGgo=)'>a</td>",
        "<table><tr><td>a</td></tr></table>",
        "<!-- a comment -->a",
        "&lt;script&gt;",
    ],
)
def test_harmless_xhtml_is_accepted(inner: str) -> None:
    assert narrative.problems(DIV.format(inner)) == ()


@pytest.mark.parametrize(
    "inner",
    [
        "<script>alert(1)</script>",
        "<p onclick='alert(1)'>a</p>",
        "<img src='x' onerror='alert(1)'/>",
        "<a href='javascript:alert(1)'>a</a>",
        "<a href=' JavaScript:alert(1)'>a</a>",
        "<a href='java&#115;cript:alert(1)'>a</a>",
        "<a href='java&#9;script:alert(1)'>a</a>",
        "<a href='vbscript:a'>a</a>",
        "<a href='data:text/html,a'>a</a>",
        "<img src='data:image/svg+xml;base64,AAAA'/>",
        "<iframe src='https://example.org'>a</iframe>",
        "<frameset>a</frameset>",
        "<form action='a'><input name='a'/></form>",
        "<button>a</button>",
        "<object data='a'>a</object>",
        "<embed src='a'/>",
        "<style>p { color: red }</style>",
        "<link rel='stylesheet' href='a'/>",
        "<meta http-equiv='refresh' content='0'/>",
        "<base href='https://example.org'/>",
        "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'>a</svg>",
        "<p style='background: url(https://example.org/a)'>a</p>",
        "<p style='width: expression(alert(1))'>a</p>",
        "<p><x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script></p>",
    ],
)
def test_active_content_is_refused_with_its_place(inner: str) -> None:
    problems = narrative.problems(DIV.format(inner))
    assert {problem.key for problem in problems} == {"txt-1"}
    assert all("at line 1, column " in problem.text for problem in problems)


@pytest.mark.parametrize(
    "div",
    [
        "plain text",
        "<div>without a namespace</div>",
        "<p xmlns='http://www.w3.org/1999/xhtml'>a</p>",
        DIV.format("<b>open"),
        DIV.format("a<br>b"),
        DIV.format("a & b"),
        DIV.format("a&nbsp;b"),
        DIV.format("a") + DIV.format("b"),
        "<!DOCTYPE div [<!ENTITY a 'b'>]>" + DIV.format("&a;"),
        "<?xml version='1.0'?>" + DIV.format("a"),
        DIV.format("<?php a ?>"),
        DIV.format("<![CDATA[><img src=x onerror=alert(1)>]]>"),
        DIV.format("<!--><img src=x onerror=alert(1)>-->"),
    ],
)
def test_what_is_no_xhtml_or_reads_otherwise_in_a_browser_is_refused(div: str) -> None:
    assert [(problem.code, problem.key) for problem in narrative.problems(div)] == [("invalid", None)]


def test_a_narrative_needs_text_or_an_image() -> None:
    assert [problem.key for problem in narrative.problems(DIV.format(" <p> </p>"))] == ["txt-2"]
    assert narrative.problems(DIV.format("<img src='#a'/>")) == ()


def test_every_narrative_of_a_resource_is_looked_at() -> None:
    bad: JsonObject = {"text": {"status": "generated", "div": DIV.format("<script/>")}}
    composition: JsonObject = {"resourceType": "Composition", **bad, "section": [{"section": [bad]}]}
    parameters: JsonObject = {"resourceType": "Parameters", "parameter": [{"name": "a", "part": [{"name": "b", "resource": composition}]}]}
    bundle: JsonObject = {
        "resourceType": "Bundle",
        "entry": [{"resource": {"resourceType": "Patient", "contained": [{"resourceType": "Device", **bad}]}}, {"resource": parameters}],
    }
    below = "Bundle.entry[1].resource.parameter[0].part[0].resource"
    assert [issue.expression for issue in narrative.check(bundle)] == [
        "Bundle.entry[0].resource.contained[0].text.div",
        f"{below}.text.div",
        f"{below}.section[0].section[0].text.div",
    ]
