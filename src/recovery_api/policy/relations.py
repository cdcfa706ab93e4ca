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
disclosed = both(released, not_of_employees, Not(kind("consent-form")), Not(kind("counseling-note")), Not(kind("boundary-event")))
team_member = either(ClientOf(("treatment-team",), HOLDER, ORGANIZATION), ClientOf(("treatment-organization",), ORGANIZATION))
consented_team_client = both(team_member, permitted, not_of_employees)
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
own_client = both(Own("client", "=", CLIENT), not_apart)
own_record = both(own_client, either(ClientOf(("self",), HOLDER), ClientOf(("representative",), HOLDER)))
relatives_record = both(own_client, named_by_consent)

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
                ),
            ),
            both(either(kind("supervision"), kind("boundary-event")), either(mine("owner", "requester"), supervised_staff)),
        ),
        "managed-messages": either(
            both(Not(kind("supervision")), either(managed_client, both(no_client, mine("sender", "recipient")))),
            both(kind("supervision"), either(mine("sender", "recipient"), supervised_staff)),
        ),
        "consented-team-clients": consented_team_client,
        "consented-team-released": both(consented_team_client, disclosed),
        "consented-team-basis": both(consented_team_client, basis),
        "consented-team-thread": both(consented_team_client, Not(kind("supervision")), mine("sender", "recipient")),
        "consented-clients": both(permitted, not_apart),
        "consented-released": both(permitted, disclosed, not_apart),
        "consented-basis": both(permitted, basis),
        "managed-groups": Party(("managing-entity",), ORGANIZATION),
        "team-referrals": both(consented_team_client, mine("requester")),
        "own-referrals": both(Party(("requester",), ORGANIZATION), not_apart),
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
