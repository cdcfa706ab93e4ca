"""Fixture F of the design, made for any moment: the world that tests and `make demo` live in.

Five clients, their companions and case managers, the clinics and health systems around them. Written for the moment T0 and moved to
`now`. No resource carries labels: those are the server's work.
"""

from datetime import datetime

from recovery_api.demo.engagement import deny
from recovery_api.demo.people import ORGANIZATIONS, STAFF
from recovery_api.demo.sessions import World
from recovery_api.demo.timeline import T0
from recovery_api.domain.codes import CANON, LOINC, THO, concept, local, ref
from recovery_api.fhir.json import JsonObject

NOTES = {
    "d-ana-1": "Ana chose to walk to the park before talking. A crowded crossing brought up a strong startle; she named it, asked to "
    "pause, and used the grounding steps she wrote in her plan. She noticed the wish to drink pass within half an hour and "
    "called her sister. She is proud of the walk. Next step, at her pace: the same route with a friend.",
    "d-ana-2": "Draft. Ana asked for a slower afternoon and cooked with music on. She spoke about the coming anniversary and which people "
    "she wants near her that day. She kept her boundary about visitors and said it felt good to be heard.",
    "d-ben-1": "Ben met at the library and set the agenda himself. Pay day was yesterday; he moved his card to his brother before the urge"
    " rose and rated it three of ten. He found two evening classes that he likes. He holds his goal steady this week by choice.",
    "d-cora-1": "Cora invited company for lunch and picked the meal. She paced herself, took one break, and finished what she had planned. "
    "Naming five sounds in the room helped. She thanked herself aloud, which is new.",
    "d-cora-2": "Cora told of an urge to use after an old contact wrote to her. She blocked the number, told her companion straight away "
    "and stayed with people. She knows where her naloxone kit is. She asked for a call tomorrow morning.",
    "d-dan-1": "Dan took the early bus and arrived ready. He spoke openly about a hard weekend and the two hours in which he did not use. "
    "He rebuilt his morning routine in three small steps and will try the first one.",
}


def fixture(now: datetime = T0) -> list[JsonObject]:
    """The resources of the fixture world, for the aware moment `now`."""
    world = World(now)
    tell(world)
    return world.resources


def bundle(now: datetime = T0) -> JsonObject:
    """The fixture world as one transaction Bundle of PUT entries."""
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": f"{CANON}/{each['resourceType']}/{each['id']}",
                "resource": each,
                "request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"},
            }
            for each in fixture(now)
        ],
    }


def tell(world: World) -> None:
    """Tell the fixture world into a world in which more may be told afterwards."""
    _people(world)
    _engagements(world)
    _consents(world)
    _plans(world)
    _sessions(world)
    _notes(world)
    _tasks(world)


def _people(world: World) -> None:
    for id, row in ORGANIZATIONS.items():
        world.organization(id, *row)
    for id, row in STAFF.items():
        world.staff(id, row)
    world.patient("ana", ("Ana", "Morales"), "female", "1991-05-14", 4320)
    world.patient("ben", ("Ben", "Okafor"), "male", "1986-09-30", 4321)
    world.patient("cora", ("Cora", "Lindqvist"), "female", "2000-01-22", 4322)
    world.patient("dan", ("Dan", "Petrov"), "male", "1979-12-03", 4323)
    world.patient("eve", ("Eve", "Tanaka"), "female", "1995-07-08", 4324, link="eve-ls")
    world.patient("eve-ls", ("Eve", "Tanaka"), "female", "1995-07-08", 4325)


def _engagements(world: World) -> None:
    march, april, june, july = (world.on(each) for each in ("2026-03-01", "2026-04-01", "2026-06-01", "2026-07-01"))
    world.condition("cond-ana-aud", "ana", "F10.20", march)
    world.condition("cond-ana-ptsd", "ana", "F43.12", march)
    world.condition("cond-ben-gam", "ben", "F63.0", june)
    world.condition("cond-ben-dep", "ben", "F33.1", june)
    world.condition("cond-cora-an", "cora", "F50.00", april)
    world.condition("cond-cora-oud", "cora", "F11.20", april)
    world.condition("cond-dan-coc", "dan", "F14.20", june)
    world.condition("cond-eve-alc", "eve", "F10.21", july)
    world.care_team("ana", ["maya", "ruth", "chen"], march)
    world.care_team("ben", ["leo", "omar", "chen"], june)
    world.care_team("cora", ["maya", "ruth", "chen"], april)
    world.care_team("dan", ["leo", "omar"], june)
    world.care_team("eve", ["maya", "ruth"], july)
    referred = world.at("2026-06-20T16:00:00Z")
    world.referral("ls-401", "org-lakeside", "eve-ls", referred, status="in-progress", business="5.1.1", reason="F10.21")
    world.episode("ana", "ruth", ["cond-ana-aud", "cond-ana-ptsd"], march)
    world.episode("ben", "omar", ["cond-ben-gam", "cond-ben-dep"], june)
    world.episode("cora", "ruth", ["cond-cora-an", "cond-cora-oud"], april)
    world.episode("dan", "omar", ["cond-dan-coc"], june)
    world.episode("eve", "ruth", ["cond-eve-alc"], july, referral="sr-ls-401")


def _consents(world: World) -> None:
    june, revoked = world.on("2026-06-01"), world.at("2026-09-01T10:00:00Z")
    world.consent("c-ana", "ana", world.on("2026-03-01"))
    world.consent("c-ben", "ben", june)
    world.consent("c-cora", "cora", world.on("2026-04-01"), purpose=("TREAT",), nested=[deny("ETH")])
    world.consent("c-dan", "dan", june, status="inactive", revoked=revoked)
    world.add(
        {
            "resourceType": "Provenance",
            "id": "prov-c-dan-revoked",
            "target": [ref("Consent/c-dan")],
            "recorded": revoked,
            "activity": concept((THO + "v3-DataOperation", "UPDATE", "revise")),
            "agent": [{"type": concept((THO + "provenance-participant-type", "author")), "who": ref("Patient/dan")}],
        }
    )


def _plans(world: World) -> None:
    march, april, june, july = (world.on(each) for each in ("2026-03-01", "2026-04-01", "2026-06-01", "2026-07-01"))
    walk = ["Walk a route that Ana picks, once a week", "Practise grounding steps before crowded places"]
    world.plan("ana", "ruth", ["cond-ana-aud", "cond-ana-ptsd"], "Walk to the park and back with someone I trust", march, walk)
    world.safety_plan("ana", "ruth", march)
    evenings = "Spend pay day evenings with people, away from betting"
    world.plan("ben", "omar", ["cond-ben-gam", "cond-ben-dep"], evenings, june, ["Hand the card over before pay day"])
    lunch, company = "Eat lunch with company three times a week", ["Company at lunch, Cora picks the meal"]
    world.plan("cora", "ruth", ["cond-cora-an", "cond-cora-oud"], lunch, april, company)
    world.plan("dan", "omar", ["cond-dan-coc"], "Keep a morning routine that I like", june, ["Three small steps each morning"])
    world.plan("eve", "ruth", ["cond-eve-alc"], "Keep my Sunday choir", july, ["Company on the way to choir"])


def _sessions(world: World) -> None:
    ana_1, ana_2, ben, cora, dan = starts(world)
    world.session("e-ana-1", "ana", "maya", ana_1, reason=("cond-ana-ptsd", "F43.12"))
    world.session("e-ana-2", "ana", "maya", ana_2, reason=("cond-ana-aud", "F10.20"))
    world.session("e-ben-1", "ben", "leo", ben, kind="FLD", reason=("cond-ben-gam", "F63.0"))
    world.session("e-cora-1", "cora", "maya", cora, reason=("cond-cora-an", "F50.00"))
    world.session("e-dan-1", "dan", "leo", dan, reason=("cond-dan-coc", "F14.20"))
    world.observation("o-ana-mood", "ana", "mood", 6, ana_1, "maya", encounter="e-ana-1")
    world.observation("o-ana-craving", "ana", "craving", 4, ana_1, "maya", encounter="e-ana-1")
    intensity = {"component": [{"code": concept(local("companion-observation-component", "intensity")), "valueInteger": 6}]}
    sensory = concept(local("trigger", "sensory", "Sensory"))
    world.observation("o-ana-trigger", "ana", "trigger", sensory, ana_1, "maya", encounter="e-ana-1", more=intensity)
    world.observation("o-ana-2-mood", "ana", "mood", 5, ana_2, "maya", encounter="e-ana-2", status="preliminary")
    world.add(
        {
            "resourceType": "Observation",
            "id": "o-ana-pref",
            "status": "final",
            "category": [concept(("http://hl7.org/fhir/us/core/CodeSystem/us-core-category", "care-experience-preference"))],
            "code": concept((LOINC, "95541-9", "Care experience preference")),
            "subject": ref("Patient/ana"),
            "effectiveDateTime": world.on("2026-03-01"),
            "performer": [ref("Patient/ana")],
            "valueString": "I like to be asked before plans change, and to walk while we talk.",
        }
    )
    world.observation("o-ben-urge", "ben", "urge-gambling", 3, ben, "leo", encounter="e-ben-1")
    world.observation("o-ben-mood", "ben", "mood", 6, ben, "leo", encounter="e-ben-1")
    world.observation("o-dan-craving", "dan", "craving", 2, dan, "leo", encounter="e-dan-1")
    world.observation("o-dan-mood", "dan", "mood", 7, dan, "leo", encounter="e-dan-1")


def _notes(world: World) -> None:
    ana_1, ana_2, ben, cora, dan = starts(world)
    world.note("d-ana-1", "ana", "maya", ana_1, NOTES["d-ana-1"], encounter="e-ana-1", signer="ruth", labels=["SUD", "ETH"])
    world.note("d-ana-2", "ana", "maya", ana_2, NOTES["d-ana-2"], encounter="e-ana-2")
    world.note("d-ben-1", "ben", "leo", ben, NOTES["d-ben-1"], encounter="e-ben-1", signer="omar")
    world.note("d-cora-1", "cora", "maya", cora, NOTES["d-cora-1"], encounter="e-cora-1", signer="ruth", labels=["PSY"])
    world.note("d-cora-2", "cora", "maya", cora, NOTES["d-cora-2"], encounter="e-cora-1", signer="ruth", labels=["SUD", "ETH"])
    world.note("d-dan-1", "dan", "leo", dan, NOTES["d-dan-1"], encounter="e-dan-1", signer="omar")


def _tasks(world: World) -> None:
    maya, ruth = "Practitioner/maya", "Practitioner/ruth"
    session = starts(world)[0]
    asked, escalated = world.later(session, hours=3), world.later(session, hours=2)
    note = "DocumentReference/d-ana-1"
    world.task("task-review-ana-1", "note-review", ruth, maya, asked, client="ana", focus=note, due=world.later(session, hours=51))
    met, due = world.at("2026-10-20T09:00:00Z"), world.at("2026-10-20T17:00:00Z")
    world.task("task-checkin-maya", "supervision-check-in", ruth, ruth, met, focus="PractitionerRole/maya", due=due)
    output = {
        "type": concept(local("escalation-output", "action")),
        "valueCodeableConcept": concept(local("escalation-action", "plan-updated", "Plan updated")),
    }
    craving = {"reasonReference": ref("Observation/o-ana-craving"), "encounter": ref("Encounter/e-ana-1"), "output": [output]}
    deadline = world.later(session, hours=6)
    world.task("task-esc-ana-1", "escalation", ruth, maya, escalated, client="ana", due=deadline, priority="asap", more=craving)
    world.group("riverbend", "org-riverbend", ["ana", "ben", "cora"])
    world.group("lakeside", "org-lakeside", [])
    world.group("harbor", "org-harbor", [])


def starts(world: World) -> tuple[str, str, str, str, str]:
    """When the sessions e-ana-1, e-ana-2, e-ben-1, e-cora-1 and e-dan-1 began."""
    return (
        world.at("2026-10-05T17:00:00Z"),
        world.at("2026-11-02T17:00:00Z"),
        world.at("2026-10-20T16:00:00Z"),
        world.at("2026-10-12T19:00:00Z"),
        world.at("2026-08-15T08:00:00Z"),
    )
