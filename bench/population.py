"""A synthetic agency of any size, written straight into a migrated database.

Its shape does not change as it grows: 20 clients to a companion, 5 companions to a case manager, and of each client 10 sessions
with 100 Observations. So what one caller sees stays the same, and only the rest of the agency gets larger.

Encounters and Observations are made from templates: the body and the index rows of each template come from the server's own
extractor, and a copy differs in ids only. Every template is proved against the extractor when it is made.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, DropIndex

from recovery_api.app import Running
from recovery_api.demo.people import ROLE_CODES, Member
from recovery_api.demo.sessions import World
from recovery_api.domain.codes import concept, ref
from recovery_api.fhir.instants import EPOCH, instant
from recovery_api.fhir.json import JsonObject, dump, load
from recovery_api.fhir.labels import mark
from recovery_api.fhir.search.expression import IndexRow
from recovery_api.interactions.context import Server
from recovery_api.policy.facets import facets
from recovery_api.store import writes
from recovery_api.store.bulk import Item, resource_row
from recovery_api.store.records import Facets
from recovery_api.store.tables import resource, search_index
from recovery_api.store.visibility import SYSTEM
from recovery_api.store.writer import Writer, party_rows, stated, type_number

CLIENTS_OF_COMPANION, COMPANIONS_OF_MANAGER = 20, 5
SESSIONS, OBSERVATIONS_OF_SESSION = 10, 10
OBSERVATIONS_OF_CLIENT = SESSIONS * OBSERVATIONS_OF_SESSION
CODES = ("mood", "craving", "sleep-quality", "social-contact")
FAMILIES = (
    "Morales", "Okafor", "Lindqvist", "Petrov", "Tanaka", "Abara", "Brandt", "Castillo", "Dubois", "Eriksen", "Farouk", "Grant", "Haddad",
    "Ivanov", "Jensen", "Kowalski", "Laurent", "Mbeki", "Nakamura", "Ortiz", "Pereira", "Quinn", "Rossi", "Sato", "Toure", "Ueda", "Vargas",
    "Weber", "Xu", "Yilmaz", "Zhang",
)  # fmt: skip
GIVEN = (
    "Ana", "Ben", "Cora", "Dan", "Eve", "Flo", "Gus", "Hana", "Ivo", "Jo", "Kai", "Lea", "Max", "Nia", "Oto", "Pia", "Rui", "Sol", "Tom",
)  # fmt: skip
AT_ONCE = 4_000


class Stored(NamedTuple):
    """A resource as the tables hold it."""

    type: str
    id: str
    body: bytes
    facets: Facets
    rows: Sequence[IndexRow]


def client_id(number: int) -> str:
    return f"01920000-0000-7000-8000-{number:012x}"


def encounter_id(client: int, session: int, clients: int) -> str:
    return f"01920000-1000-7000-8000-{session * clients + client:012x}"


def observation_id(client: int, place: int, clients: int) -> str:
    """The `place`-th (from 0) Observation of a client: ids grow with time, as UUIDv7 do, so that neighbours are of different clients."""
    session, within = divmod(place, OBSERVATIONS_OF_SESSION)
    return f"01920000-2000-7000-8000-{(session * clients + client) * OBSERVATIONS_OF_SESSION + within:012x}"


def companion_of(client: int) -> str:
    return f"companion-{client // CLIENTS_OF_COMPANION:04}"


def manager_of(client: int) -> str:
    return f"manager-{client // CLIENTS_OF_COMPANION // COMPANIONS_OF_MANAGER:04}"


def name_of(client: int) -> tuple[str, str]:
    """Given and family name."""
    return GIVEN[client * 7 % len(GIVEN)], FAMILIES[client * 11 % len(FAMILIES)]


# Placeholders of templates: as long as what takes their place
CLIENT, ENCOUNTER, OBSERVATION = (f"01920000-{kind}-7000-8000-ffffffffffff" for kind in ("0000", "1000", "2000"))
COMPANION = "companion-ffff"


@dataclass(frozen=True)
class Template:
    """What differs from copy to copy is ids, whole or within "Type/id"."""

    stored: Stored

    def copy(self, id: str, client: str, encounter: str, companion: str) -> Stored:
        old = self.stored
        swap = {CLIENT: client, ENCOUNTER: encounter, OBSERVATION: id, COMPANION: companion}
        body = old.body
        for placeholder, name in swap.items():
            body = body.replace(placeholder.encode(), name.encode())
        rows = [row._replace(value=swap[row.value]) if row.value in swap else row for row in old.rows]
        parties = tuple((role, holder.replace(COMPANION, companion)) for role, holder in old.facets.parties)
        links = tuple(link.replace(ENCOUNTER, encounter) for link in old.facets.links)
        return Stored(old.type, id, body, old.facets._replace(client=client, parties=parties, links=links), rows)


def stored(server: Server, said: JsonObject) -> Stored:
    """A resource as the server's own write would store it."""
    meta = {"versionId": "1", "lastUpdated": instant(server.clock())}
    said = {"resourceType": said["resourceType"], "id": said["id"], "meta": meta, **said}
    about = _labelled(server, said)
    mark(said, about.labels)
    return Stored(said["resourceType"], said["id"], dump(said), about, tuple(server.extract(said)))


def _labelled(server: Server, said: JsonObject) -> Facets:
    """The facets of a resource that no law and nothing else labels but its own content."""
    about = facets(said, server.matrix, server.zone)
    return about._replace(labels=about.basis.labels(0, 0, 0))


def _now(server: Server) -> World:
    return World(EPOCH + timedelta(microseconds=server.clock()))


def templates(server: Server) -> tuple[list[Template], list[list[Template]]]:
    """An Encounter for each session, and its Observations."""
    encounters: list[Template] = []
    observations: list[list[Template]] = []
    for session in range(SESSIONS):
        world = _now(server)
        start = world.later(world.at("2026-10-20T16:00:00Z"), days=-21 * (SESSIONS - session))
        made = world.session(ENCOUNTER, CLIENT, COMPANION, start)
        del made["episodeOfCare"]
        encounters.append(_proved(server, Template(stored(server, made))))
        observations.append([])
        for place in range(OBSERVATIONS_OF_SESSION):
            when = world.later(start, minutes=5 * place)
            code, value = CODES[place % len(CODES)], (session * 3 + place) % 11
            told = world.observation(OBSERVATION, CLIENT, code, value, when, COMPANION, encounter=ENCOUNTER)
            observations[-1].append(_proved(server, Template(stored(server, told))))
    return encounters, observations


def _proved(server: Server, template: Template) -> Template:
    """The template, whose copy has the index rows and facets that the server would give it."""
    encounter = encounter_id(1, 1, 9)
    id = encounter if template.stored.type == "Encounter" else observation_id(1, 1, 9)
    copy = template.copy(id, client_id(1), encounter, "companion-0001")
    said = load(copy.body)
    if sorted(map(repr, copy.rows)) != sorted(map(repr, server.extract(said))) or copy.facets != _labelled(server, said):
        raise AssertionError(f"A copy of a {copy.type} is not indexed as the server would index it.")
    return template


def people(server: Server, clients: int) -> Iterator[Stored]:
    """The agency, its staff, its clients, their care teams and what they consent to."""
    world = _now(server)
    start = world.on("2026-03-01")
    world.organization("org-cir", "Companions in Recovery", "agency", True)
    world.organization("org-riverbend", "Riverbend Health", "health-system", False)
    for client in range(0, clients, CLIENTS_OF_COMPANION * COMPANIONS_OF_MANAGER):
        world.staff(manager_of(client), Member("Abara", "Ruth", "case-manager", "org-cir"))
    for client in range(0, clients, CLIENTS_OF_COMPANION):
        world.staff(companion_of(client), Member("Ortiz", "Maya", "companion", "org-cir", manager_of(client)))
    for client in range(clients):
        id = client_id(client)
        world.patient(id, name_of(client), "female", f"19{60 + client % 40}-0{1 + client % 9}-{10 + client % 19}", 1000 + client % 9000)
        members = [_member(companion_of(client), "companion", start), _member(manager_of(client), "case-manager", start)]
        world.care_team(id, members, start)
        world.consent(f"c-{id}", id, start, form=False)
    for told in world.resources:
        yield stored(server, told)


def _member(id: str, role: str, start: str) -> JsonObject:
    return {
        "role": [concept(*ROLE_CODES[role])],
        "member": ref(f"Practitioner/{id}"),
        "onBehalfOf": ref("Organization/org-cir"),
        "period": {"start": start},
    }


def records(server: Server, clients: int) -> Iterator[Stored]:
    """Sessions and Observations, in the order in which they came to be."""
    encounters, observations = templates(server)
    for session in range(SESSIONS):
        for client in range(clients):
            names = (client_id(client), encounter_id(client, session, clients), companion_of(client))
            yield encounters[session].copy(names[1], *names)
            for place, template in enumerate(observations[session]):
                yield template.copy(observation_id(client, session * OBSERVATIONS_OF_SESSION + place, clients), *names)


async def populate(running: Running, observations: int) -> int:
    """Fill an empty migrated database with about so many Observations; the number of clients."""
    server = running.server
    clients = max(CLIENTS_OF_COMPANION, observations // OBSERVATIONS_OF_CLIENT)
    async with _without_indexes(server):
        for made in (people(server, clients), records(server, clients)):
            batch: list[Stored] = []
            for one in made:
                batch.append(one)
                if len(batch) == AT_ONCE:
                    await _keep(server, batch)
                    batch.clear()
            await _keep(server, batch)
    if server.store.statements.dialect == "postgresql":
        async with server.store.reader(SYSTEM) as reader:
            await reader.connection.execute("VACUUM (ANALYZE)")
            await reader.connection.execute("CHECKPOINT")
    return clients


async def _keep(server: Server, batch: Sequence[Stored]) -> None:
    async with server.store.writer(SYSTEM, creator="bench") as writer:
        stamp, connection = writer.stamp, writer.connection
        await connection.copy(
            "resource",
            writes.RESOURCE_COLUMNS,
            [
                resource_row(Item(type, id, 1, False, body, about, ()), stamp, "PUT", writer.creator)
                for type, id, body, about, _ in batch
            ],
        )
        await connection.copy(
            "search_index",
            writes.INDEX_COLUMNS,
            [(row[0], type_number(type), id, about.client, *row[1:]) for type, id, _, about, rows in batch for row in rows],
        )
        await connection.copy("party", writes.PARTY_COLUMNS, [row for one in batch for row in party_rows(one.type, one.id, 1, one.facets)])
        await _relate(writer, batch)
        await connection.copy("client_context", ("client", "labels"), [(one.id, 0) for one in batch if one.type == "Patient"])


async def _relate(writer: Writer, batch: Sequence[Stored]) -> None:
    for one in batch:
        await stated(writer, one.type, one.id, one.facets)


@asynccontextmanager
async def _without_indexes(server: Server) -> AsyncIterator[None]:
    """The large tables' indexes are made when all is there, which is much faster; `party` and `relation` keep theirs."""
    dialect = (postgresql if server.store.statements.dialect == "postgresql" else sqlite).dialect()
    indexes = sorted((*resource.indexes, *search_index.indexes), key=lambda index: str(index.name))

    async def run(*statements: str) -> None:
        async with server.store.writer(SYSTEM) as writer:
            for statement in statements:
                await writer.connection.execute(statement)

    await run(*(str(DropIndex(index).compile(dialect=dialect)) for index in indexes))
    yield
    for index in indexes:
        await run(str(CreateIndex(index).compile(dialect=dialect, compile_kwargs={"literal_binds": True})))
