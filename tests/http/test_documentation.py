"""The page at /docs: everything that it loads is this server's own."""
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import httpx
import pytest

from recovery_api.routers.documentation import ASSETS
from tests.api import Api

LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src"}


class Page(HTMLParser):
    """What a page loads, and what it says inline."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in LOADED and (address := given.get(LOADED[tag])):
            self.loads.append(address)
        elif tag in {"script", "style"}:
            self.inline.append(tag)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]


@pytest.fixture
async def http(shared: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=str(shared.http.base_url).removesuffix("/fhir/")) as client:
        yield client


async def test_the_page_loads_only_what_this_server_serves(http: httpx.AsyncClient) -> None:
    answer = await http.get("/docs")
    page = Page(answer.text)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.inline == []
    assert sorted(page.loads) == sorted(f"docs/{name}" for name in ASSETS)
    for address in page.loads:
        part = await http.get(f"/{address}")
        assert (part.status_code, part.headers["content-type"]) == (200, ASSETS[address.removeprefix("docs/")])
        assert part.headers["x-content-type-options"] == "nosniff"
        assert part.content


async def test_the_page_may_neither_load_from_nor_speak_with_another_host(http: httpx.AsyncClient) -> None:
    policy = dict(part.split(" ", 1) for part in (await http.get("/docs")).headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {word for value in policy.values() for word in value.split()} <= {"'none'", "'self'", "data:"}
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"


async def test_its_style_sheet_fetches_nothing(http: httpx.AsyncClient) -> None:
    sheet = (await http.get("/docs/swagger-ui.css")).text
    assert all(address.strip("\"'").startswith("data:") for address in re.findall(r"url\(([^)]{1,20})", sheet))
    assert "@import" not in sheet


async def test_its_script_opens_the_document_and_asks_no_validator(http: httpx.AsyncClient) -> None:
    script = (await http.get("/docs/page.js")).text
    assert "fetch(`openapi.json${location.search}`)" in script
    assert "validatorUrl: null" in script
    assert (await http.get("/openapi.json")).json()["openapi"].startswith("3.1.")


@pytest.mark.parametrize("name", ["LICENSE", "README.md", "__init__.py", "..%2Fhealth.py", "no-such"])
async def test_nothing_else_is_served_beside_the_page(http: httpx.AsyncClient, name: str) -> None:
    assert (await http.get(f"/docs/{name}")).status_code == 404


async def test_the_page_offers_the_document_of_each_audience(http: httpx.AsyncClient, shared: Api) -> None:
    page = (await http.get("/docs")).text
    offered = set(re.findall(r'href="(docs\?audience=\w+)"', page))
    assert offered == {f"docs?audience={name}" for name in shared.running.server.matrix.audiences}
    for address in offered:
        assert (await http.get(f"/{address}")).text == page


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("audience=clinic", "There is no audience clinic; there are: frontend, ehr, referrer. Without one, the document is whole."),
        ("audience=", "There is no audience (empty); there are: frontend, ehr, referrer. Without one, the document is whole."),
        ("audience=ehr&audience=referrer", "audience is given once; it is one of: frontend, ehr, referrer."),
        ("public=ehr", "There is no parameter public here; there is: audience."),
    ],
)
async def test_an_audience_that_is_not_known_is_refused_in_words(http: httpx.AsyncClient, query: str, said: str) -> None:
    for path in ("/openapi.json", "/docs"):
        answer = await http.get(f"{path}?{query}")
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/fhir+json")
        assert answer.json() == {
            "resourceType": "OperationOutcome",
            "issue": [{"severity": "error", "code": answer.json()["issue"][0]["code"], "diagnostics": said}],
        }
