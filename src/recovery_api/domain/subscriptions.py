"""Subscriptions to topics, by the R5 backport for R4 (https://hl7.org/fhir/uv/subscriptions-backport/; domain.md 6): what one asks for, and
what it may not ask for. Whole resources are never sent: a notification says that something happened, and where."""
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple, cast
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from recovery_api.domain.escalations import PRIORITIES
from recovery_api.domain.life_cycle import LifeCycle
from recovery_api.fhir import errors
from recovery_api.fhir.errors import Issue, Unprocessable
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import objects_at
from recovery_api.fhir.search.dates import implicit_range
from recovery_api.fhir.topics import topics

BACKPORT: Final = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-"
REST_HOOK, WEBSOCKET = "rest-hook", "websocket"
CHANNELS: Final = (REST_HOOK, WEBSOCKET)
CONTENTS: Final = ("empty", "id-only")
PAYLOADS: Final = ("application/fhir+json", "application/json")
MOST_HEADERS: Final = 20
NEVER: Final = 1 << 62
UTC: Final = ZoneInfo("UTC")
OWN_HEADERS: Final = frozenset(
    {"connection", "content-length", "content-type", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that are the server's to set."""

_rule = partial(errors.Rule, error=Unprocessable)
TOPIC = _rule("subscription-topic", says="There is no such topic. The topics are: {}.")
FILTER = _rule("subscription-filter", says="This is no filter of the topic: {} It takes {}.")
CHANNEL = _rule("subscription-channel", says=f"Notifications are sent by {' or '.join(CHANNELS)}, and not by {{}}.")
ENDPOINT = _rule("subscription-endpoint", says="{}")
HEADER = _rule("subscription-header", says="A header is 'Name: value', of printable ASCII, and not one that the server sets: {}")
PAYLOAD = _rule("subscription-payload", says=f"Notifications are {PAYLOADS[0]}, and not {{}}.")
CONTENT = _rule("subscription-content", says=f"The extension backport-payload-content says {' or '.join(CONTENTS)}, and not {{}}.")
WHOLE = _rule("subscription-content", says="Whole resources are not sent, for reasons of 42 CFR Part 2: ask for id-only, and read them.")
EXTENSION = _rule("subscription-extension", says="This extension is not known here, or stands twice: {}")
NUMBER = _rule("subscription-number", says="{} is from {} to {}.")
SUBSCRIPTION = LifeCycle(
    name="subscription",
    what="A Subscription",
    at="Subscription.status",
    starts=frozenset({"requested"}),
    moves=MappingProxyType(
        {
            "requested": frozenset({"off"}),
            "active": frozenset({"requested", "off"}),
            "error": frozenset({"requested", "off"}),
            "off": frozenset({"requested"}),
        }
    ),
)
"""The moves of subscribers; the server makes it active, or says that its endpoint can't be reached (error)."""

NUMBERS: Final[Mapping[str, tuple[str, str, int, int]]] = MappingProxyType(
    {
        "heartbeat": ("heartbeat-period", "valueUnsignedInt", 10, 86_400),
        "timeout": ("timeout", "valueUnsignedInt", 1, 30),
        "most": ("max-count", "valuePositiveInt", 1, 100),
    }
)
"""What may be said of a channel, by its extension; seconds, and events in one notification."""

_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]?([\x20-\x7e\t]*)")


class Filter(NamedTuple):
    """What the resource of an event must meet: a search for its type."""

    type: str
    pairs: tuple[tuple[str, str], ...]


class Wanted(NamedTuple):
    """What a valid Subscription asks for. Periods are in seconds; `most`: events in one notification."""

    topic: str
    filters: tuple[Filter, ...]
    channel: str
    endpoint: str
    headers: tuple[tuple[str, str], ...]
    content: str
    heartbeat: int = 0
    timeout: int = 10
    most: int = 1
    ends: int = NEVER
    """The stamp at which it ends by itself (microseconds, UTC)."""

    @property
    def client(self) -> str:
        """The one client that it is about ("Patient/id"); '' where it is about any."""
        said = {value for each in self.filters for name, value in each.pairs if name == "patient"}
        one = next(iter(said)) if len(said) == 1 else ""
        return "" if not one or "," in one else f"Patient/{one.rpartition('/')[2]}"


def wanted(subscription: JsonObject) -> Wanted:
    """What a Subscription asks for that was found valid."""
    channel: JsonObject = subscription["channel"]
    numbers = {name: said[0] for name in NUMBERS if (said := [*_numbers(channel, name)])}
    filters = tuple(_filter(str(each["valueString"])) for each in _extensions(subscription, "_criteria", "filter-criteria"))
    return Wanted(
        topic=subscription["criteria"],
        filters=filters,
        channel=channel["type"],
        endpoint=channel.get("endpoint", ""),
        headers=tuple((found[1], found[2]) for each in channel.get("header", ()) if (found := _HEADER.fullmatch(each))),
        content=next(each["valueCode"] for each in _extensions(channel, "_payload", "payload-content")),
        ends=implicit_range(subscription["end"], UTC).high if "end" in subscription else NEVER,
        **numbers,
    )


def check_subscription(before: JsonObject | None, after: JsonObject) -> None:
    """Raise Unprocessable where a Subscription asks for what is not given, Conflict for a move that is not a subscriber's."""
    if problems := list(_problems(after)):
        raise Unprocessable(*problems)
    SUBSCRIPTION.check(before["status"] if before else None, after["status"])


def _problems(said: JsonObject) -> Iterator[Issue]:
    channel: JsonObject = said["channel"]
    if said["criteria"] not in topics():
        yield TOPIC.issue(", ".join(topics()), at="Subscription.criteria")
    else:
        yield from _filter_problems(said)
    yield from _unknown(said, "Subscription", {"": (), "_criteria": ("filter-criteria",)})
    own = tuple(name for name, *_ in NUMBERS.values())
    yield from _unknown(channel, "Subscription.channel", {"": own, "_payload": ("payload-content",), "_type": ()})
    yield from _channel_problems(channel)
    for name, (extension, _, low, high) in NUMBERS.items():
        for number in _numbers(channel, name):
            if not low <= number <= high:
                yield NUMBER.issue(f"backport-{extension}", str(low), str(high), at="Subscription.channel")


def _channel_problems(channel: JsonObject) -> Iterator[Issue]:
    at = "Subscription.channel"
    if channel["type"] not in CHANNELS:
        yield CHANNEL.issue(str(channel["type"]), at=f"{at}.type")
    if channel["type"] == REST_HOOK and "endpoint" not in channel:
        yield ENDPOINT.issue("A rest-hook needs the address that is called.", at=f"{at}.endpoint")
    if channel["type"] == WEBSOCKET and channel.keys() & {"endpoint", "header"}:
        yield ENDPOINT.issue("A websocket has no endpoint and no header: the subscriber connects to the server.", at=f"{at}.endpoint")
    if channel.get("payload") not in PAYLOADS:
        yield PAYLOAD.issue(str(channel.get("payload", "nothing"))[:100], at=f"{at}.payload")
    contents = [each.get("valueCode", "") for each in _extensions(channel, "_payload", "payload-content")] or ["nothing"]
    if contents == ["full-resource"]:
        yield WHOLE.issue(at=f"{at}.payload")
    elif contents[0] not in CONTENTS:
        yield CONTENT.issue(str(contents[0])[:100], at=f"{at}.payload")
    headers: Sequence[str] = channel.get("header", ())
    for place, header in enumerate(headers):
        found = _HEADER.fullmatch(header)
        if found is None or found[1].lower() in OWN_HEADERS or len(headers) > MOST_HEADERS:
            yield HEADER.issue(header.partition(":")[0][:100], at=f"{at}.header[{place}]")


def _filter_problems(said: JsonObject) -> Iterator[Issue]:
    known = topics()[said["criteria"]].filters
    takes = ", ".join(f"{type}?{name}" for type, names in known.items() for name in names)
    for each in _extensions(said, "_criteria", "filter-criteria"):
        text = str(each.get("valueString", ""))
        type, pairs = _filter(text)
        good = all(name in known.get(type, ()) and value for name, value in pairs)
        ranked = all(value in PRIORITIES for name, value in pairs if name == "priority")
        if not pairs or not good or not ranked:
            yield FILTER.issue(f"{text[:100]}.", takes, at="Subscription.criteria")


def _filter(text: str) -> Filter:
    type, _, query = text.partition("?")
    return Filter(type, tuple(parse_qsl(query, keep_blank_values=True)))


def _unknown(holder: JsonObject, place: str, known: Mapping[str, tuple[str, ...]]) -> Iterator[Issue]:
    """The extensions of an object and of its primitives ("" and "_name") that are not known here, or stand twice."""
    for member, names in known.items():
        found: Sequence[JsonObject] = (holder.get(member, {}) if member else holder).get("extension", ())
        urls = [each["url"] for each in found]
        for url in dict.fromkeys(urls):
            again = urls.count(url) > 1 and url != f"{BACKPORT}filter-criteria"
            if again or url not in {f"{BACKPORT}{name}" for name in names}:
                yield EXTENSION.issue(str(url)[:200], at=f"{place}.{member[1:]}" if member else place)


def _numbers(channel: JsonObject, name: str) -> Iterator[int]:
    extension, value, _, _ = NUMBERS[name]
    for each in _extensions(channel, "", extension):
        said = next((each[one] for one in (value, "valueInteger", "valueUnsignedInt", "valuePositiveInt") if one in each), -1)
        yield cast("int", said)


def _extensions(holder: JsonObject, member: str, name: str) -> list[JsonObject]:
    return [each for each in objects_at(holder, f"{member}.extension" if member else "extension") if each.get("url") == f"{BACKPORT}{name}"]
