"""What references of a load mean that do not say type and id: a urn that another resource goes by, or criteria that one resource meets.

They are resolved within the run, in whatever order its resources come, else against the database, else kept.
"""
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl

from recovery_api.fhir.errors import FhirError
from recovery_api.fhir.json import Json, JsonObject
from recovery_api.fhir.json_types import is_array, is_object
from recovery_api.fhir.references import Kind, parse_reference, references, relinked, urn_holders
from recovery_api.fhir.search.expression import Expression
from recovery_api.fhir.search.match import Resources, View, match
from recovery_api.fhir.search.parse import condition
from recovery_api.interactions.context import Server
from recovery_api.interactions.load_sources import Incoming
from recovery_api.interactions.validate import structure
from recovery_api.store.loading import sighted
from recovery_api.store.search import SearchQuery

_REFERENCE = re.compile(rb'"reference"\s*:\s*("(?:urn:|[A-Z][A-Za-z]+\?)(?:[^"\\]|\\.)+")')
_FULL_URL = re.compile(rb'"fullUrl"\s*:\s*("urn:(?:[^"\\]|\\.)+")')
_URN = "urn:uuid:"


def wanted(text: bytes) -> set[str]:
    """The references in a JSON text that must be resolved elsewhere: criteria, and urns that are no fullUrl of the same text."""
    named = set(_REFERENCE.findall(text))
    return {json.loads(each) for each in named - set(_FULL_URL.findall(text))} if named else set()


class Links:
    """What the wanted references of a run mean."""

    def __init__(self, server: Server, wanted: Iterable[str]) -> None:
        self._server = server
        self._wanted = frozenset(wanted)
        self._identifiers: dict[tuple[str, str, str], str] = {}
        self._criteria: dict[str, dict[str, Expression]] = {}
        self._found: dict[str, set[str]] = {}
        for text in self._wanted:
            self._plan(text)

    def _plan(self, text: str) -> None:
        type, mark, query = text.partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        if not mark or not pairs or type not in self._server.interactions:
            return
        system, bar, value = pairs[0][1].partition("|")
        if len(pairs) == 1 and pairs[0][0] == "identifier" and bar and system and value and not set("\\,") & set(value):
            self._identifiers[type, system, value] = text
            return
        try:
            self._criteria.setdefault(type, {})[text] = condition(type, pairs, self._server.search)
        except FhirError:
            return  # criteria that say nothing stay as they are: `unknown` names them

    @property
    def known(self) -> Mapping[str, str]:
        """What the texts mean that mean one resource: its reference."""
        return {text: next(iter(references)) for text, references in self._found.items() if len(references) == 1}

    @property
    def unknown(self) -> list[str]:
        """The texts that nothing, or more than one resource, is meant by."""
        return sorted(self._wanted - self.known.keys())

    def learn(self, item: Incoming) -> None:
        """Take note of what a resource of the run may be meant by."""
        names = (*item.links, f"{_URN}{item.resource['id']}")
        for text in self._wanted.intersection(names):
            self._found.setdefault(text, set()).add(item.links.get(text, item.reference))
        for text in self._met(item.resource):
            self._found.setdefault(text, set()).add(item.reference)

    def _met(self, resource: JsonObject) -> Iterator[str]:
        type = str(resource.get("resourceType"))
        identifiers: Json = resource.get("identifier") if self._identifiers else None
        for each in identifiers if is_array(identifiers) else ():
            if is_object(each) and (text := self._identifiers.get((type, str(each.get("system")), str(each.get("value"))))):
                yield text
        if type in self._criteria and not structure(resource, type):
            view = View(type, resource["id"], self._server.extract(resource))
            world = Resources(self._server.search.table, (view,), shows_all=True)
            yield from (text for text, expression in self._criteria[type].items() if match(expression, view, world))

    async def ask(self) -> None:
        """Resolve against the database what the run itself did not."""
        asked = {text: condition(type, [("identifier", f"{system}|{value}")], self._server.search)
                 for (type, system, value), text in self._identifiers.items()}  # fmt: skip
        asked |= {text: expression for texts in self._criteria.values() for text, expression in texts.items()}
        async with sighted(self._server.store) as reader:
            for text in self._wanted - self._found.keys():
                if expression := asked.get(text):
                    page = await reader.search(SearchQuery((text.partition("?")[0],), expression, count=2))
                    self._found[text] = {record.reference for record in page.records}
                elif text.startswith(_URN):
                    id = text.removeprefix(_URN)
                    there = await reader.references_visible([(type, id) for type in self._server.interactions])
                    self._found[text] = {f"{type}/{id}" for type, id in there}


def relink(resource: JsonObject, links: Mapping[str, str], base: str) -> None:
    """Rewrite, in place, what the links know, and make absolute references to this server's `base` relative."""
    for container, key, text in urn_holders(resource):
        if text.startswith("urn:"):
            container[key] = links.get(text, text)  # type: ignore[index,call-overload]
        else:
            container[key] = relinked(text, links)  # type: ignore[index,call-overload]
    for _, holder in references(resource):
        reference: str = holder["reference"]
        literal = parse_reference(reference, base)
        if reference in links:
            holder["reference"] = links[reference]
        elif literal and literal.kind is Kind.LOCAL:
            holder["reference"] = literal.text
