"""The named row rules: which resources of a type exist for a caller, as expressions over relations, parties and state.

Each name here stands in `definitions/access-policy.toml`. The values that stay open (holder, organization, client, creator,
purpose, now) are bound per request. Sources: domain.md 4.2 and world.md, "Who sees what" and its decisions (D).
"""
from collections.abc import Mapping
from types import MappingProxyType

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

GRACE_DAYS = 7
"""Days after the end of a membership in which a companion finishes her own notes (D12)."""

no_client = Own("client", "=", "")
released = Own("released", "=", True)


# What is kept apart, by content or because somebody has raised it: about employees (D10), and notes of psychotherapy or SUD counseling.
not_apart = Own("labels", "lacks", APART)
not_of_employees = Own("labels", "lacks", bit("EMP"))
not_psychotherapy = Own("labels", "lacks", bit("PSYTHPN"))


def kind(name: str) -> Expression:
    """The resource is of this access class."""
    return Own("kind", "=", name)


def mine(*roles: str) -> Expression:
    """The resource names the caller in one of these roles."""
    return Party(roles, HOLDER)


# Companions: clients on whose active CareTeam they are a member now.
not_denied_in_person = Not(DeniedInPerson())
companion_client = both(ClientOf(("companion",), HOLDER, ORGANIZATION), not_denied_in_person)
companion_client_lately = both(ClientOf(("companion",), HOLDER, ORGANIZATION, grace=GRACE_DAYS), not_denied_in_person)
not_of_somebody_elses_client = either(no_client, companion_client)
about_me = either(mine("about", "recipient", "focus"), PartyIn(("about", "recipient", "focus"), ("own-role",), HOLDER))

# Case managers: participants themselves, supervisors of a companion who is one, and their delegates.
managed_client = both(ClientOf(("case-manager", "supervised"), HOLDER, ORGANIZATION), not_denied_in_person)
supervised_staff = PartyIn(("focus", "recipient", "about"), ("supervises-practitioner", "supervises-role"), HOLDER)
referred_client = ClientOf(("referral",), ORGANIZATION)

# Outside the agency: what the client's Consents open; whom they open something may know who the client is, and read what opens it.
disclosed = both(released, Not(kind("consent-form")), Not(kind("boundary-event")))
disclosed_to_systems = both(disclosed, Not(kind("counseling-note")))
consented, consented_person = Consented(), Consented(person=True)
basis = both(consented_person, OwnBasis())
recipient_organization = ClientOf(("consent-permit",), ORGANIZATION, qualifiers=(PURPOSE, "*"))
team_member = either(ClientOf(("treatment-team",), HOLDER, ORGANIZATION), ClientOf(("treatment-organization",), ORGANIZATION))
emergency_client = both(ClientOf(("emergency",), EMERGENCY, ORGANIZATION), not_apart)
consented_team = both(team_member, consented)

# The client's own record; a RelatedPerson has it as a verified representative or by a consent that names them.
own_client = both(Own("client", "=", CLIENT), not_apart)
own_record = both(own_client, either(ClientOf(("self",), HOLDER), ClientOf(("representative",), HOLDER)))
relative = both(own_client, ClientOf(("consent-permit",), HOLDER, qualifiers=(PURPOSE, "*")))
relatives_record = both(relative, consented)

RULES: Mapping[str, Expression] = MappingProxyType(
    {
        "all": EVERYTHING,
        "none": NOTHING,
        # What has no client of its own follows what it points at.
        "of-target": Via("target"),
        "of-document": either(Via("security-context"), both(kind("unbound"), Own("creator", "=", CREATOR))),
        "companion-clients": both(companion_client, not_apart),
        "companion-sessions": both(not_apart, either(companion_client, both(companion_client_lately, mine("participant")))),
        "companion-observations": both(
            companion_client, Not(kind("boundary-event")), not_of_employees, either(not_psychotherapy, mine("performer"))
        ),
        "companion-notes": both(
            either(companion_client, both(companion_client_lately, mine("author"))),
            not_of_employees,
            either(both(Not(kind("counseling-note")), not_psychotherapy), mine("author")),
        ),
        "companion-tasks": both(
            not_of_somebody_elses_client,
            Not(kind("boundary-event")),
            either(not_apart, kind("supervision")),
            either(mine("owner", "requester"), both(kind("supervision"), about_me)),
        ),
        "companion-requests": both(companion_client, not_apart, mine("requester", "performer")),
        "companion-appointments": both(not_of_somebody_elses_client, not_apart, mine("participant")),
        "companion-messages": both(
            not_of_somebody_elses_client, either(not_apart, kind("supervision")), either(mine("sender", "recipient"), about_me)
        ),
        "managed-clients": managed_client,
        "managed-or-referred": either(managed_client, referred_client),
        "managed-observations": either(
            both(managed_client, Not(kind("boundary-event"))),
            both(kind("boundary-event"), either(mine("performer"), supervised_staff)),
        ),
        "managed-notes": both(managed_client, either(both(Not(kind("counseling-note")), not_psychotherapy), mine("author"))),
        "managed-tasks": either(
            both(
                Not(kind("supervision")),
                Not(kind("boundary-event")),
                either(
                    managed_client,
                    both(no_client, mine("owner", "requester")),
                    both(kind("referral"), Party(("owner",), ORGANIZATION)),
                    both(kind("escalation"), mine("owner"), not_apart, not_denied_in_person),
                    both(kind("escalation"), referred_client, not_apart),
                ),
            ),
            both(either(kind("supervision"), kind("boundary-event")), either(mine("owner", "requester"), supervised_staff)),
        ),
        "managed-messages": either(
            both(Not(kind("supervision")), either(managed_client, both(no_client, mine("sender", "recipient")))),
            both(kind("supervision"), either(mine("sender", "recipient"), supervised_staff)),
        ),
        "consented-team-clients": either(consented_team, emergency_client),
        "consented-team-persons": either(both(team_member, consented_person), emergency_client),
        "consented-team-released": both(either(consented_team, both(emergency_client, Not(kind("counseling-note")))), disclosed),
        "consented-team-basis": both(team_member, basis),
        "consented-team-thread": both(consented_team, Not(kind("supervision")), mine("sender", "recipient")),
        "consented-clients": both(recipient_organization, consented),
        "consented-persons": both(recipient_organization, consented_person),
        "consented-released": both(recipient_organization, consented, disclosed_to_systems),
        "consented-basis": both(recipient_organization, basis),
        "managed-groups": Party(("managing-entity",), ORGANIZATION),
        "team-referrals": both(consented_team, mine("requester")),
        "own-referrals": both(Party(("requester",), ORGANIZATION), not_apart),
        "own-record": own_record,
        "own-or-permitted": either(own_record, relatives_record),
        "own-or-permitted-persons": either(own_record, both(relative, consented_person)),
        "own-or-permitted-sessions": either(own_record, both(relatives_record, released)),
        "own-or-permitted-released": both(either(own_record, relatives_record), released, Not(kind("boundary-event"))),
        "own-or-permitted-notes": either(
            both(own_record, Not(kind("counseling-note")), either(released, kind("consent-form"))),
            both(relatives_record, disclosed_to_systems),
        ),
        "own-or-permitted-basis": either(own_record, both(relative, basis)),
        "own-or-permitted-tasks": both(either(own_record, relatives_record), Not(kind("supervision")), mine("owner", "requester")),
        "own-or-permitted-messages": both(
            Not(kind("supervision")), either(own_record, both(relatives_record, mine("sender", "recipient")))
        ),
        "consent-forms": kind("consent-form"),
        "emergency-reviews": kind("emergency-review"),
    }
)
