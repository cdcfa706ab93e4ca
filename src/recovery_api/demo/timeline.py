"""The clock of the demo world: every date is told for the moment T0 and moved to the moment that is now."""

from datetime import UTC, datetime, timedelta

from recovery_api.fhir.json import Json, JsonObject

T0 = datetime(2026, 11, 10, 12, tzinfo=UTC)


class Timeline:
    """Resources in the order in which they were told, with all dates moved by (now - T0).

    `now` is an aware datetime; dates are UTC days, instants UTC seconds.
    """

    def __init__(self, now: datetime = T0) -> None:
        self.now = now.replace(microsecond=0)
        self.shift = self.now - T0
        self.resources: list[JsonObject] = []

    def at(self, told: str) -> str:
        """The instant that was told for T0."""
        return (datetime.fromisoformat(told) + self.shift).strftime("%Y-%m-%dT%H:%M:%SZ")

    def on(self, told: str) -> str:
        """The day that was told for T0."""
        return (datetime.fromisoformat(f"{told}T12:00:00+00:00") + self.shift).strftime("%Y-%m-%d")

    def later(self, instant: str, *, days: float = 0, hours: float = 0, minutes: float = 0) -> str:
        """An instant some time after (or, negative, before) another."""
        moved = datetime.fromisoformat(instant) + timedelta(days=days, hours=hours, minutes=minutes)
        return moved.strftime("%Y-%m-%dT%H:%M:%SZ")

    def add(self, resource: dict[str, Json]) -> JsonObject:
        """Keep a resource, without its empty members."""
        kept: JsonObject = {name: value for name, value in resource.items() if value not in (None, [], {})}
        self.resources.append(kept)
        return kept
