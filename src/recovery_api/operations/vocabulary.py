"""What terminology operations are asked about: a value set or code system that is given, stored here, or carried by the package."""
from collections.abc import Iterator
from typing import Final, NamedTuple

from recovery_api.fhir.errors import BadRequest, Issue, NotFound, Unprocessable
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.terminology import CodeSystem, Coding, NotExpandable, Terminology, carried
from recovery_api.interactions import validate
from recovery_api.interactions.make import found
from recovery_api.operations.frame import Operating
from recovery_api.policy.audit import Shown
from recovery_api.policy.grant import Sight
from recovery_api.store.reader import Reader

MOST_LOOKUPS: Final = 32
"""How many value sets and code systems that are not carried one request may name."""


class Subject(NamedTuple):
    """A value set, the terminology that it stands in, and what of it was read here."""

    value_set: JsonObject
    terminology: Terminology
    shown: tuple[Shown, ...]

    def codings(self) -> list[Coding]:
        """Its codes. Raises Unprocessable where they can't be listed."""
        try:
            return self.terminology.expand(self.value_set)
        except NotExpandable as why:
            raise Unprocessable(Issue(why.code, str(why), "ValueSet.compose")) from None


async def value_set(operating: Operating) -> Subject:
    """The value set of the address, of `valueSet`, or of `url`. Raises NotFound, and BadRequest where none is named."""
    given = operating.given()
    said: JsonObject | None = given.one("valueSet")
    if said is not None and (wrong := validate.structure(said, "ValueSet")):
        raise BadRequest(*wrong)
    async with operating.server.store.reader(_sight(operating)) as reader:
        shown: tuple[Shown, ...] = ()
        if operating.request.id is not None:
            said, shown = await _stored(operating, reader, "ValueSet")
        elif said is None:
            said = await _by_url(operating, reader, "ValueSet", _url(given.one("url"), "valueSet"))
        more = await _named(operating, reader, said)
    return Subject(said, Terminology(more, carried()), shown)


async def code_system(operating: Operating, url: str | None) -> tuple[CodeSystem, tuple[Shown, ...]]:
    """The code system of the address, of `codeSystem`, or of a url. Raises as `value_set` does."""
    said: JsonObject | None = operating.given().one("codeSystem")
    if said is not None and (wrong := validate.structure(said, "CodeSystem")):
        raise BadRequest(*wrong)
    shown: tuple[Shown, ...] = ()
    async with operating.server.store.reader(_sight(operating)) as reader:
        if operating.request.id is not None:
            said, shown = await _stored(operating, reader, "CodeSystem")
        elif said is None:
            wanted = _url(url, "codeSystem")
            if known := carried().system(wanted):
                return known, ()
            said = await _by_url(operating, reader, "CodeSystem", wanted)
    here = said.get("url", "")
    system = Terminology([{**said, "url": here}]).system(here)
    assert system is not None
    return system, shown


def _sight(operating: Operating) -> Sight:
    server = operating.server
    return server.grants.sight(operating.request.actor, "r", server.clock())


def _url(url: str | None, parameter: str) -> str:
    if url is None:
        raise BadRequest(Issue("required", f"The parameter 'url' or '{parameter}' is needed here.", "Parameters.parameter"))
    return url


async def _stored(operating: Operating, reader: Reader, type: str) -> tuple[JsonObject, tuple[Shown, ...]]:
    record = await reader.read(type, operating.request.id or "")
    if record is None or record.body is None:
        raise NotFound
    return load(record.body), (record,)


async def _by_url(operating: Operating, reader: Reader, type: str, url: str) -> JsonObject:
    known = carried().value_set(url) if type == "ValueSet" else None
    if known is None:
        stored = await found(operating.server, reader, type, ("url", url.partition("|")[0]), most=1)
        known = stored[0] if stored else None
    if known is None:
        raise NotFound(Issue("not-found", f"{type} {url[:200]} is not known here."))
    return known


async def _named(operating: Operating, reader: Reader, value_set: JsonObject) -> list[JsonObject]:
    """The value sets and code systems that a value set is composed of and the package does not carry, as far as they are stored here."""
    waiting, asked, more = list(_parts(value_set)), set[tuple[str, str]](), list[JsonObject]()
    while waiting:
        type, url = waiting.pop()
        known = carried().value_set(url) if type == "ValueSet" else carried().system(url)
        if known or (type, url) in asked:
            continue
        asked.add((type, url))
        if len(asked) > MOST_LOOKUPS:
            raise Unprocessable(Issue("too-costly", f"The value set names more than {MOST_LOOKUPS} others.", "ValueSet.compose"))
        for one in await found(operating.server, reader, type, ("url", url), most=1):
            more.append(one)
            waiting += _parts(one)
    return more


def _parts(value_set: JsonObject) -> Iterator[tuple[str, str]]:
    compose: JsonObject = value_set.get("compose", {})
    for part in (*compose.get("include", ()), *compose.get("exclude", ())):
        yield from (("ValueSet", url.partition("|")[0]) for url in part.get("valueSet", ()))
        if "system" in part and "concept" not in part:
            yield "CodeSystem", part["system"]
