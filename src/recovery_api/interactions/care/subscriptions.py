"""A Subscription that is written: whether its topic is for its subscriber, and what is kept of their rights (domain.md 6).

The rights are those of the token that writes it: what it opens then is told later, as far as it still opens it.
"""
from recovery_api.domain.subscriptions import ENDPOINT, FILTER, REST_HOOK, wanted
from recovery_api.fhir.errors import BadRequest, Forbidden, Rule, Unprocessable
from recovery_api.fhir.instants import SECOND
from recovery_api.fhir.search.parse import condition
from recovery_api.fhir.topics import topics
from recovery_api.identity.endpoints import EndpointRefused
from recovery_api.identity.remembered import kept, recalled
from recovery_api.interactions.care.written import Written
from recovery_api.interactions.context import Server
from recovery_api.interactions.make import change
from recovery_api.policy.decide import decide
from recovery_api.store import subscriptions
from recovery_api.store.records import NEVER
from recovery_api.store.subscriptions import Standing
from recovery_api.store.writer import Writer

AUDIENCE = Rule("subscription-audience", Forbidden, "The topic {} is not for the role {}.", "forbidden")
OVER = Rule("subscription-end", Unprocessable, "The end of the Subscription has passed.")
ENGAGEMENT_ENDED = "The engagement with the client has ended."
ASKED = ("criteria", "_criteria", "channel")
"""What a Subscription asks for: where that changes, the endpoint is asked again."""


async def prepare(written: Written) -> None:
    """Hold a Subscription to its subscriber's rights, and set what the server says of it: its state, and no old error.

    Raises Forbidden where the topic is not for the subscriber, Unprocessable where a filter or the endpoint can't be used.
    """
    before, after = written.before, written.after
    if before is not None and written.actor.role == "admin":
        return
    topic, asked = topics()[after["criteria"]], wanted(after)
    if written.actor.role not in topic.audience:
        raise AUDIENCE.broken(topic.url, written.actor.role, at="Subscription.criteria")
    for type in topic.triggers:
        decide(written.server.matrix, written.actor, type, "rs")
    for each in asked.filters:
        names = topic.filters[each.type]
        try:
            condition(each.type, [(names[name], value) for name, value in each.pairs if name != "priority"], written.server.search)
        except BadRequest as refused:
            raise FILTER.broken(str(refused), ", ".join(names), at="Subscription.criteria") from None
    if asked.ends <= written.writer.stamp:
        raise OVER.broken(at="Subscription.end")
    if asked.channel == REST_HOOK:
        try:
            written.server.endpoints.check(asked.endpoint)
        except EndpointRefused as refused:
            raise ENDPOINT.broken(str(refused), at="Subscription.channel.endpoint") from None
    if after["status"] != "off":
        if before is None or after["status"] == "requested" or any(before.get(name) != after.get(name) for name in ASKED):
            after["status"] = "requested" if asked.channel == REST_HOOK else "active"
        if after["status"] != "error":
            after.pop("error", None)


async def follow(written: Written) -> None:
    """Keep how it stands, and by whose rights; with another state or another wish, it is attended to at once."""
    after, writer = written.after, written.writer
    asked, known = wanted(after), await subscriptions.find(writer, after["id"])
    standing = Standing(
        id=after["id"],
        topic=asked.topic,
        client=asked.client,
        channel=asked.channel,
        status=after["status"],
        caller=known.caller if known is not None and written.actor.role == "admin" else kept(written.actor),
        since=writer.stamp,
        number=0,
        delivered=0,
        due=0,
        beat=writer.stamp + asked.heartbeat * SECOND if asked.heartbeat and after["status"] == "active" else NEVER,
        failing=0,
        leased_until=0,
        failures=0,
    )
    await subscriptions.keep(writer, standing)
    if after["status"] == "off":
        await subscriptions.abandon(writer, after["id"])


async def close_about(server: Server, writer: Writer, client: str) -> None:
    """Switch off what others than the client ("Patient/id") asked to be told of this client alone: the engagement has ended."""
    for one in await subscriptions.about(writer, client):
        if recalled(one.caller).role != "client":
            await switch_off(server, writer, one.id, ENGAGEMENT_ENDED)


async def switch_off(server: Server, writer: Writer, id: str, why: str) -> None:
    """End a Subscription, for everybody to see: nothing that has no number yet is told any more."""
    await change(server, writer, "Subscription", id, lambda said: said | {"status": "off", "error": why})
    standing = await subscriptions.find(writer, id)
    if standing is not None:
        await subscriptions.keep(writer, standing._replace(status="off", leased_until=0))
    await subscriptions.abandon(writer, id)


async def forget(written: Written) -> None:
    """Nothing is kept of a Subscription that is deleted."""
    await subscriptions.forget(written.writer, written.after["id"])
