"""What goes into an interaction and what comes out: the request, the server that it runs on, the result."""
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from recovery_api.domain.minors import Ages
from recovery_api.fhir.errors import BadRequest
from recovery_api.fhir.json import JsonObject, parse
from recovery_api.fhir.search.extract import Extractor
from recovery_api.fhir.search.query import SearchContext
from recovery_api.identity.actor import Actor
from recovery_api.identity.endpoints import Endpoints
from recovery_api.identity.keys import Sealer
from recovery_api.identity.remembered import Remembered
from recovery_api.interactions.escalating import Escalating
from recovery_api.policy.audit import Decision, Shown
from recovery_api.policy.grant import Grants
from recovery_api.policy.matrix import Matrix
from recovery_api.policy.notice import Notice
from recovery_api.store.audit import AuditLog
from recovery_api.store.files import FileStore
from recovery_api.store.labelling import Labeller
from recovery_api.store.unit import Store


class Prefer(NamedTuple):
    """The header Prefer (RFC 7240): `return` and `handling`."""

    returns: str = ""
    """minimal, representation, OperationOutcome; '' where nothing is preferred: a resource, and no resource in a Bundle."""
    handling: str = "strict"
    respond_async: bool = False
    """The answer may come later (RFC 7240, 4.1)."""


NO_PREFERENCE = Prefer()


class FhirRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One interaction that somebody asks for, whether by HTTP, as a Bundle entry or from the command line."""

    interaction: str
    """As in https://hl7.org/fhir/R4/valueset-system-restful-interaction.html and -type-, or "operation"."""
    actor: Actor
    type: str | None = None
    id: str | None = None
    version: str | None = None
    compartment: tuple[str, str] | None = None
    operation: str | None = None
    method: str = "POST"
    """HTTP's, by which an operation is asked for: GET or POST."""
    query: tuple[tuple[str, str], ...] = ()
    look: tuple[tuple[str, str], ...] = ()
    """`_format` and `_pretty`, where the address has them: page links repeat them."""
    body: bytes | JsonObject = b""
    patch_type: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    if_none_exist: str | None = None
    prefer: Prefer = NO_PREFERENCE
    accept: str = ""
    """An Accept header, or a `_format`, where more than FHIR JSON is served; '' elsewhere."""
    raw: bool = False
    """The body came as it is, in its own media type: it is a Binary's."""
    address: str = ""
    """The network address that it came from."""

    def content(self) -> JsonObject:
        """The body as a JSON object. Raises BadRequest where it is none."""
        if isinstance(self.body, dict):
            return self.body
        if not self.body:
            raise BadRequest("A body is needed here.")
        return parse(self.body)


class Packed(NamedTuple):
    """A file as it is kept, packed by gzip: its bytes, how many they are, and how many they are unpacked."""

    chunks: AsyncIterator[bytes]
    packed: int
    size: int


class FhirResult(NamedTuple):
    """What an interaction answers: HTTP's business is to put it on the wire."""

    status: int
    body: bytes | None = None
    version: int | None = None
    last_updated: int | None = None
    """Microseconds since the epoch, UTC."""
    location: str | None = None
    """Relative to the base: "Type/id/_history/version"."""
    outcome: JsonObject | None = None
    """What a write says about itself, for callers who prefer that to the resource."""
    shown: Sequence[Shown] = ()
    """What the answer holds, or was written, for the audit record."""
    consents: tuple[str, ...] = ()
    """References to the Consents on which a disclosure rests."""
    decision: Decision | None = None
    """What was decided on Consents, or by them."""
    pairs: Sequence[tuple[str, str]] | None = None
    """The parameters that were followed, where a page link stands for them."""
    interaction: str = ""
    """What it turned out to be, where the request does not tell (transaction)."""
    recorded: bool = False
    """Its audit record is written already, in its own transaction."""
    noticed: bool = False
    """The redisclosure notice goes with it."""
    urgent: bool = False
    """What it says about itself is told whatever the caller prefers."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """HTTP headers beside the usual ones, names in lower case."""
    media_type: str | None = None
    """What the body is, where that is not FHIR JSON."""
    is_content: bool = False
    """The body is what a Binary holds, or a page made of it: it may be asked for in parts."""
    file: Packed | None = None
    """The body, where it comes bit by bit."""


class Jobs(NamedTuple):
    """What jobs work with."""

    files: FileStore
    kept: int
    """Seconds that the files of a job are kept."""
    at_once: int
    """Jobs of one caller that may be under way at once."""
    endpoints: Endpoints
    """Calls the addresses of what is to be brought in."""
    folder: Path | None
    """From where files may be brought in."""
    spool: Path
    """Where files from elsewhere are laid down while they are brought in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """All that interactions need; made once, in `app`."""

    store: Store
    audit: AuditLog
    search: SearchContext
    extract: Extractor
    matrix: Matrix
    grants: Grants
    labeller: Labeller
    links: Sealer
    """Seals page links."""
    bindings: Sealer
    """Seals what binds a websocket to Subscriptions."""
    clock: Callable[[], int]
    new_id: Callable[[], str]
    base: str
    """The FHIR base URL, without a slash at its end."""
    zone: ZoneInfo
    notice: Notice
    goals_per_week: int
    """New active goals that a client may get in seven days, beside those that they express."""
    emergency_access_ttl: int
    """Seconds that an emergency access lasts."""
    escalating: Escalating
    note_review_hours: int
    """Hours in which a submitted note is to be read over."""
    supervision_cadence_days: int
    """Days from one check-in to the next, where nothing else is said."""
    consent_expiry_days: int
    """Days before the end of a Consent in which somebody is told of it."""
    ages: Ages
    """From which age clients sign alone."""
    endpoints: Endpoints
    """Calls the endpoints of subscribers."""
    remembered: Remembered
    """Knows whose rights have ended."""
    published: Mapping[str, bytes] = field(repr=False)
    """What everybody may read, by its path below the base: "metadata" is the CapabilityStatement."""
    interactions: Mapping[str, frozenset[str]] = field(repr=False)
    """The interactions that each served type has."""
    jobs: Jobs
