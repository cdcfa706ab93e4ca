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
    for record in records:
        if record.type in OF_OTHERS:
            return [one for each in records for one in await _of_others(reader, each)]
    return records


async def _of_others(reader: Reader, record: Record) -> list[Record]:
    clients: Sequence[str] = ()
    if record.type == "Group" and record.body is not None:
        clients = await members(reader, load(record.body))
    elif record.type in POINTING:
        clients = await reader.clients_pointed_at(record.type, record.id, record.version)
    return [record._replace(client=client) for client in clients] or [record]
