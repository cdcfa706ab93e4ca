"""Who has which client: the relation of a caller to a client (world.md, "Who is who"), and what consent then leaves of it."""

from datetime import UTC, datetime, tzinfo

from tests.callers import Caller
from tests.contract.consent import Consents
from tests.contract.content import Resource, World, client_of, codes, extension, reference
from tests.contract.labels import Labels
from tests.contract.relations import CASE_MANAGER, COMPANION, Relations

REPRESENTS = {("http://terminology.hl7.org/CodeSystem/v3-RoleCode", code) for code in ("GUARD", "HPOWATT")}


class Access:
    """The relations, labels and consents of a world at a moment."""

    def __init__(self, world: World, now: datetime, zone: tzinfo = UTC) -> None:
        self.world = world
        self.relations, self.labels = Relations(world, now, zone), Labels(world)
        self.consents = Consents(self.relations, self.labels)
        self._related: dict[tuple[Caller, str], bool] = {}

    def opened(self, caller: Caller, resource: Resource) -> bool:
        """Whether the caller has the client of the resource now, and consent lets the caller at the resource."""
        client = client_of(resource)
        return bool(client) and self.related(caller, client) and self._consented(caller, resource)

    def has_client(self, caller: Caller, client: str) -> bool:
        """Whether the caller has the client, as the client's Patient shows."""
        return self.opened(caller, {"resourceType": "Patient", "id": client.removeprefix("Patient/")})

    def _consented(self, caller: Caller, resource: Resource) -> bool:
        """Outside, nothing without a permit; inside, everything without a deny; and clients are not subject to their own consent."""
        if self.outside(caller):
            return self.consents.opens(caller, resource) and not self.consents.closes(caller, resource)
        return caller.role == "client" or not self.consents.closes(caller, resource)

    def outside(self, caller: Caller) -> bool:
        """Whether the caller reads by the client's consent alone."""
        return caller.role in ("treatment-team", "ehr") or (caller.role == "client" and not self._as_client(caller))

    def related(self, caller: Caller, client: str) -> bool:
        if (caller, client) not in self._related:
            self._related[caller, client] = self._relates(caller, client)
        return self._related[caller, client]

    def _relates(self, caller: Caller, client: str) -> bool:
        if caller.role == "companion":
            return caller.fhir_user in self.relations.inside(client, COMPANION)
        if caller.role == "case-manager":
            return self._manages(caller, client)
        if caller.role == "treatment-team":
            return self.relations.treats(caller, client)
        return caller.role == "ehr" or (caller.role == "client" and client == f"Patient/{caller.patient}")

    def _manages(self, caller: Caller, client: str) -> bool:
        if caller.fhir_user in self.relations.inside(client, CASE_MANAGER):
            return True
        return any(self.relations.supervises(caller, each) for each in self.relations.inside(client, COMPANION))

    def _as_client(self, caller: Caller) -> bool:
        """The client, or a verified representative."""
        if caller.fhir_user == f"Patient/{caller.patient}":
            return True
        related = self.relations.get(caller.fhir_user or "")
        return (
            related is not None
            and related["resourceType"] == "RelatedPerson"
            and reference(related.get("patient")) == f"Patient/{caller.patient}"
            and related.get("active") is not False
            and self.relations.current(related.get("period"))
            and bool(codes(*related.get("relationship", [])) & REPRESENTS)
            and any(each.get("valueBoolean") is True for each in extension(related, "verified-representative"))
        )

    def kept_by(self, caller: Caller, resource: Resource) -> bool:
        """Whether a companion who has just left the client's team keeps this for a while."""
        return (
            caller.role == "companion"
            and self.relations.in_grace(caller, client_of(resource))
            and not self.consents.closes(caller, resource)
        )

    def means(self, caller: Caller, *targets: str) -> bool:
        """Whether one of the references is the caller in person."""
        return bool(self.relations.selves(caller) & set(targets))

    def employs(self, caller: Caller, *, concerned: set[str], acting: set[str]) -> bool:
        """EMP, for a case manager: who acted, or who now supervises whom it concerns."""
        if caller.role != "case-manager":
            return False
        return self.means(caller, *acting) or any(self.relations.supervises(caller, self.relations.person(each)) for each in concerned)
