"""Bundles put together from stored bytes: nothing is parsed on the way out (https://hl7.org/fhir/R4/bundle.html)."""
from collections.abc import Iterable, Sequence
from http import HTTPStatus

from recovery_api.fhir.json import JsonObject, dump


def entry(full_url: str, body: bytes, mode: str) -> bytes:
    """A searchset entry; `full_url` needs no escape in JSON, `mode` is match or include."""
    return b'{"fullUrl":"%s","resource":%s,"search":{"mode":"%s"}}' % (full_url.encode(), body, mode.encode())


def collection_entry(full_url: str, body: bytes) -> bytes:
    """An entry of a collection; `full_url` needs no escape in JSON."""
    return b'{"fullUrl":"%s","resource":%s}' % (full_url.encode(), body)


def reasoned_entry(full_url: str, body: bytes, reason: JsonObject) -> bytes:
    """A searchset entry of a match; the extension `reason` says why it is there."""
    return b'{"fullUrl":"%s","resource":%s,"search":{"extension":[%s],"mode":"match"}}' % (full_url.encode(), body, dump(reason))


def match_entry(full_url: str, body: bytes, score: float, grade: str) -> bytes:
    """A searchset entry of Patient/$match: how likely it is the one who is asked for (https://hl7.org/fhir/R4/patient-operation-match.html)."""
    graded = {"url": "http://hl7.org/fhir/StructureDefinition/match-grade", "valueCode": grade}
    said = dump({"extension": [graded], "mode": "match", "score": round(score, 6)})
    return b'{"fullUrl":"%s","resource":%s,"search":%s}' % (full_url.encode(), body, said)


def outcome_entry(body: bytes) -> bytes:
    """A searchset entry that says something about the search itself."""
    return b'{"resource":%s,"search":{"mode":"outcome"}}' % body


def history_entry(full_url: str, body: bytes | None, method: str, url: str, status: str, etag: str, modified: str) -> bytes:
    """A history entry; `body` is None for a deletion. `modified` is an instant."""
    request = dump({"method": method, "url": url})
    response = dump({"status": status, "etag": etag, "lastModified": modified})
    resource = b"" if body is None else b'"resource":%s,' % body
    return b'{"fullUrl":%s,%s"request":%s,"response":%s}' % (dump(full_url), resource, request, response)


def bundle(
    kind: str,
    entries: Sequence[bytes],
    *,
    id: str,
    updated: str,
    total: int | None = None,
    links: Iterable[tuple[str, str]] = (),
    security: Sequence[JsonObject] = (),
    identified: str | None = None,
) -> bytes:
    """A Bundle of this type; `links` are (relation, url) pairs, `updated` is an instant, `security` its labels.

    A document is `identified` by a URI for ever, and is of this instant.
    """
    meta: JsonObject = {"lastUpdated": updated} | ({"security": [*security]} if security else {})
    head: JsonObject = {"resourceType": "Bundle", "id": id, "meta": meta, "type": kind}
    if identified is not None:
        head |= {"identifier": {"system": "urn:ietf:rfc:3986", "value": identified}, "timestamp": updated}
    if total is not None:
        head["total"] = total
    if said := [{"relation": relation, "url": url} for relation, url in links]:
        head["link"] = said
    text = dump(head)
    return text if not entries else b'%s,"entry":[%s]}' % (text[:-1], b",".join(entries))


def response_entry(
    status: int, outcome: bytes | None = None, resource: bytes | None = None, *, location: str | None = None, etag: str | None = None,
    modified: str | None = None,
) -> bytes:
    """An entry of a batch-response or transaction-response."""
    said: JsonObject = {"status": f"{status} {HTTPStatus(status).phrase}"}
    said |= {name: value for name, value in (("location", location), ("etag", etag), ("lastModified", modified)) if value is not None}
    response = dump(said) if outcome is None else b'%s,"outcome":%s}' % (dump(said)[:-1], outcome)
    return b'{%s"response":%s}' % (b"" if resource is None else b'"resource":%s,' % resource, response)
