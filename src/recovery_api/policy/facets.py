"""What access rules see of a resource's content: its client, class, state, and whom it names."""
from zoneinfo import ZoneInfo

from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import at, has_coding, references_at
from recovery_api.policy.matrix import Kind, Matrix, StateTest
from recovery_api.policy.project import relations
from recovery_api.store.records import Facets


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
        basis=matrix.labels.basis(resource, kind, client),
    )


def _parties(resource: JsonObject, matrix: Matrix) -> list[tuple[str, str]]:
    type = resource["resourceType"]
    named = [(role, holder) for role, path in matrix.parties.get(type, ()) for holder in references_at(resource, path)]
    named += [("labelled-by", holder) for holder in matrix.labels.carriers(resource)]
    return [*named, ("itself", f"Consent/{resource['id']}")] if type == "Consent" else named


def _deciding(parties: list[tuple[str, str]], matrix: Matrix) -> list[tuple[str, str]]:
    """Of the targets of a Provenance, those that belong to a client decide who may see it, where there are any."""
    of_clients = [(role, holder) for role, holder in parties if role != "target" or _has_client(holder.partition("/")[0], matrix)]
    return of_clients or parties


def _has_client(type: str, matrix: Matrix) -> bool:
    return type in matrix.client or type in {"Patient", "Binary"}


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
