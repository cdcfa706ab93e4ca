"""The work of recovery around a write: what must hold of what is stored already, and what the server then does by itself.

All of it is in the write's own transaction. What can be said of a resource alone is in `domain`; here is what needs the store.
"""
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from recovery_api.interactions.care import (
    appointments,
    assignments,
    boundary_events,
    care_teams,
    case_discussions,
    consents,
    episodes,
    escalations,
    goals,
    identity,
    instruments,
    notes,
    referrals,
    requests,
    session_check_ins,
    sessions,
    subscriptions,
    supervision_check_ins,
)
from recovery_api.interactions.care.written import Written

Step: TypeAlias = Callable[[Written], Awaitable[None]]

CHECKING: Mapping[str, Sequence[Step]] = MappingProxyType({"Communication": (case_discussions.check,)})
"""By type, what the writer's own sight decides, in the rule's words: it comes before the general word of what is not there."""
PREPARING: Mapping[str, Sequence[Step]] = MappingProxyType(
    {
        "Binary": (notes.text_of_own_draft,),
        "CareTeam": (assignments.respect_wishes, care_teams.prepare),
        "Consent": (consents.prepare,),
        "DocumentReference": (notes.not_while_read,),
        "Encounter": (sessions.keep_times,),
        "EpisodeOfCare": (episodes.prepare,),
        "Goal": (goals.keep_the_pace,),
        "Observation": (notes.session_is_unsigned,),
        "ServiceRequest": (referrals.prepare_order,),
        "Subscription": (subscriptions.prepare,),
        "Task": (
            escalations.complete_task,
            notes.reviewed_by_its_operations,
            supervision_check_ins.prepare_task,
            referrals.prepare,
            identity.prepare,
            requests.prepare,
        ),
    }
)
"""By type, what is done before a version is stored: raise where it must not be, or complete it in place.

These see more than the writer does. All that the version points at is there for the writer when they begin.
"""
FOLLOWING: Mapping[str, Sequence[Step]] = MappingProxyType(
    {
        "Appointment": (appointments.plan_session,),
        "Binary": (notes.keep_fingerprint,),
        "Communication": (supervision_check_ins.follow_communication,),
        "DocumentReference": (notes.replaces_what_was_signed,),
        "Encounter": (sessions.be_alone, sessions.be_complete, session_check_ins.watch, referrals.begin_episode),
        "EpisodeOfCare": (episodes.follow,),
        "Observation": (escalations.follow_observation, boundary_events.follow),
        "QuestionnaireResponse": (instruments.score_response, escalations.follow_observation),
        "Subscription": (subscriptions.follow,),
        "Task": (supervision_check_ins.follow_task, referrals.follow, identity.follow),
    }
)
"""By type, what is done when a version is stored: make or change what follows from it (`interactions/make.py`)."""
REMOVING: Mapping[str, Sequence[Step]] = MappingProxyType(
    {
        "DocumentReference": (notes.not_while_read,),
        "Observation": (notes.session_is_unsigned,),
        "QuestionnaireResponse": (instruments.withdraw,),
        "Subscription": (subscriptions.forget,),
    }
)
"""By type, what must hold when a resource is deleted, and what goes with it: `before` and `after` are its last version."""


async def check(written: Written) -> None:
    """Hold a version to what its writer sees. Raises Unprocessable."""
    for step in CHECKING.get(written.type, ()):
        await step(written)


async def prepare(written: Written) -> None:
    """Hold a version that is about to be stored to what is there, and complete it. Raises Unprocessable, Conflict or Forbidden."""
    for step in PREPARING.get(written.type, ()):
        await step(written)


async def let_go(written: Written) -> None:
    """Hold a resource that is about to be deleted to what is there, and let go of what stood on it. Raises Conflict."""
    for step in REMOVING.get(written.type, ()):
        await step(written)


async def follow(written: Written) -> None:
    """Do what follows from a version that has been stored. What it raises undoes the write."""
    for step in FOLLOWING.get(written.type, ()):
        await step(written)
