"""What access rules see of a resource's content: its client, class, state, and whom it names."""
import re
from typing import cast
from zoneinfo import ZoneInfo

from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import at, has_coding, references_at
from recovery_api.fhir.references import Kind as ReferenceKind
from recovery_api.fhir.references import parse_reference, references
from recovery_api.fhir.search.dates import implicit_range
from recovery_api.policy.consent import consent_rules
from recovery_api.policy.matrix import Kind, Matrix, StateTest
from recovery_api.policy.periods import Interval, interval
from recovery_api.policy.project import relations
from recovery_api.store.records import NEVER, Facets

DATED = frozenset({"DocumentReference", "Encounter", "Observation"})
"""Types that a dataPeriod closes where they do not say when they were."""

_INDEX = re.compile(r"\[\d+\]")


def facets(resource: JsonObject, matrix: Matrix, zone: ZoneInfo) -> Facets:
    """The facets of a resource (domain.md 4.2). `client` is a Patient's logical id, '' where there is none.

    Of labels, they say what they are made of (`basis`), not which are in force. `zone` is the agency's: a period that ends on a
    date ends with that day there.
    """
    type = resource["resourceType"]
    client, kind = client_of(resource, matrix), _kind(resource, matrix.kinds.get(type, ()))
    return Facets(
        client=client,
        kind=kind,
        released=all(_passes(resource, test) for test in matrix.released.get(type, ())),
        parties=tuple(dict.fromkeys(_deciding(_parties(resource, matrix), matrix))),
        relations=relations(resource, zone),
        happened=_happened(resource, matrix, zone),
        consent_rules=consent_rules(resource, zone) if type == "Consent" else None,
        links=links(resource, matrix),
        basis=matrix.labels.basis(resource, kind, client),
    )


def links(resource: JsonObject, matrix: Matrix) -> tuple[str, ...]:
    """What a resource points at and a reader of it may not be able to follow, each "Type/id" once.

    Without the reference that names its client (world.md, decision 5), and without types that are open to everybody.
    """
    naming = f"{resource['resourceType']}.{matrix.client.get(resource['resourceType'])}"
    client = f"Patient/{client_of(resource, matrix)}"
    found: dict[str, None] = {}
    for place, holder in references(resource):
        literal = parse_reference(holder["reference"])
        if literal is None or literal.kind is not ReferenceKind.LOCAL or literal.type in matrix.open:
            continue
        key = f"{literal.type}/{literal.id}"
        if key != client or _INDEX.sub("", place) != naming:
            found[key] = None
    return tuple(found)


def _parties(resource: JsonObject, matrix: Matrix) -> list[tuple[str, str]]:
    named = [(role, holder) for role, path in matrix.parties.get(resource["resourceType"], ()) for holder in references_at(resource, path)]
    return [*named, *(("labelled-by", holder) for holder in matrix.labels.carriers(resource))]


def _deciding(parties: list[tuple[str, str]], matrix: Matrix) -> list[tuple[str, str]]:
    """Of the targets of a Provenance, those that belong to a client decide who may see it, where there are any."""
    of_clients = [(role, holder) for role, holder in parties if role != "target" or _has_client(holder.partition("/")[0], matrix)]
    return of_clients or parties


def _has_client(type: str, matrix: Matrix) -> bool:
    return type in matrix.client or type in {"Patient", "Binary"}


def _happened(resource: JsonObject, matrix: Matrix, zone: ZoneInfo) -> Interval | None:
    """The clinical date; any time where a type that always has one does not say it (world.md, decision 14)."""
    type = resource["resourceType"]
    for path in matrix.happened.get(type, ()):
        for found in at(resource, path):
            return interval(cast("JsonObject", found), zone) if isinstance(found, dict) else implicit_range(cast("str", found), zone)
    return (-NEVER, NEVER) if type in DATED else None


def client_of(resource: JsonObject, matrix: Matrix) -> str:
    """The logical id of the Patient that a resource belongs to; '' where there is none."""
    type = resource["resourceType"]
    if type == "Patient":
        return resource.get("id", "")
    if type not in matrix.client:
        return ""
    return next((r.removeprefix("Patient/") for r in references_at(resource, matrix.client[type]) if r.startswith("Patient/")), "")


def _kind(resource: JsonObject, kinds: tuple[Kind, ...]) -> str:
    if resource["resourceType"] == "Binary" and "securityContext" not in resource:
        return "unbound"
    return next((kind.kind for kind in kinds if has_coding(resource, kind.path, kind.system, kind.code)), "")


def _passes(resource: JsonObject, test: StateTest) -> bool:
    found = list(at(resource, test.path))
    return any(value in test.values for value in found) if test.values else bool(found)
