"""Who can sign in to the demo world, and as whom."""

from typing import NamedTuple

from recovery_api.identity.actor import ROLES
from recovery_api.identity.scopes import ROLE_PREFIX


class SignIn(NamedTuple):
    """Somebody with a token: `user` is a reference, a system has none and is known by its name; ids are logical ids."""

    name: str
    role: str
    who: str
    user: str | None = None
    organization: str | None = None
    patient: str | None = None

    @property
    def variable(self) -> str:
        """The environment variable that holds the token."""
        return f"TOKEN_{self.name.replace('-', '_').upper()}"

    @property
    def claims(self) -> dict[str, str]:
        """What the token says. The scopes are wide: what the role may never do stays closed all the same."""
        said = {
            "sub": self.user or self.name,
            "fhirUser": self.user,
            "client_id": None if self.user else self.name,
            "organization": self.organization,
            "patient": self.patient,
            "scope": f"{ROLE_PREFIX}{self.role} {ROLES[self.role].contexts[0]}/*.cruds",
        }
        return {name: value for name, value in said.items() if value}


def _staff(name: str, role: str, who: str, organization: str) -> SignIn:
    return SignIn(name, role, who, f"Practitioner/{name}", organization)


SIGN_INS = (
    _staff("maya", "companion", "companion of Ana, Cora and Eve", "org-cir"),
    _staff("leo", "companion", "companion of Ben and Dan", "org-cir"),
    _staff("ruth", "case-manager", "case manager of Ana, Cora and Eve", "org-cir"),
    _staff("omar", "case-manager", "case manager of Ben and Dan", "org-cir"),
    _staff("chen", "treatment-team", "therapist of Ana, Ben and Cora at Riverbend", "org-riverbend"),
    SignIn("sys-riverbend", "ehr", "EHR of Riverbend Health", organization="org-riverbend"),
    SignIn("sys-lakeside", "referrer", "referring system of Lakeside Clinic", organization="org-lakeside"),
    SignIn("app-ana", "client", "Ana herself, in her app", "Patient/ana", patient="ana"),
    _staff("sam", "auditor", "privacy officer", "org-cir"),
    _staff("kim", "admin", "operator", "org-cir"),
)
