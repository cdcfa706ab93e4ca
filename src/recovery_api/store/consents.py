"""What the active Consents say, kept as rows in the transaction that writes the Consent."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Text, delete

from recovery_api.store.connected import Connected
from recovery_api.store.records import ConsentRule
from recovery_api.store.statement import SqlValue, bind
from recovery_api.store.tables import consent_rule

COLUMNS = tuple(column.name for column in consent_rule.columns)


async def replace(writer: Connected, consent: str, rules: Sequence[ConsentRule]) -> None:
    """Make these, and no others, the rules that the Consent (a logical id) states."""
    forget = writer.statements.fixed(
        "forget-consent", lambda: delete(consent_rule).where(consent_rule.c.consent == bind("stated_by", Text()))
    )
    await writer.connection.execute(forget.text, [consent])
    if rules:
        await writer.connection.copy("consent_rule", COLUMNS, [row_of(rule) for rule in rules])


def listed(items: Iterable[str]) -> str:
    """A list as one text, a space before, between and after its items, so that an item is found as text; empty for an empty list."""
    joined = " ".join(items)
    return f" {joined} " if joined else ""


def row_of(rule: ConsentRule) -> tuple[SqlValue, ...]:
    """The rule as it stands in the table, its columns in the order of COLUMNS."""
    data_from, data_until = rule.data or (None, None)
    lists = {name: listed(getattr(rule, name)) for name in ("actors", "actors_within", "purposes", "classes")}
    named = rule._asdict() | lists | {"data_from": data_from, "data_until": data_until}
    return tuple([named[name] for name in COLUMNS])
