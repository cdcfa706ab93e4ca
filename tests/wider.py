"""A world with somebody for every rule of visibility: the fixture, and one short scene per rule."""

from datetime import datetime

from recovery_api.demo.engagement import period
from recovery_api.domain.codes import LOINC, SCT, THO, concept, local, ref
from tests.consenting import consenting
from tests.pointing import pointing
from tests.world import T0, Story

CONSENT_KINDS = (
    "any-purpose", "last-day", "nested", "nested-permit", "labelled", "by-class", "by-code", "by-data-period", "expired", "ended",
    "future", "research", "draft", "revoked",
)  # fmt: skip


def wide(now: datetime = T0) -> Story:
    """The fixture world and more; who comes in is in tests.callers.WIDE_CALLERS."""
    story = Story(now)
    _supervision(story)
    _only_supervised(story)
    _former_companion(story)
    _consents(story)
    _relatives(story)
    _other_types(story)
    consenting(story)
    pointing(story)
    return story


def _supervision(story: Story) -> None:
    story.boundary_event("o-boundary-maya", "maya", "ruth")
    story.boundary_event("o-boundary-leo", "leo", "omar")
    story.supervision_message("com-maya", "ruth", "maya")
    story.supervision_message("com-maya-reply", "maya", "ruth", reply_to="com-maya")
    story.supervision_message("com-leo", "omar", "leo")
    story.case_discussion("com-ana-case", "ana", "Practitioner/ruth", ["Practitioner/maya", "Practitioner/chen"])
    story.case_discussion("com-ana-own", "ana", "Patient/ana", ["Practitioner/maya"])
    story.counseling_note("d-counsel-ana", "ana", "ruth")
    story.counseling_note("d-counsel-ben", "ben", "omar", signed=False)
    story.task(
        "task-checkin-leo",
        "supervision-check-in",
        "Practitioner/omar",
        "Practitioner/omar",
        story.instant(days=8),
        focus="PractitionerRole/leo",
    )
    story.task("task-emergency", "emergency-review", "Practitioner/sam", "Practitioner/ruth", story.instant(days=1), client="ben")
    outreach = "task-outreach"
    story.task(outreach, "escalation", "Organization/org-cir", "Practitioner/ruth", story.instant(days=1), client="ana")
    story.task("task-intake", "escalation", "Organization/org-cir", "Practitioner/sam", story.instant(days=1), client="eve-ls")


def _only_supervised(story: Story) -> None:
    """Iris supervises Nia, is on no care team, and has delegated to Jude; Finn is Nia's client."""
    story.case_manager("iris")
    story.case_manager("jude")
    story.companion("nia", "iris")
    story.delegate("iris", "jude", period(story.day(3), story.day()))
    story.client("finn", [story.participant("nia", "companion", story.day(90))])
    story.session("e-finn-1", "finn", "nia", story.instant(hours=1), status="in-progress")
    story.observation("o-finn-mood", "finn", "mood", 4, story.instant(hours=1), "nia", encounter="e-finn-1")
    story.note("d-finn-1", "finn", "nia", story.instant(hours=1), "Finn set the pace.", encounter="e-finn-1")


def _former_companion(story: Story) -> None:
    """Lena left Gil three days ago, and Hana nine days ago; who comes after her writes too."""
    story.companion("lena", "omar")
    for client, left in (("gil", 3), ("hana", 9)):
        lena = story.participant("lena", "companion", story.day(90), story.instant(days=left))
        story.client(client, [lena, "leo", "omar"])
        start = story.instant(days=20)
        story.session(f"e-{client}-1", client, "lena", start)
        story.observation(f"o-{client}-mood", client, "mood", 5, start, "lena", encounter=f"e-{client}-1")
        story.note(f"d-{client}-1", client, "lena", start, "Signed walk notes.", encounter=f"e-{client}-1", signer="omar")
        story.note(f"d-{client}-2", client, "lena", start, "Unfinished walk notes.", encounter=f"e-{client}-1")
        story.session(f"e-{client}-2", client, "leo", story.instant(days=2))
        story.note(f"d-{client}-3", client, "leo", story.instant(days=2), "New walk notes.", encounter=f"e-{client}-2")


def _consents(story: Story) -> None:
    """One client of Leo's and Chen's per kind of Consent, each with a plain twin where a deny must win over it."""
    for kind in CONSENT_KINDS:
        story.shared_client(f"with-{kind}")
        story.consent_of(kind, f"with-{kind}")
    for kind in ("dissent", "general-dissent"):
        story.shared_client(f"with-{kind}")
        story.consent_of("plain", f"with-{kind}")
        story.consent_of(kind, f"with-{kind}")
    story.shared_client("with-person")
    story.consent_of("plain", "with-person", ["Practitioner/chen"])
    story.shared_client("with-harbor-dissent")
    story.consent_of("plain", "with-harbor-dissent")
    story.consent_of("dissent", "with-harbor-dissent", ["Organization/org-harbor"])
    story.client("without-team", ["leo", "omar"])
    story.consent_of("plain", "without-team")


def _relatives(story: Story) -> None:
    story.related("rep-dan", "dan", "HPOWATT", verified=True)
    story.related("sister-ana", "ana", "SIB")
    story.related("uncle-ben", "ben", "GUARD")
    story.consent_of("plain", "ana", ["RelatedPerson/sister-ana"])


def _other_types(story: Story) -> None:
    """One of each of some further types for Ana and for Ben, and a few definitions."""
    for client, by in (("ana", "maya"), ("ben", "leo")):
        subject, who, when = ref(f"Patient/{client}"), ref(f"Practitioner/{by}"), story.instant(days=30)
        coverage = {"status": "active", "beneficiary": subject, "payor": [ref("Organization/org-cir")]}
        allergy = {
            "clinicalStatus": concept((THO + "allergyintolerance-clinical", "active")),
            "code": {"text": "Pollen"},
            "patient": subject,
        }
        walk = {"status": "completed", "code": {"text": "Walk"}, "subject": subject, "performedDateTime": when}
        flag = {"status": "active", "code": {"text": "Ask before visiting"}, "subject": subject}
        risk = {"status": "final", "subject": subject, "occurrenceDateTime": when}
        answers = {"status": "completed", "subject": subject, "authored": when, "questionnaire": "https://example.org/Questionnaire/pace"}
        starts = story.instant(days=-1)
        meeting = {
            "status": "booked",
            "start": starts,
            "end": story.later(starts, hours=1),
            "participant": [{"actor": each, "status": "accepted"} for each in (subject, who)],
        }
        medicine = concept(("http://www.nlm.nih.gov/research/umls/rxnorm", "312617"))
        order = {"status": "active", "intent": "order", "medicationCodeableConcept": medicine, "subject": subject, "requester": who}
        asked = {"status": "active", "intent": "order", "code": {"text": "Yoga class"}, "subject": subject, "requester": who}
        further = {
            "AllergyIntolerance": allergy, "Coverage": coverage, "Procedure": walk, "Flag": flag, "RiskAssessment": risk,
            "QuestionnaireResponse": answers, "Appointment": meeting, "MedicationRequest": order, "ServiceRequest": asked,
        }  # fmt: skip
        for kind, content in further.items():
            story.add({"resourceType": kind, "id": f"{client}-{kind.lower()}"} | content)
    story.add({"resourceType": "Questionnaire", "id": "pace", "status": "active", "url": "https://example.org/Questionnaire/pace"})
    story.add({"resourceType": "Medication", "id": "naloxone", "code": concept((SCT, "372890007", "Naloxone"))})
    story.add(
        {
            "resourceType": "Location",
            "id": "library",
            "status": "active",
            "name": "Library",
            "type": [concept((THO + "v3-RoleCode", "COMM"))],
        }
    )
    progress = concept((LOINC, "11506-3", "Progress note"), local("note-type", "companion-session-note"))
    story.add(
        {
            "resourceType": "DocumentReference",
            "id": "d-ben-unsigned",
            "status": "current",
            "docStatus": "final",
            "type": progress,
            "subject": ref("Patient/ben"),
            "author": [ref("Practitioner/leo")],
            "content": [{"attachment": {"contentType": "text/plain", "data": "SGVsbG8="}}],
        }
    )
