"""The named row rules: which resources of a type exist for a caller, as expressions over relations, parties and state.

Each name here stands in `definitions/access-policy.toml`. The values that stay open (holder, organization, client, creator,
purpose, now) are bound per request. Sources: domain.md 4.2 and world.md, "Who sees what" and its decisions (D).
"""
from collections.abc import Mapping
from types import MappingProxyType

from recovery_api.fhir.search.expression import (
    EVERYTHING,
    NOTHING,
    Bind,
    ClientOf,
    Expression,
    Not,
    Own,
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


def kind(name: str) -> Expression:
    """The resource is of this access class."""
    return Own("kind", "=", name)


def mine(*roles: str) -> Expression:
    """The resource names the caller in one of these roles."""
    return Party(roles, HOLDER)


# Companions: clients on whose active CareTeam they are a member now.
not_denied_in_person = Not(ClientOf(("consent-deny",), HOLDER))
companion_client = both(ClientOf(("companion",), HOLDER, ORGANIZATION), not_denied_in_person)
companion_client_lately = both(ClientOf(("companion",), HOLDER, ORGANIZATION, grace=GRACE_DAYS), not_denied_in_person)
not_of_somebody_elses_client = either(no_client, companion_client)
about_me = either(mine("about", "recipient", "focus"), PartyIn(("about", "recipient", "focus"), ("own-role",), HOLDER))

# Case managers: participants themselves, supervisors of a companion who is one, and their delegates.
managed_client = both(ClientOf(("case-manager", "supervised"), HOLDER, ORGANIZATION), not_denied_in_person)
supervised_staff = PartyIn(("focus", "recipient", "about"), ("supervises-practitioner", "supervises-role"), HOLDER)
referred_client = ClientOf(("referral",), ORGANIZATION)

# Outside the agency: an active, plain permit that names the organization, and no deny.
permitted = both(
    ClientOf(("consent-permit",), ORGANIZATION, qualifiers=(PURPOSE, "*")),
    Not(either(ClientOf(("consent-deny",), ORGANIZATION), ClientOf(("consent-deny",), HOLDER), ClientOf(("consent-deny",), "*"))),
)
disclosed = both(released, Not(kind("consent-form")), Not(kind("counseling-note")), Not(kind("boundary-event")))
team_member = either(ClientOf(("treatment-team",), HOLDER, ORGANIZATION), ClientOf(("treatment-organization",), ORGANIZATION))
consented_team_client = both(team_member, permitted)
emergency_client = ClientOf(("emergency",), EMERGENCY, ORGANIZATION)
readable_team_client = either(consented_team_client, emergency_client)
in_force = ("consent-basis",)
basis = either(
    PartyIn(("itself",), in_force, ORGANIZATION),
    PartyIn(("itself",), in_force, HOLDER),
    both(PartyIn(("itself",), in_force, "*"), PartyIn(("actor",), ("on-team",), HOLDER)),
)

# The client's own record; a RelatedPerson has it as a verified representative or by a consent that names them.
named_by_consent = both(
    ClientOf(("consent-permit",), HOLDER, qualifiers=(PURPOSE, "*")),
    Not(either(ClientOf(("consent-deny",), HOLDER), ClientOf(("consent-deny",), "*"))),
)
own_client = Own("client", "=", CLIENT)
own_record = both(own_client, either(ClientOf(("self",), HOLDER), ClientOf(("representative",), HOLDER)))
relatives_record = both(own_client, named_by_consent)

RULES: Mapping[str, Expression] = MappingProxyType(
    {
        "all": EVERYTHING,
        "none": NOTHING,
        # What has no client of its own follows what it points at.
        "of-target": Via("target"),
        "of-document": either(Via("security-context"), both(kind("unbound"), Own("creator", "=", CREATOR))),
        "companion-clients": companion_client,
        "companion-sessions": either(companion_client, both(companion_client_lately, mine("participant"))),
        "companion-observations": both(companion_client, Not(kind("boundary-event"))),
        "companion-notes": both(
            either(companion_client, both(companion_client_lately, mine("author"))),
            either(Not(kind("counseling-note")), mine("author")),
        ),
        "companion-tasks": both(
            not_of_somebody_elses_client,
            Not(kind("boundary-event")),
            either(mine("owner", "requester"), both(kind("supervision"), about_me)),
        ),
        "companion-requests": both(companion_client, mine("requester", "performer")),
        "companion-appointments": both(not_of_somebody_elses_client, mine("participant")),
        "companion-messages": both(not_of_somebody_elses_client, either(mine("sender", "recipient"), about_me)),
        "managed-clients": managed_client,
        "managed-or-referred": either(managed_client, referred_client),
        "managed-observations": either(
            both(managed_client, Not(kind("boundary-event"))),
            both(kind("boundary-event"), either(mine("performer"), supervised_staff)),
        ),
        "managed-notes": both(managed_client, either(Not(kind("counseling-note")), mine("author"))),
        "managed-tasks": either(
            both(
                Not(kind("supervision")),
                Not(kind("boundary-event")),
                either(
                    managed_client,
                    both(no_client, mine("owner", "requester")),
                    both(kind("referral"), Party(("owner",), ORGANIZATION)),
                ),
            ),
            both(either(kind("supervision"), kind("boundary-event")), either(mine("owner", "requester"), supervised_staff)),
        ),
        "managed-messages": either(
            both(Not(kind("supervision")), either(managed_client, both(no_client, mine("sender", "recipient")))),
            both(kind("supervision"), either(mine("sender", "recipient"), supervised_staff)),
        ),
        "consented-team-clients": readable_team_client,
        "consented-team-released": both(readable_team_client, disclosed),
        "consented-team-basis": both(consented_team_client, basis),
        "consented-team-thread": both(consented_team_client, Not(kind("supervision")), mine("sender", "recipient")),
        "consented-clients": permitted,
        "consented-released": both(permitted, disclosed),
        "consented-basis": both(permitted, basis),
        "managed-groups": Party(("managing-entity",), ORGANIZATION),
        "team-referrals": both(consented_team_client, mine("requester")),
        "own-referrals": Party(("requester",), ORGANIZATION),
        "own-record": own_record,
        "own-or-permitted": either(own_record, relatives_record),
        "own-or-permitted-sessions": either(own_record, both(relatives_record, released)),
        "own-or-permitted-released": both(either(own_record, relatives_record), released, Not(kind("boundary-event"))),
        "own-or-permitted-notes": either(
            both(own_record, Not(kind("counseling-note")), either(released, kind("consent-form"))), both(relatives_record, disclosed)
        ),
        "own-or-permitted-basis": either(own_record, both(relatives_record, PartyIn(("itself",), in_force, HOLDER))),
        "own-or-permitted-tasks": both(either(own_record, relatives_record), Not(kind("supervision")), mine("owner", "requester")),
        "own-or-permitted-messages": both(
            Not(kind("supervision")), either(own_record, both(relatives_record, mine("sender", "recipient")))
        ),
        "consent-forms": kind("consent-form"),
        "emergency-reviews": kind("emergency-review"),
    }
)
