"""Conditional interactions: criteria in place of an id (https://hl7.org/fhir/R4/http.html#cond-update).

Criteria see what the caller may search, no more: a hidden match is no match.
"""
import hashlib
from collections.abc import Sequence
from urllib.parse import urlencode

from recovery_api.fhir.errors import BadRequest, Issue, PreconditionFailed
from recovery_api.fhir.search.parse import condition
from recovery_api.identity.actor import Actor
from recovery_api.interactions.target import pairs
from recovery_api.interactions.unit import Writing
from recovery_api.policy.decide import decide
from recovery_api.store.records import Record
from recovery_api.store.search import SearchQuery


async def matches(writing: Writing, type: str, query: str) -> Sequence[Record]:
    """Up to two resources that match the criteria, a query string. Raises BadRequest where there are none, or wrong ones."""
    server, actor = writing.server, writing.request.actor
    decide(server.matrix, actor, type, "s")
    criteria = pairs(query)
    if not criteria:
        raise BadRequest(Issue("invalid", "Criteria are needed: search parameters that name one resource."))
    where = condition(type, criteria, server.search)
    sight = server.grants.sight(actor, "s", server.clock())
    page = await writing.writer.seeing(sight).search(SearchQuery((type,), where, count=2))
    return page.records


async def claimed_matches(writing: Writing) -> Record | None:
    """What a conditional create need not make, or None; nobody else can make it until this transaction ends.

    Raises PreconditionFailed where several match.
    """
    request, type = writing.request, writing.access.type
    query = (request.if_none_exist or "").removeprefix(f"{type}?").removeprefix("?")
    key = criteria_key(request.actor, type, query)
    await writing.writer.claim(key)
    found = await matches(writing, type, query)
    await writing.writer.release(key)
    if len(found) > 1:
        raise PreconditionFailed("Several resources match the criteria of If-None-Exist.")
    return found[0] if found else None


async def one_match(writing: Writing, type: str, criteria: Sequence[tuple[str, str]]) -> Record | None:
    """The one resource that the request's criteria name, locked; None where there is none. Raises PreconditionFailed for several."""
    found = await matches(writing, type, urlencode(criteria))
    if len(found) > 1:
        raise PreconditionFailed("Several resources match the criteria.")
    return await writing.writer.lock(type, found[0].id) if found else None


def criteria_key(actor: Actor, type: str, query: str) -> str:
    """The claim that makes conditional creates with the same criteria by the same caller wait for each other."""
    said = "\n".join((actor.role, actor.organization or actor.holder, type, *sorted(query.split("&"))))
    return "if-none-exist:" + hashlib.sha256(said.encode()).hexdigest()
