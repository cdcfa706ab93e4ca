"""What the server itself makes, changes and finds: Tasks and Provenance that follow from what somebody did.

It asks for nobody's rights: who calls has decided.
"""
from collections.abc import Callable

from recovery_api.fhir.errors import NotFound
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, dump, load
from recovery_api.fhir.search.parse import condition
from recovery_api.interactions.context import Server
from recovery_api.policy.facets import facets
from recovery_api.store.labelling import Labelled
from recovery_api.store.reader import Reader
from recovery_api.store.search import SearchQuery
from recovery_api.store.writer import Writer

AT_ONCE = 1_000


async def make(server: Server, writer: Writer, resource: JsonObject, *, raised: int = 0) -> JsonObject:
    """Store a new resource as the server's own, with its id if it was given one (by `new_id`) already; what is stored.

    `raised` are bits of labels that hold whatever the content says.
    """
    type, id = resource["resourceType"], resource.get("id") or server.new_id()
    said = stated(resource, id, 1, writer.stamp)
    node = Labelled(said, facets(said, server.matrix, server.zone)._replace(raised=raised), is_new=True)
    await server.labeller.label(writer, [node])
    await writer.create(type, id, dump(said), node.facets, server.extract(said))
    return said


async def change(
    server: Server, writer: Writer, type: str, id: str, revise: Callable[[JsonObject], JsonObject], *, raised: int = 0
) -> JsonObject:
    """Store what `revise` makes of the current version as the next one; what is stored. The same again makes no version.

    `raised` are bits of labels that hold from now on whatever the content says, beside those raised before.

    Raises NotFound where there is no such resource.
    """
    writing = writer.seeing(server.grants.system)
    current = await writing.lock(type, id)
    if current is None or current.body is None:
        raise NotFound
    before = load(current.body)
    revised = revise(load(current.body))
    if revised == before:
        return before
    said = stated(revised, id, current.version + 1, writing.stamp)
    node = Labelled(said, facets(said, server.matrix, server.zone)._replace(raised=current.raised | raised), before=current.labels)
    await server.labeller.label(writing, [node])
    await writing.update(type, id, current.version, dump(said), node.facets, server.extract(said))
    return said


async def found(server: Server, reader: Reader, type: str, *pairs: tuple[str, str], most: int | None = None) -> list[JsonObject]:
    """The resources of a type for which the search parameters hold, whoever may see them; all of them, or so many at most."""
    return await seen(server, reader.seeing(server.grants.system), type, *pairs, most=most)


async def seen(server: Server, reader: Reader, type: str, *pairs: tuple[str, str], most: int | None = None) -> list[JsonObject]:
    """The same as far as the reader sees them: what follows from it tells nothing that they could not read."""
    query = SearchQuery((type,), condition(type, pairs, server.search), count=most or AT_ONCE)
    pages = [await reader.search(query)] if most else [page async for page in reader.pages(query)]
    return [load(record.body) for page in pages for record in page.records if record.body]


def stated(resource: JsonObject, id: str, version: int, stamp: int) -> JsonObject:
    """The resource as it is stored: with its id, and the server's `meta` before anything else of it. `stamp`: microseconds, UTC."""
    meta = {"versionId": str(version), "lastUpdated": instant(stamp)}
    kept = {name: value for name, value in resource.get("meta", {}).items() if name not in meta}
    rest = {name: value for name, value in resource.items() if name not in {"resourceType", "id", "meta"}}
    return {"resourceType": resource["resourceType"], "id": id, "meta": meta | kept, **rest}
