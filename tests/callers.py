"""Everybody who calls the API in the fixture world, with all that their role may be granted."""

from dataclasses import dataclass

CONTEXTS = {"ehr": "system", "referrer": "system", "client": "patient"}  # every other role: user


@dataclass(frozen=True)
class Caller:
    """`fhir_user` is a reference, `organization` and `patient` are logical ids; a system has `client_id` in place of `fhir_user`."""

    name: str
    role: str
    fhir_user: str | None = None
    client_id: str | None = None
    organization: str | None = None
    patient: str | None = None
    purpose: str | None = None
    medical_personnel: bool = False

    @property
    def scopes(self) -> str:
        return f"recovery/{self.role} {CONTEXTS.get(self.role, 'user')}/*.cruds"

    @property
    def claims(self) -> dict[str, str | bool]:
        """Claims beside those that every token has."""
        found: dict[str, str | bool] = {}
        if self.organization:
            found["organization"] = self.organization
        if self.patient:
            found["patient"] = self.patient
        if self.purpose:
            found["purpose_of_use"] = self.purpose
        if self.medical_personnel:
            found["medical_personnel"] = True
        return found


def staff(name: str, role: str, organization: str = "org-cir", purpose: str | None = None) -> Caller:
    return Caller(name, role, f"Practitioner/{name}", organization=organization, purpose=purpose, medical_personnel=name == "noor")


def system(name: str, role: str, organization: str) -> Caller:
    return Caller(name, role, client_id=name, organization=organization)


def related(name: str, patient: str) -> Caller:
    return Caller(name, "client", f"RelatedPerson/{name}", client_id=f"app-{name}", patient=patient)


def app(patient: str) -> Caller:
    """The client, by their app."""
    return Caller(f"app-{patient}", "client", f"Patient/{patient}", client_id=f"app-{patient}", patient=patient)


MAYA, LEO = staff("maya", "companion"), staff("leo", "companion")
RUTH, OMAR = staff("ruth", "case-manager"), staff("omar", "case-manager")
CHEN, NOOR = staff("chen", "treatment-team", "org-riverbend"), staff("noor", "treatment-team", "org-riverbend")
PATEL = staff("patel", "treatment-team", "org-lakeside")
SYS_RIVERBEND, SYS_LAKESIDE = system("sys-riverbend", "ehr", "org-riverbend"), system("sys-lakeside", "referrer", "org-lakeside")
APP_ANA = app("ana")
SAM, KIM = staff("sam", "auditor"), staff("kim", "admin")

CALLERS = {each.name: each for each in (MAYA, LEO, RUTH, OMAR, CHEN, SYS_RIVERBEND, SYS_LAKESIDE, PATEL, NOOR, APP_ANA, SAM, KIM)}

# who comes in with tests.world.wide
NIA, LENA = staff("nia", "companion"), staff("lena", "companion")
IRIS, JUDE = staff("iris", "case-manager"), staff("jude", "case-manager")
REP_DAN, SISTER_ANA, UNCLE_BEN = related("rep-dan", "dan"), related("sister-ana", "ana"), related("uncle-ben", "ben")
AUNT_P5, AUNT_POINTING = related("aunt-p5", "p5"), related("aunt-pointing", "pointing")
APP_BEN, APP_P6 = app("ben"), app("p6")
SYS_HARBOR = system("sys-harbor", "ehr", "org-harbor")

WIDE_CALLERS = CALLERS | {
    each.name: each
    for each in (NIA, LENA, IRIS, JUDE, REP_DAN, SISTER_ANA, UNCLE_BEN, AUNT_P5, AUNT_POINTING, APP_BEN, APP_P6, SYS_HARBOR)
}
