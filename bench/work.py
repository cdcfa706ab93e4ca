"""The pieces of work that are measured: what is asked, by whom, and what answer counts as done."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

from bench import population
from bench.client import request
from recovery_api.demo.people import ROLE_CODES
from recovery_api.demo.sessions import World, concept
from recovery_api.domain.codes import CANON, ref
from recovery_api.fhir.json import JsonObject, dump

UPDATED = 200
"""How many Observations the updates go around."""
MOST_CALLERS = 40


class Ask(NamedTuple):
    """A request, before it knows its server."""

    method: str
    path: str
    token: str
    body: bytes = b""
    if_match: str = ""

    def on_the_wire(self, path: str | None = None) -> bytes:
        headers = {"if_match": self.if_match} if self.if_match else {}
        return request(self.method, path or self.path, self.token, self.body, **headers)


@dataclass(frozen=True)
class Agency:
    """Who can be asked about, and by whom. `companions` are (number, token), spread over the agency."""

    clients: int
    companions: tuple[tuple[int, str], ...]
    manager: str
    """The token of the first case manager."""
    system: str
    """The token of an EHR system to whose organization all clients have consented."""

    def meeting(self, number: int) -> tuple[int, str]:
        """A client and the token of their companion: another companion each time, and in turn all of their clients."""
        companion, token = self.companions[number % len(self.companions)]
        return companion * population.CLIENTS_OF_COMPANION + number // len(self.companions) % population.CLIENTS_OF_COMPANION, token


def _path(type: str, **parameters: str) -> str:
    said = "&".join(f"{name.replace('__', ':')}={quote(value, safe='')}" for name, value in parameters.items())
    return f"/fhir/{type}?{said}"


def _code(code: str) -> str:
    return f"{CANON}/CodeSystem/companion-observation|{code}"


def _read(agency: Agency, number: int) -> Ask:
    client, token = agency.meeting(number)
    place = number * 13 % population.OBSERVATIONS_OF_CLIENT
    return Ask("GET", f"/fhir/Observation/{population.observation_id(client, place, agency.clients)}", token)


def _by_patient(agency: Agency, number: int) -> Ask:
    client, token = agency.meeting(number)
    return Ask("GET", _path("Observation", patient=population.client_id(client)), token)


def _by_code_and_date(agency: Agency, number: int) -> Ask:
    client, token = agency.meeting(number)
    since = World(datetime.now(UTC)).on("2026-04-01")
    return Ask("GET", _path("Observation", patient=population.client_id(client), code=_code("mood"), date=f"ge{since}"), token)


def _chained(agency: Agency, number: int) -> Ask:
    client, token = agency.meeting(number)
    return Ask("GET", _path("Observation", **{"patient.name": population.name_of(client)[1]}), token)


def _has(agency: Agency, number: int) -> Ask:
    _, token = agency.meeting(number)
    return Ask("GET", _path("Patient", **{"_has:Observation:patient:code": _code(population.CODES[number % 4])}), token)


def _include(agency: Agency, number: int) -> Ask:
    client, token = agency.meeting(number)
    return Ask("GET", _path("Observation", patient=population.client_id(client), _include="Observation:encounter"), token)


def _sorted(agency: Agency, number: int) -> Ask:
    client, token = agency.meeting(number)
    return Ask("GET", _path("Observation", patient=population.client_id(client), _sort="-date"), token)


def _as_system(ask: Callable[[Agency, int], Ask]) -> Callable[[Agency, int], Ask]:
    return lambda agency, number: ask(agency, number)._replace(token=agency.system)


def _told(client: int, encounter: str, number: int, id: str = "") -> JsonObject:
    world = World(datetime.now(UTC))
    code = population.CODES[number % len(population.CODES)]
    when = world.at("2026-11-09T10:00:00Z")
    companion = population.companion_of(client)
    told = world.observation(id, population.client_id(client), code, number % 11, when, companion, encounter=encounter)
    return {name: value for name, value in told.items() if value != ""}


def _create(agency: Agency, number: int) -> Ask:
    client, token = agency.meeting(number)
    encounter = population.encounter_id(client, 9, agency.clients)
    return Ask("POST", "/fhir/Observation", token, dump(_told(client, encounter, number)))


def _update(agency: Agency, number: int) -> Ask:
    """The versions of UPDATED Observations of the first client and the next, each one after the other."""
    client, place = divmod(number % UPDATED, population.OBSERVATIONS_OF_CLIENT)
    id = population.observation_id(client, place, agency.clients)
    encounter = population.encounter_id(client, place // population.OBSERVATIONS_OF_SESSION, agency.clients)
    told = _told(client, encounter, number, id)
    return Ask("PUT", f"/fhir/Observation/{id}", agency.companions[0][1], dump(told), f'W/"{1 + number // UPDATED}"')


def _transaction(agency: Agency, number: int) -> Ask:
    """What a case manager may make at once: a Patient, the CareTeam that names her, 9 Encounters and 89 Observations."""
    world = World(datetime.now(UTC))
    urns = [f"urn:uuid:00000000-0000-4000-8000-{place:012x}" for place in range(100)]
    start = world.later(world.at("2026-11-09T10:00:00Z"), days=-60)
    world.patient("", ("Flo", f"Newcomer{number}"), "female", "1990-04-02", 4326)
    member = {
        "role": [concept(*ROLE_CODES["case-manager"])],
        "member": ref("Practitioner/manager-0000"),
        "onBehalfOf": ref("Organization/org-cir"),
        "period": {"start": world.on("2026-03-01")},
    }
    world.care_team("", [member], world.on("2026-03-01"))
    for place in range(9):
        world.session("", "", "companion-0000", world.later(start, days=place), status="planned")
    for place in range(89):
        code = population.CODES[place % len(population.CODES)]
        world.observation("", "flo", code, place % 11, world.later(start, hours=place), "companion-0000", encounter=str(place % 9))
    entries: list[JsonObject] = []
    for place, told in enumerate(world.resources):
        del told["id"]
        told.pop("episodeOfCare", None)
        if "subject" in told:
            told["subject"] = ref(urns[0])
        if "encounter" in told:
            told["encounter"] = ref(urns[2 + int(told["encounter"]["reference"].removeprefix("Encounter/"))])
        entries.append({"fullUrl": urns[place], "resource": told, "request": {"method": "POST", "url": told["resourceType"]}})
    bundle: JsonObject = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    return Ask("POST", "/fhir", agency.manager, dump(bundle))


@dataclass(frozen=True)
class Work:
    """One kind of request. `entries` is how many resources the answer must hold at least (a Bundle's)."""

    name: str
    ask: Callable[[Agency, int], Ask]
    goal: str = ""
    count: int = 300
    """Requests in a round."""
    status: int = 200
    entries: int = 0
    connections: int = 8
    grows: bool = False
    """Its cost is compared between sizes of the agency."""
    slug: str = field(init=False)

    @property
    def marker(self) -> bytes:
        """Stands once in each entry of the answer."""
        return b'"response":' if self.name.startswith("transaction") else b'"fullUrl":'

    def __post_init__(self) -> None:
        object.__setattr__(self, "slug", self.name.replace(" ", "-").replace(",", ""))


WORKS = (
    Work("read by id", _read, "≤ 2.5 F", 600, grows=True),
    Work("search of 20 by patient", _by_patient, "≤ 4 F", entries=20, grows=True),
    Work("read by consent", _as_system(_read), "≤ 2.5 F", 600, grows=True),
    Work("search of 20 by consent", _as_system(_by_patient), "≤ 4 F", entries=20, grows=True),
    Work("by patient, code and date", _by_code_and_date, "≤ 4 F", entries=20, grows=True),
    Work("by patient, sorted by date", _sorted, entries=20, count=200),
    Work("chained by patient.name", _chained, entries=20, count=200, grows=True),
    Work("_has an Observation of a code", _has, entries=20, count=100, grows=True),
    Work("by patient, with its Encounters", _include, entries=22, count=200),
    Work("create an Observation", _create, "≤ 10 F", 200, 201),
    Work("update an Observation", _update, "", UPDATED),
    Work("transaction of 100", _transaction, "≤ 40 ms", 3, entries=100, connections=1),
)
