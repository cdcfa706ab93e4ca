"""What would be open to whom if a Consent said something else: tried in a transaction that is undone."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias, cast

from sqlalchemy import Text, select

from recovery_api.store import consents
from recovery_api.store.compile import Compiler, Scope
from recovery_api.store.records import ConsentRule
from recovery_api.store.statement import Statement, bind
from recovery_api.store.tables import resource
from recovery_api.store.unit import Store
from recovery_api.store.visibility import SYSTEM, Visibility
from recovery_api.store.writer import Writer


class Open(NamedTuple):
    """A resource that is open to a recipient (a reference). `labels` are bits."""

    recipient: str
    type: str
    id: str
    labels: int


Opened: TypeAlias = frozenset[Open]


async def impact(
    store: Store, asking: Visibility, client: str, consent: str, rules: Sequence[ConsentRule], recipients: Mapping[str, Visibility]
) -> tuple[Opened, Opened]:
    """What of the client is open to the recipients before, and after the Consent (a logical id) states these rules.

    `asking`: who wants to know, and is told of nothing else than what they see. `recipients`: what a recipient's rules are, by their
    reference, in which `recipient` and `client` are left open.
    """
    async with store.trial(SYSTEM) as writer:
        before = await _opened(writer, asking, client, recipients)
        await consents.replace(writer, consent, rules)
        return before, await _opened(writer, asking, client, recipients)


async def _opened(writer: Writer, asking: Visibility, client: str, recipients: Mapping[str, Visibility]) -> Opened:
    found: set[Open] = set()
    for recipient, sight in recipients.items():
        statement = writer.statements.get(("opened", asking.key, sight.key), lambda sight=sight: _open(writer, asking, sight))
        named = {**asking.binds, "client": client, "recipient": recipient, "now": writer.stamp}
        rows = await writer.connection.fetch(statement.text, statement.values(named))
        found.update(Open(recipient, *cast("tuple[str, str, int]", row)) for row in rows)
    return frozenset(found)


def _open(writer: Writer, asking: Visibility, sight: Visibility) -> Statement:
    compiler = Compiler(writer.statements.dialect, writer.statements.parameters, sight)
    client = bind("client", Text())
    scope = Scope(resource, tuple(sight.rules), client)
    opened = select(resource.c.type, resource.c.id, resource.c.labels).where(
        resource.c.client == client, compiler.visible(scope), compiler.seeing(asking).visible(scope)
    )
    return writer.statements.compiled(opened)
