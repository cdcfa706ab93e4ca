"""The definitions that come with the program, stored as the server's own resources: so they are read, searched and exported as any."""
from recovery_api.fhir.shipped import published
from recovery_api.interactions.context import Server
from recovery_api.interactions.load import Report, load_all


async def publish(server: Server) -> Report:
    """Store what the package carries and the database does not hold yet, or holds otherwise. The same again changes nothing.

    What an older program carried, and this one does not, stays.
    """
    return await load_all(server, published())
