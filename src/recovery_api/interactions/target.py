"""Which interaction a method and an address ask for, whether by HTTP or as a Bundle entry (https://hl7.org/fhir/R4/http.html)."""
import re
from collections.abc import Collection, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from recovery_api.fhir.errors import BadRequest, Issue, MethodNotAllowed, NotFound

MOST_PARAMETERS = 200
ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
"""https://hl7.org/fhir/R4/datatypes.html#id"""


class Target(NamedTuple):
    """What a method and path ask for."""

    interaction: str
    type: str | None = None
    id: str | None = None
    version: str | None = None
    compartment: tuple[str, str] | None = None
    operation: str | None = None


_SYSTEM: Mapping[tuple[str, str], str] = {
    ("GET", ""): "search-system",
    ("POST", ""): "batch",
    ("POST", "_search"): "search-system",
    ("GET", "_history"): "history-system",
    ("GET", "metadata"): "capabilities",
}
_TYPE: Mapping[tuple[str, str], str] = {
    ("GET", ""): "search-type",
    ("POST", ""): "create",
    ("PUT", ""): "update",
    ("PATCH", ""): "patch",
    ("DELETE", ""): "delete",
    ("POST", "_search"): "search-type",
    ("GET", "_history"): "history-type",
}
_JOB: Mapping[tuple[str, str], str] = {("GET", ""): "job-status", ("DELETE", ""): "job-cancel", ("GET", "file"): "job-file"}
"""Jobs stand below the base: `_jobs/{id}` says how one does, `_jobs/{id}/{file}` is what came of it."""
_INSTANCE: Mapping[tuple[str, str], str] = {
    ("GET", ""): "read",
    ("PUT", ""): "update",
    ("PATCH", ""): "patch",
    ("DELETE", ""): "delete",
    ("GET", "_history"): "history-instance",
}


def target(method: str, path: str, types: Collection[str]) -> Target:
    """The interaction that a method and a path below the base (no slash at its start) ask for.

    Raises NotFound for a path that is none, or names a type that is not served; MethodNotAllowed for a method that it does not have.
    """
    if method == "HEAD":
        method = "GET"
    first, *rest = path.rstrip("/").split("/")
    if not first or first[0] in "_$" or first == "metadata":
        return _on_system(method, first, rest)
    if first not in types:
        raise NotFound(Issue("not-supported", f"{first[:64]} is not a resource type that this server serves."))
    match rest:
        case []:
            return Target(_one_of(_TYPE, method, ""), first)
        case ["_search" | "_history" as last]:
            return Target(_one_of(_TYPE, method, last), first)
        case [last] if last.startswith("$"):
            return _operation(method, last, first)
        case [id_, *_] if not ID.fullmatch(id_):
            raise MethodNotAllowed if method == "PUT" else NotFound
        case [id_]:
            return Target(_one_of(_INSTANCE, method, ""), first, id_)
        case [id_, "_history"]:
            return Target(_one_of(_INSTANCE, method, "_history"), first, id_)
        case [id_, "_history", version]:
            if method != "GET":
                raise MethodNotAllowed
            return Target("vread", first, id_, version)
        case [id_, last] if last.startswith("$"):
            return _operation(method, last, first, id_)
        case [id_, inner] | [id_, inner, "_search"]:
            return _in_compartment(method, (first, id_), inner, types, by_post=len(rest) == 3)
        case _:
            raise NotFound


def _on_system(method: str, first: str, rest: list[str]) -> Target:
    match [first, *rest]:
        case ["_jobs", id_] if ID.fullmatch(id_):
            return Target(_one_of(_JOB, method, ""), id=id_)
        case ["_jobs", id_, file] if ID.fullmatch(id_):
            return Target(_one_of(_JOB, method, "file"), id=id_, version=file)
        case _ if rest:
            raise NotFound
        case _:
            pass
    if first.startswith("$"):
        return _operation(method, first)
    return Target(_one_of(_SYSTEM, method, first))


def _operation(method: str, name: str, type: str | None = None, id: str | None = None) -> Target:
    if method not in {"GET", "POST"}:
        raise MethodNotAllowed
    return Target("operation", type, id, operation=name[1:])


def _in_compartment(method: str, compartment: tuple[str, str], inner: str, types: Collection[str], *, by_post: bool) -> Target:
    if inner != "*" and inner not in types:
        raise NotFound(Issue("not-supported", f"{inner[:64]} is not a resource type that this server serves."))
    if method != ("POST" if by_post else "GET"):
        raise MethodNotAllowed
    return Target("search-system" if inner == "*" else "search-type", None if inner == "*" else inner, compartment=compartment)


def _one_of(table: Mapping[tuple[str, str], str], method: str, last: str) -> str:
    found = table.get((method, last))
    if found is None:
        if any(known == last for _, known in table):
            raise MethodNotAllowed
        raise NotFound
    return found


def pairs(query: str) -> list[tuple[str, str]]:
    """The parameters of a query string or form, in order. Raises BadRequest where they are too many, or no text in UTF-8."""
    try:
        found = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise BadRequest("The parameters can't be read: they are not UTF-8, or too many.") from None
    if any("\0" in part for pair in found for part in pair):
        raise BadRequest("The parameters hold a null character.")
    return found
