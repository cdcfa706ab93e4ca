"""Narratives: XHTML that is well formed and harmless (https://hl7.org/fhir/R4/narrative.html).

An XML parser says whether the text is XHTML, and where things stand in it. Whether something in it is active is decided by a
sanitiser, which reads it as a browser would: what it cleans by FHIR's list must equal what it cleans by a list of all that is there.
Comments and sections that XML and HTML read differently are refused, so both see the same.
"""
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import NamedTuple
from xml.parsers import expat

import nh3

from recovery_api.fhir.errors import Issue
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_types import is_object

XHTML = "http://www.w3.org/1999/xhtml"

TAGS = frozenset({
    "a", "abbr", "acronym", "address", "area", "b", "bdo", "big", "blockquote", "br", "caption", "center", "cite", "code", "col",
    "colgroup", "dd", "dfn", "div", "dl", "dt", "em", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "map",
    "ol", "p", "pre", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th",
    "thead", "tr", "tt", "u", "ul", "var",
})
"""HTML 4.0's chapters 7 to 11 (without 9.4) and 15, `a` and images (invariant txt-1)."""

ATTRIBUTES = frozenset({
    "abbr", "accesskey", "align", "alt", "axis", "bgcolor", "border", "cellpadding", "cellspacing", "char", "charoff", "charset",
    "cite", "class", "clear", "color", "cols", "colspan", "compact", "coords", "dir", "face", "frame", "headers", "height", "href",
    "hreflang", "id", "ismap", "lang", "longdesc", "name", "noshade", "nowrap", "rel", "rev", "rowspan", "rules", "scope", "shape",
    "size", "span", "src", "start", "style", "summary", "tabindex", "title", "type", "usemap", "valign", "value", "width", "xml:lang",
    "xmlns", "xmlns:xsi", "xsi:schemalocation",
})

LINKS = frozenset({"href", "src", "cite", "longdesc"})
SCHEMES = frozenset({"http", "https", "mailto", "tel", "ftp", "urn", "data"})
"""Where a link may lead; `data` only as an image's picture."""

CACHED_LENGTH = 4096
MAX_PROBLEMS = 20

_picture = re.compile(r"data:image/(?:png|gif|jpe?g|webp);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE).fullmatch
_own_picture = re.compile(
    r"""url\(\s*(['"]?)(?:data:image/(?:png|gif|jpe?g|webp);base64,[A-Za-z0-9+/=\s]*|[\w.\-/]+)\1\s*\)""", re.ASCII | re.IGNORECASE
).sub
_active_style = re.compile(r"url\s*\(|expression|@import|behaviou?r|-moz-binding|javascript|[\\<]", re.IGNORECASE).search
_scheme = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.\-]*)\s*:").match
_tags = re.compile(r"<\s*([A-Za-z][^\s/>\x00]*)").findall
_attributes = re.compile(r"""([^\s"'<>/=\x00]+)\s*=""").findall
_schemes = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)\s*:").findall

_IGNORED = dict.fromkeys((*range(0x20), 0x7F))
_ALWAYS_SUSPECT = frozenset({"javascript", "vbscript", "data", "file", "blob", "about", "view-source"})
_OWN_NAMESPACES = frozenset({"http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2001/XMLSchema-instance"})
_UNCLEANED: frozenset[str] = frozenset()


class Problem(NamedTuple):
    """What is wrong with a narrative: an IssueType, an invariant's key where it breaks one, and a sentence."""

    code: str
    key: str | None
    text: str


def check(resource: JsonObject) -> list[Issue]:
    """Every problem of every narrative in a resource, contained ones and Bundle entries included; all are HTTP 422.

    The resource's structure must have been found sound.
    """
    return [
        Issue(problem.code, problem.text, f"{place}.div", "error", problem.key)
        for place, div in _narratives(resource, str(resource.get("resourceType")))
        for problem in problems(div)
    ]


def problems(div: str) -> tuple[Problem, ...]:
    """What is wrong with the text of one narrative."""
    return _cached(div) if len(div) <= CACHED_LENGTH else _problems(div)


def _narratives(resource: JsonObject, place: str) -> Iterator[tuple[str, str]]:
    yield from _narrative(resource, place)
    for index, contained in enumerate(resource.get("contained", ())):
        yield from _narratives(contained, f"{place}.contained[{index}]")
    match resource.get("resourceType"):
        case "Composition":
            yield from _in_sections(resource, place)
        case "Bundle":
            for index, entry in enumerate(resource.get("entry", ())):
                if "resource" in entry:
                    yield from _narratives(entry["resource"], f"{place}.entry[{index}].resource")
        case "Parameters":
            yield from _in_parameters(resource.get("parameter", []), f"{place}.parameter")
        case _:
            pass


def _narrative(holder: JsonObject, place: str) -> Iterator[tuple[str, str]]:
    text: Json = holder.get("text")
    if is_object(text) and isinstance(text.get("div"), str):
        yield f"{place}.text", text["div"]


def _in_sections(holder: JsonObject, place: str) -> Iterator[tuple[str, str]]:
    for index, section in enumerate(holder.get("section", ())):
        yield from _narrative(section, f"{place}.section[{index}]")
        yield from _in_sections(section, f"{place}.section[{index}]")


def _in_parameters(parameters: list[JsonObject], place: str) -> Iterator[tuple[str, str]]:
    for index, parameter in enumerate(parameters):
        if "resource" in parameter:
            yield from _narratives(parameter["resource"], f"{place}[{index}].resource")
        yield from _in_parameters(parameter.get("part", []), f"{place}[{index}].part")


def _problems(div: str) -> tuple[Problem, ...]:
    seen = _Seen()
    try:
        seen.read(div)
    except _Broken as broken:
        return (Problem("invalid", None, f"The narrative is not XHTML: {broken}."),)
    if seen.active or _clean(div) != _permissive(div):
        places = seen.active or ["something that a browser would run or fetch"]
        texts = (f"The narrative has {place}, which FHIR does not allow." for place in places[:MAX_PROBLEMS])
        return tuple(Problem("invariant", "txt-1", text) for text in texts)
    if not seen.content:
        return (Problem("invariant", "txt-2", "The narrative has no text and no image."),)
    return ()


_cached = lru_cache(maxsize=1024)(_problems)


def _kept(tag: str, attribute: str, value: str) -> str | None:
    return None if _refused(tag, attribute, value) else value


def _refused(tag: str, attribute: str, value: str) -> bool:
    if attribute == "style":
        return _active_style(_own_picture("", value)) is not None
    if attribute not in LINKS or (scheme := _scheme(value.translate(_IGNORED))) is None:
        return False
    name = scheme[1].lower()
    if name == "data":
        return (tag, attribute) != ("img", "src") or _picture(value) is None
    return name not in SCHEMES


_clean = partial(
    nh3.clean,
    tags=set(TAGS),
    attributes={"*": set(ATTRIBUTES)},
    attribute_filter=_kept,
    url_schemes=set(SCHEMES),
    strip_comments=True,
    link_rel=None,
    clean_content_tags=set(_UNCLEANED),
)


def _permissive(div: str) -> str:
    return nh3.clean(
        div,
        tags=TAGS | {tag.lower() for tag in _tags(div)},
        attributes={"*": ATTRIBUTES | {name.lower() for name in _attributes(div)}},
        url_schemes=SCHEMES | _ALWAYS_SUSPECT | {scheme.lower() for scheme in _schemes(div)},
        strip_comments=True,
        link_rel=None,
        clean_content_tags=set(_UNCLEANED),
    )


class _Broken(Exception):
    """Why a text is not the XHTML that a narrative may hold."""


class _Seen:
    """What an XML parser sees in a narrative."""

    def __init__(self) -> None:
        self.active: list[str] = []
        self.content = False
        self._rooted = False
        self._parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._element
        parser.CharacterDataHandler = self._text
        parser.CommentHandler = self._comment
        parser.StartCdataSectionHandler = partial(self._break, "it has a CDATA section")
        parser.ProcessingInstructionHandler = partial(self._break, "it has a processing instruction")
        parser.StartDoctypeDeclHandler = partial(self._break, "it has a document type declaration")
        parser.XmlDeclHandler = partial(self._break, "it has an XML declaration")

    def read(self, div: str) -> None:
        """Parse; raises _Broken with the reason and the line and column."""
        try:
            self._parser.Parse(div, True)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            entities = " (only XML's own entities are known: write the character, or &#160; for &nbsp;)" if "entity" in reason else ""
            raise _Broken(f"{reason} at line {error.lineno}, column {error.offset + 1}{entities}") from None
        except UnicodeEncodeError:
            raise _Broken("it has a lone surrogate") from None

    @property
    def _here(self) -> str:
        return f"at line {self._parser.CurrentLineNumber}, column {self._parser.CurrentColumnNumber + 1}"

    def _break(self, reason: str, *_: object) -> None:
        raise _Broken(f"{reason} {self._here}")

    def _element(self, name: str, attributes: Mapping[str, str]) -> None:
        namespace, _, tag = name.rpartition(" ")
        if not self._rooted:
            self._rooted = True
            if (namespace, tag) != (XHTML, "div"):
                self._break(f"it must be one <div xmlns='{XHTML}'>, not <{tag[:32]}>")
        if namespace != XHTML or tag not in TAGS:
            self.active.append(f"the element <{tag[:32]}> {self._here}")
        self.content = self.content or tag == "img"
        for key, value in attributes.items():
            attribute = key.replace("http://www.w3.org/XML/1998/namespace ", "xml:").rpartition(" ")[2]
            foreign = " " in key and key.partition(" ")[0] not in _OWN_NAMESPACES
            if foreign or (attribute not in ATTRIBUTES and attribute.lower() != "schemalocation"):
                self.active.append(f"the attribute {attribute[:32]} of <{tag[:32]}> {self._here}")
            elif _refused(tag, attribute, value):
                self.active.append(f"an active {attribute} in <{tag[:32]}> {self._here}")

    def _text(self, text: str) -> None:
        self.content = self.content or not text.isspace()

    def _comment(self, text: str) -> None:
        if "<" in text or ">" in text:
            self._break("it has a comment with < or >")
