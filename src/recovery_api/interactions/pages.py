"""The links of a page: what was done, and the next page. All that a page needs is in its link, sealed for caller and address.

Sealed, not only signed: a link says up to which moment the search looks, and that is nobody's business.
"""
from collections.abc import Iterable, Sequence
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec

from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.interactions.context import FhirRequest, Server

PARAMETER, COUNT = "_page", "_count"


class Asking(Protocol):
    """Whatever answers in pages: a read, or an operation."""

    @property
    def server(self) -> Server: ...

    @property
    def request(self) -> FhirRequest: ...


def link(asking: Asking, pairs: Sequence[tuple[str, str]]) -> str:
    """The address of the request with these parameters."""
    path, said = _path(asking.request), urlencode(pairs, safe=":,|/$")
    return f"{asking.server.base}{'/' if path else ''}{path}{'?' if said else ''}{said}"


def next_link(asking: Asking, content: Any) -> str:
    """The link to the page that this content (what JSON can hold) stands for, good for this caller at this address.

    How the answer is to look (`_format`, `_pretty`) stays.
    """
    sealed = asking.server.links.seal(msgspec.json.encode(content), _whose(asking.request))
    return link(asking, [(PARAMETER, sealed), *asking.request.look])


def followed(asking: Asking, *beside: str) -> Any:
    """The content of the page link that the request follows; None where it begins anew. `beside` may stand beside the link.

    Raises BadRequest for a link with more beside it, and the same for one that was changed, is another caller's, or leads elsewhere.
    """
    sealed = [value for name, value in asking.request.query if name == PARAMETER]
    if not sealed:
        return None
    if len(sealed) > 1 or any(name not in {PARAMETER, *beside} for name, _ in asking.request.query):
        raise BadRequest(Issue("invalid", f"{PARAMETER} stands alone: the link holds all of the search."))
    content = asking.server.links.unseal(sealed[0], _whose(asking.request))
    if content is None:
        raise BadRequest(Issue("value", f"{PARAMETER} is not a page link of this caller's for this address; begin the search again."))
    return msgspec.json.decode(content)


def sized(asking: Asking, pairs: Iterable[Sequence[str]]) -> list[tuple[str, str]]:
    """The parameters that a page link holds, with the `_count` that stands beside the link in place of theirs: some clients (Medplum's)
    say the size of each page anew.
    """
    said = [(name, value) for name, value in asking.request.query if name == COUNT]
    return [*((name, value) for name, value in pairs if not (said and name == COUNT)), *said]


def _path(request: FhirRequest) -> str:
    inside = request.type or ("*" if request.compartment else None)
    last = f"${request.operation}" if request.operation else "_history" if request.interaction.startswith("history") else None
    return "/".join(part for part in (*(request.compartment or ()), inside, request.id, last) if part)


def _whose(request: FhirRequest) -> bytes:
    actor = request.actor
    return msgspec.json.encode((actor.role, actor.holder, actor.organization, actor.patient, actor.client_id, _path(request)))
