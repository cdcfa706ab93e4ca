"""What the server itself makes: Tasks and Provenance that follow from what somebody did."""
from recovery_api.fhir.instants import instant
from recovery_api.fhir.json import JsonObject, dump
from recovery_api.interactions.context import Server
from recovery_api.policy.facets import facets
from recovery_api.store.labelling import Labelled
from recovery_api.store.writer import Writer


async def make(server: Server, writer: Writer, resource: JsonObject) -> JsonObject:
    """Store a new resource as the server's own; what is stored. It asks for nobody's rights: who calls has decided."""
    type, id = resource["resourceType"], server.new_id()
    meta = {"versionId": "1", "lastUpdated": instant(writer.stamp)}
    said = {"resourceType": type, "id": id, "meta": meta, **{name: value for name, value in resource.items() if name != "resourceType"}}
    node = Labelled(said, facets(said, server.matrix, server.zone), is_new=True)
    await server.labeller.label(writer, [node])
    await writer.create(type, id, dump(said), node.facets, server.extract(said))
    return said
