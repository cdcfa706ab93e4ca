"""What is asked of both worlds of a pair: every way to read and to write towards what is hidden, and towards what leaves it out."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from tests.contract.asking import JSON_PATCH, STATUS_PATCH, Request, batch, posted, search
from tests.contract.content import Resource, client_of
from tests.contract.labels import ACT
from tests.contract.reference_doors import LINKS

SORTS = ("_id", "-_lastUpdated", "patient")
WORDS = {"DocumentReference": ("startle", "anniversary", "naloxone", "walk")}


def reading(kind: str, id_: str, resource: Resource) -> Iterator[Request]:
    """Every way to read towards one resource."""
    target = f"{kind}/{id_}"
    yield Request("GET", target)
    yield Request("HEAD", target)
    yield Request("GET", target, headers={"if-none-match": 'W/"1"'})
    yield Request("GET", f"{target}/_history/1")
    yield Request("GET", f"{target}/_history/2")
    yield Request("GET", f"{target}/_history")
    yield search(kind, _id=id_)
    yield posted(kind, _id=id_)
    yield search("", _type=kind, _count=5, _id=id_)
    yield batch(("GET", target), ("GET", f"{kind}?_id={id_}"), ("DELETE", target))
    if identifier := next(iter(resource.get("identifier", [])), None):
        yield search(kind, identifier=f"{identifier['system']}|{identifier['value']}")
    if kind == "Patient":
        yield search("Observation", patient=target)
        yield search("Observation", **{"patient:Patient.family": "Other"})
        yield search("Patient", family="Other")
        yield search(f"{target}/Observation")
        yield search(f"{target}/DocumentReference", _summary="count")
    if kind == "Encounter":
        yield search("Observation", encounter=target)
        yield search("Observation", **{"encounter:Encounter.status": "finished", "_total": "accurate"})
    if client := client_of(resource):
        yield search(kind, patient=client)
        yield search("Patient", **{f"_has:{kind}:patient:_id": id_})


def browsing(kind: str) -> Iterator[Request]:
    """Every way to look over a type."""
    yield search(kind)
    yield search(kind, _count=2)
    yield search(kind, _total="accurate", _count=1)
    yield search(kind, _summary="count")
    yield search(kind, _lastUpdated="gt2000-01-01", _elements="id")
    yield from (search(kind, _sort=each, _count=3) for each in SORTS)
    yield search(kind, _include="*", _count=1000)
    yield search("Patient", _revinclude=f"{kind}:patient", _count=1000)
    yield search("Patient", **{f"_has:{kind}:patient:_lastUpdated": "gt2000-01-01"})
    yield Request("GET", f"{kind}/_history?_count=1000")
    yield search("", _type=kind, _count=3)
    yield search(kind, _security=f"{ACT}|STD")
    yield from (search(kind, _content=word) for word in WORDS.get(kind, ()))
    yield from (search(kind, _text=word) for word in WORDS.get(kind, ()))
    for link in (each for each in LINKS if each.kind == kind):
        yield search(kind, **{f"{link.parameter}:missing": "true", "_total": "accurate", "_count": 1000})
        yield search(kind, **{f"{link.parameter}:missing": "false", "_summary": "count"})
        yield search(kind, _sort=link.parameter, _count=1000)
        yield search(kind, _sort=f"-{link.parameter}", _count=5)
        yield search(kind, _include=f"{kind}:{link.parameter}", _count=1000)


def pointing(kind: str, id_: str, other: str, other_id: str) -> Iterator[Request]:
    """Every way to ask whether one resource, which may be seen, points at another."""
    target = f"{other}/{other_id}"
    for link in (each for each in LINKS if each.kind == kind):
        yield search(kind, **{link.parameter: target})
        yield search(kind, **{f"{link.parameter}:{other}._id": other_id, "_summary": "count"})
        yield search(other, **{f"_has:{kind}:{link.parameter}:_id": id_})
        yield search(other, _revinclude=f"{kind}:{link.parameter}", _id=other_id)
        yield Request("POST", kind, {"resourceType": kind}, {"if-none-exist": f"{link.parameter}={target}"})
    for path in ("/supportingInfo/0", "/addresses/0", "/focus/0", "/context/related/0", "/entity/0/what", "/diagnosis/0/condition"):
        tested = [{"op": "test", "path": f"{path}/reference", "value": target}, *STATUS_PATCH]
        yield Request("PATCH", f"{kind}/{id_}", tested, JSON_PATCH)


def writing(kind: str, id_: str, resource: Resource) -> Iterator[Request]:
    """Every way to write towards one resource. The last ones may well create something."""
    target, body = f"{kind}/{id_}", {name: value for name, value in resource.items() if name not in ("id", "meta")}
    for headers in ({}, {"if-match": 'W/"1"'}, {"if-match": 'W/"2"'}, {"if-match": 'W/"9"'}):
        yield Request("PUT", target, body | {"id": id_}, headers)
        yield Request("PATCH", target, STATUS_PATCH, JSON_PATCH | headers)
        yield Request("DELETE", target, headers=headers)
    yield Request("PATCH", f"{kind}?_id={id_}", STATUS_PATCH, JSON_PATCH)
    yield Request("DELETE", f"{kind}?_id={id_}")
    yield Request("PUT", f"{kind}?_id={id_}", body)
    yield Request("POST", kind, body, {"if-none-exist": f"_id={id_}"})
    yield Request("POST", kind, body, {"if-none-exist": f"_id={id_}", "prefer": "return=OperationOutcome"})


def requests(touched: Sequence[tuple[str, str]], sample: Callable[[tuple[str, str]], Resource]) -> list[Request]:
    """All that is asked of both worlds, reads before writes. `sample` gives a body of the type; `touched` is in the order of mutations."""
    kinds = sorted({kind for kind, _ in touched})
    asked = [request for key in touched for request in reading(*key, sample(key))]
    asked += [request for kind in kinds for request in browsing(kind)]
    asked += [Request("GET", "_history?_count=1000"), search("", _type=",".join(kinds), _count=1000)]
    asked += [request for one, other in pairwise(touched) for request in pointing(*one, *other)]
    asked += [request for key in touched for request in writing(*key, sample(key))]
    return asked + [request for kind in kinds for request in browsing(kind)]
