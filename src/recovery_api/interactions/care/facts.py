"""What a rule of escalation may ask for beside the resource that was written, by the names of `domain.escalation_rules.FACTS`."""
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from recovery_api.domain.codes import CANON, LOINC, structure
from recovery_api.domain.scoring import score_of
from recovery_api.fhir.instants import moment
from recovery_api.fhir.json import Json, JsonObject, load
from recovery_api.fhir.paths import has_coding, objects_at
from recovery_api.fhir.search.dates import implicit_range
from recovery_api.fhir.search.parse import condition
from recovery_api.interactions.context import Server
from recovery_api.store.reader import Reader
from recovery_api.store.search import SearchQuery, SortKey

SOBER_TODAY = f"{CANON}/CodeSystem/companion-observation|sober-today"
IDEATION = f"{LOINC}|44260-8,{LOINC}|93374-7"
RISK_LEVELS = ("LA9194-7", "LA6751-7", "LA9193-9")
TOLD = "preliminary,final,amended,corrected"


class Asked(NamedTuple):
    """A resource about a client (a Patient's id), and a reader that sees what may count."""

    server: Server
    reader: Reader
    resource: JsonObject
    client: str

    async def found(self, type: str, *pairs: tuple[str, str], sort: tuple[SortKey, ...] = (), count: int = 10) -> list[JsonObject]:
        """Other resources of the client."""
        where = condition(type, (("patient", self.client), *pairs), self.server.search)
        page = await self.reader.search(SearchQuery((type,), where, sort=sort, count=count))
        return [each for record in page.records if record.body and (each := load(record.body))["id"] != self.resource.get("id")]

    async def latest(self, code: str) -> JsonObject | None:
        """The last Observation of the client with one of these codes (as searched for), before this one happened."""
        period: JsonObject = self.resource.get("effectivePeriod", {})
        when = self.resource.get("effectiveDateTime") or self.resource.get("effectiveInstant") or period.get("start")
        until = [("date", f"lt{when}")] if when else []
        newest = (SortKey("Observation.date", descending=True),)
        return next(iter(await self.found("Observation", ("code", code), ("status", TOLD), *until, sort=newest, count=2)), None)


async def facts(asked: Asked, names: Iterable[str]) -> Mapping[str, Json]:
    """What is known under these names; None where nothing is."""
    return {name: await _FACTS[name](asked) for name in names}


async def _score(asked: Asked) -> Json:
    return score_of(asked.resource)


async def _previous(asked: Asked) -> Json:
    said = next(iter(objects_at(asked.resource, "code.coding")), None)
    before = await asked.latest(f"{said.get('system', '')}|{said.get('code', '')}") if said else None
    return score_of(before) if before else None


async def _acuity(asked: Asked) -> Json:
    episodes = await asked.found("EpisodeOfCare", ("status", "active"))
    told = [one["valueInteger"] for each in episodes for one in each.get("extension", ()) if one["url"] == structure("acuity")]
    return max(told, default=None)


async def _age(asked: Asked) -> Json:
    """In whole years; of somebody whose birth is known less exactly, the most that it can be."""
    said = (await _patient(asked)).get("birthDate")
    if said is None:
        return None
    zone = asked.server.zone
    born, today = (moment(stamp, zone).date() for stamp in (implicit_range(said, zone).low, asked.server.clock()))
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


async def _gender(asked: Asked) -> Json:
    return (await _patient(asked)).get("gender")


async def _patient(asked: Asked) -> JsonObject:
    record = await asked.reader.read("Patient", asked.client)
    return load(record.body) if record and record.body else {}


async def _abstinent(asked: Asked) -> Json:
    """The client last told to be abstinent."""
    last = await asked.latest(SOBER_TODAY)
    return last is not None and last.get("valueBoolean") is True


async def _ideation(asked: Asked) -> Json:
    """The client last told of thoughts of death or suicide."""
    last = await asked.latest(IDEATION)
    if last is None:
        return False
    return bool(score_of(last)) or any(has_coding(last, "valueCodeableConcept", LOINC, level) for level in RISK_LEVELS)


_FACTS: Mapping[str, Callable[[Asked], Awaitable[Json]]] = MappingProxyType(
    {
        "score": _score,
        "previous": _previous,
        "acuity": _acuity,
        "age": _age,
        "gender": _gender,
        "abstinent": _abstinent,
        "ideation": _ideation,
    }
)
