"""What would be open to whom if a Consent said something else: tried in a transaction that is undone."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, cast

from sqlalchemy import Text, func, select, true

from recovery_api.store import consents
from recovery_api.store.consented import Consents
from recovery_api.store.records import ConsentRule
from recovery_api.store.statement import Statement, bind
from recovery_api.store.tables import resource
from recovery_api.store.unit import Store
from recovery_api.store.visibility import SYSTEM
from recovery_api.store.writer import Writer

Opened: TypeAlias = Mapping[tuple[str, str, int], int]
"""How many resources are open, by recipient (a reference), type and labels (bits)."""

KEPT_INSIDE = ("consent-form", "boundary-event", "supervision")
"""Access classes that no Consent opens."""


async def impact(
    store: Store, client: str, consent: str, rules: Sequence[ConsentRule], recipients: Iterable[str], types: Sequence[str]
) -> tuple[Opened, Opened]:
    """What of the client is open to the recipients for treatment before, and after the Consent (a logical id) states these rules."""
    named = tuple(recipients)
    async with store.trial(SYSTEM) as writer:
        before = await _opened(writer, client, named, types)
        await consents.replace(writer, consent, rules)
        return before, await _opened(writer, client, named, types)


async def _opened(writer: Writer, client: str, recipients: Sequence[str], types: Sequence[str]) -> Opened:
    statement = writer.statements.get(("opened", tuple(types)), lambda: _open(writer, types))
    found: Counter[tuple[str, str, int]] = Counter()
    for recipient in recipients:
        values = statement.values({"client": client, "recipient": recipient, "now": writer.stamp})
        for type_, labels, count in cast("Sequence[tuple[str, int, int]]", await writer.connection.fetch(statement.text, values)):
            found[recipient, type_, labels] += count
    return found


def _open(writer: Writer, types: Sequence[str]) -> Statement:
    opened = Consents(resource, types, recipient=bind("recipient", Text())).permitted()
    where = (
        resource.c.client == bind("client", Text()),
        resource.c.type.in_(types),
        resource.c.released == true(),
        resource.c.kind.not_in(KEPT_INSIDE),
        opened,
    )
    columns = (resource.c.type, resource.c.labels)
    return writer.statements.compiled(select(*columns, func.count()).where(*where).group_by(*columns))
