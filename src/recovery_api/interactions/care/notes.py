"""What goes with a note (domain.md 1.4)."""
from recovery_api.domain.notes import is_note
from recovery_api.fhir.json import JsonObject
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import found
from recovery_api.store.reader import Reader


async def notes_of(server: Server, reader: Reader, session: str) -> list[JsonObject]:
    """The notes about a session ("Encounter/id") that are current."""
    documents = await found(server, reader, "DocumentReference", ("encounter", session), ("status", "current"))
    return [each for each in documents if is_note(each) and each["docStatus"] != "entered-in-error"]
