"""The named row rules: which resources of a type exist for a caller, as expressions over relations, parties and state.

Each name here stands in `definitions/access-policy.toml`. The values that stay open (holder, organization, client, creator,
purpose, now) are bound per request. Sources: domain.md 4.2 and world.md, "Who sees what" and its decisions (D).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from recovery_api.fhir.labels import APART, bit
from recovery_api.fhir.search.expression import (
    EVERYTHING,
    NOTHING,
    Bind,
    ClientOf,
    Consented,
    DeniedInPerson,
    Expression,
    Not,
    Own,
    OwnBasis,
    Party,
    PartyIn,
    Via,
    both,
    either,
)

HOLDER, ORGANIZATION, CLIENT, CREATOR, PURPOSE = (Bind(name) for name in ("holder", "organization", "client", "creator", "purpose"))
EMERGENCY = Bind("emergency")
"""The caller who reads; nobody, for a write."""


class RowRule(NamedTuple):
    """The resources of a type that exist for a caller: in a sentence, and as an expression."""

    says: str
    opens: Expression


no_client = Own("client", "=", "")
released = Own("released", "=", True)


# What is kept apart, by content or because somebody has raised it: about employees (D10), and what is of psychotherapy or SUD counseling.
not_apart = Own("labels", "lacks", APART)
not_of_employees = Own("labels", "lacks", bit("EMP"))
not_psychotherapy = Own("labels", "lacks", bit("PSYTHPN"))


def kind(name: str) -> Expression:
    """The resource is of this access class."""
    return Own("kind", "=", name)


def mine(*roles: str) -> Expression:
    """The resource names the caller in one of these roles."""
    return Party(roles, HOLDER)


def not_psychotherapy_of_others(author: str) -> Expression:
    """It is not of psychotherapy, or the caller has written it; `author` is the role that says so."""
    return either(not_psychotherapy, mine(author))


# Companions: clients on whose active CareTeam they are a member now.
not_denied_in_person = Not(DeniedInPerson())
companion_client = both(ClientOf(("companion",), HOLDER, ORGANIZATION), not_denied_in_person)
# A companion finishes her own notes for some days after the end of her membership (D12), also where a discharge has closed the team.
companion_client_lately = both(ClientOf(("companion", "former-companion"), HOLDER, ORGANIZATION, lately=True), not_denied_in_person)
not_of_somebody_elses_client = either(no_client, companion_client)
about_me = either(mine("about", "recipient", "focus"), PartyIn(("about", "recipient", "focus"), ("own-role",), HOLDER))

# Case managers: participants themselves, supervisors of a companion who is one, and their delegates.
managed_client = both(ClientOf(("case-manager", "supervised"), HOLDER, ORGANIZATION), not_denied_in_person)
supervised_staff = PartyIn(("focus", "recipient", "about"), ("supervises-practitioner", "supervises-role"), HOLDER)
referred_client = ClientOf(("referral",), ORGANIZATION)

# Outside the agency: what the client's Consents open; whom they open something may know who the client is, and read what opens it.
disclosed = both(released, Not(kind("consent-form")), Not(kind("boundary-event")))
consented, consented_person = Consented(), Consented(person=True)
basis = both(consented_person, OwnBasis())
recipient_organization = both(ClientOf(("consent-permit",), ORGANIZATION, qualifiers=(PURPOSE, "*")), not_psychotherapy)
team_member = either(ClientOf(("treatment-team",), HOLDER, ORGANIZATION), ClientOf(("treatment-organization",), ORGANIZATION))
emergency_client = both(ClientOf(("emergency",), EMERGENCY, ORGANIZATION), not_apart)
consented_team = both(team_member, consented)

# The client's own record; a RelatedPerson has it as a verified representative or by a consent that names them.
own_client = both(Own("client", "=", CLIENT), not_apart)
own_record = both(own_client, either(ClientOf(("self",), HOLDER), ClientOf(("representative",), HOLDER)))
relative = both(own_client, ClientOf(("consent-permit",), HOLDER, qualifiers=(PURPOSE, "*")))
relatives_record = both(relative, consented)

RULES: Mapping[str, RowRule] = MappingProxyType(
    {
        "all": RowRule("Every resource of the type.", EVERYTHING),
        "none": RowRule("No resource: what is written here is not read back.", NOTHING),
        "own-subscriptions": RowRule("What the caller has made.", Own("creator", "=", CREATOR)),
        "of-target": RowRule("What names something that the caller sees, if it is not kept apart itself.", both(Via("target"), not_apart)),
        "of-document": RowRule(
            "What belongs to a document that the caller sees, and what belongs to none and was made by the caller.",
            either(Via("security-context"), both(kind("unbound"), Own("creator", "=", CREATOR))),
        ),
        "companion-clients": RowRule(
            "Of the clients on whose care team the companion is now, what is not kept apart.", both(companion_client, not_apart)
        ),
        "companion-sessions": RowRule(
            "As companion-clients; for 7 days after she leaves the care team, the sessions in which she took part.",
            both(not_apart, either(companion_client, both(companion_client_lately, mine("participant")))),
        ),
        "companion-observations": RowRule(
            "Of her clients, all but boundary events and what is kept apart; what is of psychotherapy where she made it.",
            both(companion_client, Not(kind("boundary-event")), not_of_employees, not_psychotherapy_of_others("performer")),
        ),
        "companion-notes": RowRule(
            "Of her clients, all but counseling notes and what is kept apart; what is of psychotherapy where she wrote it. For 7 days "
            "after she leaves the care team, what she wrote.",
            both(
                either(companion_client, both(companion_client_lately, mine("author"))),
                Not(kind("counseling-note")),
                not_of_employees,
                not_psychotherapy_of_others("author"),
            ),
        ),
        "companion-tasks": RowRule(
            "Tasks of her clients, or of no client, that she owns or asked for; of what is kept apart, check-ins about herself alone.",
            both(
                not_of_somebody_elses_client,
                Not(kind("boundary-event")),
                not_psychotherapy,
                either(not_of_employees, kind("supervision")),
                either(mine("owner", "requester"), both(kind("supervision"), about_me)),
            ),
        ),
        "companion-requests": RowRule(
            "Requests for her clients that she made or carries out, if they are not kept apart.",
            both(companion_client, not_apart, mine("requester", "performer")),
        ),
        "companion-appointments": RowRule(
            "Appointments of her clients, or of no client, in which she takes part, if they are not kept apart.",
            both(not_of_somebody_elses_client, not_apart, mine("participant")),
        ),
        "companion-messages": RowRule(
            "Messages of her clients, or of no client, that she sent or received or that are about her; kept apart, supervision alone.",
            both(
                not_of_somebody_elses_client,
                not_psychotherapy_of_others("sender"),
                either(not_of_employees, kind("supervision")),
                either(mine("sender", "recipient"), about_me),
            ),
        ),
        "managed-clients": RowRule(
            "Of the clients on whose care team the case manager is now, or a companion whom they supervise or stand in for, what is not of "
            "psychotherapy.",
            both(managed_client, not_psychotherapy),
        ),
        "managed-or-referred": RowRule(
            "As managed-clients, and the clients who are referred to their organization.",
            both(either(managed_client, referred_client), not_psychotherapy),
        ),
        "managed-observations": RowRule(
            "Of their clients, all but boundary events; of these, those that they recorded or that are about staff whom they supervise. "
            "What is of psychotherapy where they made it.",
            both(
                either(
                    both(managed_client, Not(kind("boundary-event"))),
                    both(kind("boundary-event"), either(mine("performer"), supervised_staff)),
                ),
                not_psychotherapy_of_others("performer"),
            ),
        ),
        "managed-notes": RowRule(
            "Of their clients, all but what is of psychotherapy or counseling and somebody else has written.",
            both(managed_client, not_psychotherapy_of_others("author")),
        ),
        "managed-tasks": RowRule(
            "Tasks of their clients, their own Tasks of no client, referrals to their organization, and escalations that came to them; "
            "check-ins and boundary events that they own or asked for, or that are about staff whom they supervise. Nothing of "
            "psychotherapy.",
            both(
                either(
                    both(
                        Not(kind("supervision")),
                        Not(kind("boundary-event")),
                        either(
                            managed_client,
                            both(no_client, mine("owner", "requester")),
                            both(either(kind("referral"), referred_client), Party(("owner",), ORGANIZATION)),
                            both(kind("escalation"), mine("owner"), not_apart, not_denied_in_person),
                            both(kind("escalation"), referred_client, not_apart),
                        ),
                    ),
                    both(either(kind("supervision"), kind("boundary-event")), either(mine("owner", "requester"), supervised_staff)),
                ),
                not_psychotherapy,
            ),
        ),
        "managed-messages": RowRule(
            "Messages of their clients, and of no client those that they sent or received; of supervision, their own and what is about "
            "staff whom they supervise. What is of psychotherapy where they sent it.",
            both(
                either(
                    both(Not(kind("supervision")), either(managed_client, both(no_client, mine("sender", "recipient")))),
                    both(kind("supervision"), either(mine("sender", "recipient"), supervised_staff)),
                ),
                not_psychotherapy_of_others("sender"),
            ),
        ),
        "consented-team-clients": RowRule(
            "What consents open of the clients on whose care team the clinician is now; in an emergency, what is not kept apart.",
            either(consented_team, emergency_client),
        ),
        "consented-team-persons": RowRule(
            "The clients on whose care team the clinician is now, where a consent opens something to them; in an emergency, the client.",
            either(both(team_member, consented_person), emergency_client),
        ),
        "consented-team-released": RowRule(
            "As consented-team-clients, if it is final; never consent forms, nor boundary events.",
            both(either(consented_team, emergency_client), disclosed),
        ),
        "consented-team-basis": RowRule(
            "The consents that open something of those clients to the clinician, their team or their organization.",
            both(team_member, basis),
        ),
        "consented-team-thread": RowRule(
            "Of what consents open, the messages that the clinician sent or received; never supervision.",
            both(consented_team, Not(kind("supervision")), mine("sender", "recipient")),
        ),
        "consented-clients": RowRule(
            "What the clients' consents open to the organization; never what is of psychotherapy.", both(recipient_organization, consented)
        ),
        "consented-persons": RowRule(
            "The clients of whom a consent opens something to the organization.", both(recipient_organization, consented_person)
        ),
        "consented-released": RowRule(
            "As consented-clients, if it is final; never consent forms, nor boundary events.",
            both(recipient_organization, consented, disclosed),
        ),
        "consented-basis": RowRule("The consents that open something to the organization.", both(recipient_organization, basis)),
        "managed-groups": RowRule("The Groups that the organization manages.", Party(("managing-entity",), ORGANIZATION)),
        "team-referrals": RowRule(
            "Of what consents open, the referrals that the clinician asked for.", both(consented_team, mine("requester"))
        ),
        "own-referrals": RowRule(
            "The referrals that the organization asked for, if they are not kept apart.",
            both(Party(("requester",), ORGANIZATION), not_apart),
        ),
        "own-record": RowRule(
            "The client's own record, but for what is kept apart: for the client, and for a verified representative.", own_record
        ),
        "own-or-permitted": RowRule(
            "As own-record; for a relative whom a consent names, what consents open to them.", either(own_record, relatives_record)
        ),
        "own-or-permitted-persons": RowRule(
            "The client; also for a relative to whom a consent opens something.", either(own_record, both(relative, consented_person))
        ),
        "own-or-permitted-sessions": RowRule(
            "As own-or-permitted; for a relative, sessions that are finished.", either(own_record, both(relatives_record, released))
        ),
        "own-or-permitted-released": RowRule(
            "As own-or-permitted, if it is final; never boundary events.",
            both(either(own_record, relatives_record), released, Not(kind("boundary-event"))),
        ),
        "own-or-permitted-notes": RowRule(
            "As own-or-permitted, final notes; for the client their consent forms too.",
            either(
                both(own_record, either(released, kind("consent-form"))),
                both(relatives_record, disclosed),
            ),
        ),
        "own-or-permitted-basis": RowRule(
            "The client's own consents; for a relative, the consents that open something to them.",
            either(own_record, both(relative, basis)),
        ),
        "own-or-permitted-tasks": RowRule(
            "As own-or-permitted, the Tasks that the caller owns or asked for; never check-ins.",
            both(either(own_record, relatives_record), Not(kind("supervision")), mine("owner", "requester")),
        ),
        "own-or-permitted-messages": RowRule(
            "The client's messages; for a relative, those that they sent or received, as consents open them; never supervision.",
            both(Not(kind("supervision")), either(own_record, both(relatives_record, mine("sender", "recipient")))),
        ),
        "consent-forms": RowRule("The forms on which consents were signed.", kind("consent-form")),
        "emergency-reviews": RowRule("The reviews of emergency accesses.", kind("emergency-review")),
    }
)
