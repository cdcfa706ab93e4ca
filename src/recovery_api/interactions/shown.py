"""Of whom an answer speaks: the versions that it holds, and the clients that they belong to."""
from collections.abc import Sequence

from recovery_api.fhir.json import load
from recovery_api.interactions.present import members
from recovery_api.policy.audit import Shown
from recovery_api.store.reader import Reader
from recovery_api.store.records import Record

POINTING = frozenset({"Binary", "Provenance"})
"""Types that have the client of what they point at."""
OF_OTHERS = POINTING | {"Group"}
"""Types that speak of clients whom the record itself does not name."""


async def shown(reader: Reader, records: Sequence[Record]) -> Sequence[Shown]:
    """What is said of the records in an audit record: one entry for each client that a record belongs to."""
    if all(record.type not in OF_OTHERS for record in records):
        return records
    pointed = await reader.clients_pointed_at([record for record in records if record.type in POINTING])
    found: list[Shown] = []
    for record in records:
        clients = pointed.get((record.type, record.id, record.version), ())
        if record.type == "Group" and record.body is not None:
            clients = await members(reader, load(record.body))
        found += [record._replace(client=client) for client in clients] or [record]
    return found
