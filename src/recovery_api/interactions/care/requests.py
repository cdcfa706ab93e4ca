"""Requests of clients about their record: the server sets who decides them and by when (domain/requests.py)."""

from recovery_api.domain import requests
from recovery_api.domain.codes import ref
from recovery_api.domain.referrals import client_of
from recovery_api.fhir.errors import Forbidden, Rule, Unprocessable
from recovery_api.fhir.instants import instant, moment
from recovery_api.fhir.search.dates import implicit_range
from recovery_api.fhir.search.expression import Own, both
from recovery_api.interactions.care.staffing import case_manager
from recovery_api.interactions.care.written import Written
from recovery_api.policy.relations import RULES
from recovery_api.store.search import SearchQuery

NO_OTHER = Rule("request-fixed", Unprocessable, "A Task does not become a client's request.")
OWN = Rule("own-request", Forbidden, "The client asks, or their verified representative.", "forbidden")


async def prepare(written: Written) -> None:
    """Hold a request to its table, and state its owner and its deadline."""
    before, after = written.before, written.after
    code = requests.code_of(before if before is not None else after)
    if code is None:
        if requests.code_of(after) is not None:
            raise NO_OTHER.broken(at="Task.code")
        return
    requests.check(before, after, written.actor.role)
    if written.actor.role == "client" and not await _is_theirs(written):
        raise OWN.broken(at="Task.requester")
    server, now = written.server, instant(written.server.clock())
    if before is None:
        client = client_of(after)
        manager = await case_manager(server, written.writer, client.removeprefix("Patient/")) if client else None
        after |= {"intent": "order", "authoredOn": now}
        after.pop("owner", None)
        if manager is not None:
            after["owner"] = ref(manager)
    after["lastModified"] = now
    if before is None or written.became("status", "on-hold"):
        asked = moment(implicit_range(after.get("authoredOn", now), server.zone).low, server.zone)
        end = requests.deadline(code, asked, after["status"])
        after["restriction"] = {"period": {"start": asked.isoformat(timespec="seconds"), "end": end.isoformat(timespec="seconds")}}
    elif "restriction" in before:
        after["restriction"] = before["restriction"]


async def _is_theirs(written: Written) -> bool:
    """Whether the record is the caller's own, or that of somebody whom they represent."""
    client = (client_of(written.after) or "").removeprefix("Patient/")
    own = SearchQuery(("Patient",), both(Own("id", "=", client), RULES["own-record"].opens), count=1)
    return bool((await written.writer.search(own)).records)
