"""Emergency accesses: the record of each, and the relation that it opens until the clock ends it (42 CFR 2.51)."""
from typing import NamedTuple

from recovery_api.store.records import Relation
from recovery_api.store.writer import Writer


class EmergencyAccess(NamedTuple):
    """One access: `holder` ("Practitioner/id", for `organization`) to everything of `client` (a Patient's id) that it opens.

    `starts` and `ends` are microseconds, UTC.
    """

    id: str
    holder: str
    client: str
    organization: str
    purpose: str
    reason: str
    nature: str
    facility: str
    starts: int
    ends: int


async def open_access(writer: Writer, access: EmergencyAccess) -> None:
    """Record the access, and let it open."""
    await writer.connection.copy("emergency_access", EmergencyAccess._fields, [access])
    opened = Relation("emergency", access.holder, access.client, access.organization, access.purpose, access.starts, access.ends)
    await writer.project("EmergencyAccess", access.id, [opened])
