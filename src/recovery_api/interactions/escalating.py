"""What escalations need of the server: the rules in force, who is asked last, and when the agency is closed."""
from collections.abc import Set as AbstractSet
from datetime import date

from recovery_api.domain.escalation_rules import Rulebook, rulebook
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.shipped import shipped
from recovery_api.policy.grant import Sight
from recovery_api.store.search import SearchQuery
from recovery_api.store.writer import NO_PLANS, Writer

MOST_PLANS = 1_000


class Escalating:
    """One for the server. `on_call` is "Practitioner/id", or '' for nobody."""

    def __init__(self, on_call: str, holidays: AbstractSet[date], system: Sight) -> None:
        self.on_call = on_call
        self.holidays = holidays
        self._system = system
        self._known: tuple[str, Rulebook] | None = None

    async def rules(self, writer: Writer) -> Rulebook:
        """The rules in force: those that are shipped, and the stored PlanDefinitions, as they were when the transaction began or later.

        They are read again only when a PlanDefinition has changed, in whichever process.
        """
        if self._known is None or self._known[0] != writer.plans:
            stored = await self._stored(writer) if writer.plans != NO_PLANS else []
            self._known = writer.plans, rulebook(shipped("PlanDefinition"), stored)
        return self._known[1]

    async def _stored(self, writer: Writer) -> list[JsonObject]:
        page = await writer.seeing(self._system).search(SearchQuery(("PlanDefinition",), count=MOST_PLANS))
        return sorted((load(record.body) for record in page.records if record.body), key=lambda plan: plan["meta"]["lastUpdated"])
