"""What a code system says of its codes: displays and hierarchy, as compact facts."""
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Definition = dict[str, Any]

THO = "http://terminology.hl7.org/CodeSystem/"
MORE = (
    *(
        THO + name
        for name in (
            "consentaction", "consentcategorycodes", "consentscope", "discharge-disposition", "flag-category", "goal-achievement",
            "provenance-participant-type", "v3-ActCode", "v3-ActReason", "v3-DocumentCompletion", "v3-NullFlavor",
            "v3-ParticipationType", "v3-RoleCode",
        )
    ),
    "http://hl7.org/fhir/CodeSystem/task-code",
)  # fmt: skip
"""The code systems that recovery work speaks beside those of required bindings."""


def system_facts(definitions: Iterable[Definition], named: Iterable[str]) -> dict[str, Definition]:
    """The facts of the named code systems whose codes are all at hand, and of MORE, by canonical URL."""
    systems: dict[str, Definition] = {}
    for one in definitions:
        if one["resourceType"] == "CodeSystem" and one.get("content") == "complete":
            systems.setdefault(one["url"], one)
    return {url: _facts(systems[url]) for url in sorted({*named, *MORE}) if url in systems}


def _facts(system: Definition) -> Definition:
    facts = {"name": system.get("title", system["name"]), "version": system["version"]}
    return facts | {"concept": [list(row) for row in _rows(system.get("concept", ()), ())]}


def _rows(concepts: Iterable[Mapping[str, Any]], parents: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    for concept in concepts:
        declared = [one["valueCode"] for one in concept.get("property", ()) if one["code"] == "subsumedBy" and "valueCode" in one]
        above = [*parents, *(parent for parent in declared if parent not in parents)]
        row = (concept["code"], concept.get("display", ""), above)
        yield row if above else row[:2]
        yield from _rows(concept.get("concept", ()), (concept["code"],))
