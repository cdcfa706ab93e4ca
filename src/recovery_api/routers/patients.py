"""The patients that a person may choose from: those whom their role opens, found by the server's own search."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from recovery_api.fhir.errors import FhirError, ServiceUnavailable
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.names import called
from recovery_api.identity.accounts import Account
from recovery_api.identity.actor import Actor
from recovery_api.interactions.context import FhirRequest, Server
from recovery_api.interactions.pipeline import perform

MOST = 20
"""How many are shown at once."""


class Patient(NamedTuple):
    """A patient as people know them. `id` is the logical id, `born` a date or ''."""

    id: str
    name: str
    born: str


class Patients:
    """Finds patients for accounts."""

    def __init__(self, server: Server, actor: Callable[[Account], Awaitable[Actor]]) -> None:
        """`actor` gives the caller that an account is, with scopes to read and search patients."""
        self._server = server
        self._actor = actor

    async def search(self, account: Account, words: str) -> list[Patient]:
        """Whose names hold the words (''; everybody), at most MOST of them."""
        query = (*(("name", word) for word in words.split()), ("_count", str(MOST)), ("_sort", "family,given"))
        found = await self._asked(account, interaction="search-type", query=query)
        entries = found.get("entry", ()) if found else ()
        return [_patient(entry["resource"]) for entry in entries if entry["search"]["mode"] == "match"]

    async def find(self, account: Account, id: str) -> Patient | None:
        """The patient of an id; None where there is none for this account."""
        found = await self._asked(account, interaction="read", id=id)
        return _patient(found) if found else None

    async def may_read(self, account: Account, type: str, id: str) -> bool:
        """Whether the account may read a resource."""
        return await self._asked(account, interaction="read", type=type, id=id) is not None

    async def _asked(
        self, account: Account, *, interaction: str, type: str = "Patient", id: str | None = None, query: tuple[tuple[str, str], ...] = ()
    ) -> JsonObject | None:
        request = FhirRequest(interaction=interaction, actor=await self._actor(account), type=type, id=id, query=query)
        try:
            return load((await perform(self._server, request)).body or b"{}")
        except ServiceUnavailable:
            raise
        except FhirError:
            return None


def _patient(resource: JsonObject) -> Patient:
    return Patient(resource["id"], called(resource) or "Name not known", resource.get("birthDate", ""))
