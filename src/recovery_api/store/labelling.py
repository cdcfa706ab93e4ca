"""Labels in force: how they come to a resource from its client and from what it refers to, and from it to others.

What a version says by itself is its `Basis`; the rest follows, always in the transaction that changes it (domain.md 3.2):

- a client's **context** are the law, where an episode at a Part 2 program has a substance use diagnosis, and the sensitivities of all
  of their episodes. All that belongs to the client is labelled by it;
- labels are **carried** from what a resource names in one of the roles of `CARRIED`.

Relabelling rewrites labels, `meta.security` and its index rows where they stand. It makes no version: versionId and lastUpdated stay.
Whoever writes of a client holds its context (and what carries labels to it) against changes until the transaction ends.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.labels import FAMILIES, PART2, SENSITIVITY, bit, closed, mark
from recovery_api.store import label_rows
from recovery_api.store.label_rows import MANAGED_BY, Relabelled, Stored
from recovery_api.store.records import FRAMING, Facets, Record
from recovery_api.store.writer import Writer

SUBSTANCE_USE: Final = FAMILIES[bit("ETH")]
_ALL: Final = -1
CARRIED: Final[Mapping[str, int]] = {"labelled-by": SENSITIVITY, "security-context": _ALL, "target": PART2, "requester": PART2}
"""The labels that come from what is named in a role."""
Describe: TypeAlias = Callable[[JsonObject], Facets]


@dataclass(slots=True)
class Labelled:
    """A resource, with `meta`, whose labels are found; they are put into its facets and its `meta.security`."""

    resource: JsonObject
    facets: Facets
    before: int | None = None
    """The labels of the version before; None: there was none."""
    sender: str = ""
    """The organization outside ("Organization/id") that sends it: a Part 2 program's law stays with what it sends."""
    is_new: bool = False
    """Its id was made just now, so nothing refers to it."""
    is_stored: bool = False
    """It stands in the database as it is, but for its labels."""

    @property
    def reference(self) -> str:
        return f"{self.resource['resourceType']}/{self.resource['id']}"


@dataclass(frozen=True, slots=True)
class Labeller:
    """Finds labels. `describe` says what is known of a resource by its content, `types` are those that have a client."""

    describe: Describe
    types: tuple[str, ...]

    async def label(self, writer: Writer, written: Sequence[Labelled]) -> None:
        """Find the labels of what is about to be written, and change those of what depends on it."""
        await _Spread(writer, self).run(written)

    async def forget(self, writer: Writer, gone: Record) -> None:
        """Change the labels of what depended on a resource that was deleted."""
        if not (gone.labels & SENSITIVITY or gone.type in FRAMING):
            return
        spread = _Spread(writer, self)
        spread.asked_for.append(gone.reference)
        if gone.type == "EpisodeOfCare":
            spread.renewed.add(gone.client)
        if gone.type == "Organization":
            spread.renewed |= await label_rows.clients_managed_by(writer, [gone.reference])
        await spread.run(())

    async def relabel(self, writer: Writer, references: Iterable[str]) -> None:
        """Find the labels of stored resources ("Type/id") anew, and change those of what depends on them."""
        spread = _Spread(writer, self)
        await spread.run(await spread.fetch(references))


class _Spread:
    """One change of labels, from where it begins to where it ends."""

    def __init__(self, writer: Writer, labeller: Labeller) -> None:
        self._writer = writer
        self._labeller = labeller
        self._nodes: dict[str, Labelled] = {}
        self._before: dict[str, int] = {}
        self._contexts: dict[str, int] = {}
        self._targets: dict[str, tuple[str, int]] = {}
        self._programs: dict[str, bool] = {}
        self._episodes: dict[str, dict[str, tuple[int, str]]] = {}
        self._told: set[str] = set()
        self._asked: set[str] = set()
        self._opened: set[str] = set()
        self.renewed: set[str] = set()
        """Clients whose context is found anew."""
        self.asked_for: list[str] = []
        """References whose dependents are to be found, whatever their labels."""

    async def run(self, found: Iterable[Labelled]) -> None:
        while True:
            for node in found:
                self._nodes.setdefault(node.reference, node)
            await self._learn()
            self._settle()
            found = await self._reach()
            if not found:
                break
        await self._keep()

    async def fetch(self, references: Iterable[str]) -> list[Labelled]:
        """What is stored under these references, held until the end; contexts are held before what is labelled by them."""
        wanted = [one for one in references if one not in self._nodes]
        if not wanted:
            return []
        await self._hold(await label_rows.clients_of(self._writer, wanted))
        return [self._stored(each) for each in await label_rows.fetch(self._writer, wanted)]

    def _stored(self, row: Stored) -> Labelled:
        resource = load(row.body)
        facets = self._labeller.describe(resource)._replace(labels=row.labels, raised=row.raised)
        return Labelled(resource, facets, row.labels, is_stored=True)

    # What must be known

    async def _learn(self) -> None:
        await self._learn_programs()
        written = [node for node in self._nodes.values() if node.resource["resourceType"] == "EpisodeOfCare" and node.facets.client]
        self.renewed.update(node.facets.client for node in written)
        for node in self._nodes.values():
            if node.sender and self._programs.get(node.sender) and node.facets.basis.lawful:
                node.facets = node.facets._replace(raised=node.facets.raised | PART2)
        await self._hold({node.facets.client for node in self._nodes.values()} | self.renewed)
        if unknown := self.renewed - self._episodes.keys():
            self._episodes |= {client: {} for client in unknown}
            for reference, client, labels, managing in await label_rows.episodes(self._writer, unknown):
                self._episodes[client][reference] = (labels, managing)
            await self._learn_about({managing for client in unknown for _, managing in self._episodes[client].values()})
        for node in written:
            managing = next((holder for role, holder in node.facets.parties if role == MANAGED_BY), "")
            self._episodes[node.facets.client][node.reference] = (0, managing)
        await self._learn_targets()

    async def _learn_programs(self) -> None:
        """Which of the organizations named are Part 2 programs; one that is written says so itself."""
        for node in list(self._nodes.values()):
            reference = node.reference
            if node.resource["resourceType"] == "Organization" and reference not in self._told:
                self._told.add(reference)
                await self._learn_about({reference})
                now = any(relation.kind == "part2-program" for relation in node.facets.relations or ())
                if node.is_stored or now != self._programs[reference]:
                    self._programs[reference] = now
                    self.renewed |= await label_rows.clients_managed_by(self._writer, [reference])
                    self.asked_for.append(reference)
        named = {holder for node in self._nodes.values() for role, holder in node.facets.parties if role in ("requester", MANAGED_BY)}
        await self._learn_about(named | {node.sender for node in self._nodes.values()})

    async def _learn_about(self, organizations: Iterable[str]) -> None:
        unknown = {one for one in organizations if one.startswith("Organization/")} - self._programs.keys()
        if unknown:
            programs = await label_rows.programs(self._writer, unknown)
            self._programs |= {one: one in programs for one in unknown}

    async def _hold(self, clients: Iterable[str]) -> None:
        unknown = {client for client in clients if client} - self._contexts.keys()
        if unknown:
            alone = bool(self.renewed) or any(node.resource["resourceType"] in FRAMING for node in self._nodes.values())
            begin = alone or any(node.resource["resourceType"] == "Patient" for node in self._nodes.values())
            held = await label_rows.hold(self._writer, unknown, alone=alone, begin=begin)
            found = {client: held.get(client, 0) for client in unknown}
            self._before |= found
            self._contexts |= found

    async def _learn_targets(self) -> None:
        named: set[str] = set()
        others: set[str] = set()
        for node in self._nodes.values():
            for role, holder in node.facets.parties:
                if role in CARRIED and role != "requester" and holder not in self._nodes and holder not in self._targets:
                    (named if node.facets.client else others).add(holder)
        if others:
            await self._hold(await label_rows.clients_of(self._writer, others))
        if named := named | others:
            found = await label_rows.standing(self._writer, named)
            self._targets |= {one: found.get(one, ("", 0)) for one in named}
            await self._hold({client for client, _ in found.values()})

    # What follows

    def _settle(self) -> None:
        """The least labels for which everything holds."""
        labels = dict.fromkeys(self._nodes, 0)
        contexts = self._contexts | dict.fromkeys(self.renewed, 0)
        changed = True
        while changed:
            changed = False
            for client in self.renewed:
                if (context := self._context(client, labels)) != contexts[client]:
                    contexts[client], changed = context, True
            for reference, node in self._nodes.items():
                client, basis = node.facets.client, node.facets.basis
                found = basis.labels(node.facets.raised, contexts.get(client, 0), self._carried(node, labels, contexts))
                if found != labels[reference]:
                    labels[reference], changed = found, True
        self._contexts = contexts
        for reference, node in self._nodes.items():
            node.facets = node.facets._replace(labels=labels[reference])

    def _context(self, client: str, labels: Mapping[str, int]) -> int:
        context = 0
        for reference, (stored, managing) in self._episodes[client].items():
            found = labels.get(reference, stored)
            context |= found & SENSITIVITY
            if found & SUBSTANCE_USE and self._programs.get(managing):
                context |= PART2
        return context

    def _carried(self, node: Labelled, labels: Mapping[str, int], contexts: Mapping[str, int]) -> int:
        found = 0
        for role, holder in node.facets.parties:
            if (share := CARRIED.get(role)) is None:
                continue
            if holder in self._programs:
                found |= share & (PART2 if self._programs[holder] else 0)
            elif (other := self._nodes.get(holder)) is not None:
                found |= share & (labels[holder] | contexts.get(other.facets.client, 0) & PART2)
            else:
                client, theirs = self._targets.get(holder, ("", 0))
                found |= share & (theirs | contexts.get(client, 0) & PART2)
        return found

    async def _reach(self) -> list[Labelled]:
        """What depends on what has changed, and is not among the nodes."""
        renamed = {client for client in self.renewed if self._contexts[client] != self._before[client]}
        holders = {
            reference
            for reference, node in self._nodes.items()
            if not node.is_new and (self._is_other(node) or node.facets.client in renamed)
        }
        holders = (holders | set(self.asked_for)) - self._asked
        self._asked |= holders
        reached = await label_rows.dependents(self._writer, holders, CARRIED) if holders else set[str]()
        if more := renamed - self._opened:
            self._opened |= more
            reached |= await label_rows.of_clients(self._writer, more, self._labeller.types)
        return await self.fetch(reached)

    def _is_other(self, node: Labelled) -> bool:
        """What depends on the node is to be looked at: by its labels, or by its client where it was not there before."""
        if node.before is None:
            return bool(node.facets.labels or self._contexts.get(node.facets.client))
        return node.facets.labels != node.before

    # What is written

    async def _keep(self) -> None:
        renewed = {client: self._contexts[client] for client in self.renewed if self._contexts[client] != self._before[client]}
        if renewed:
            await label_rows.keep_contexts(self._writer, renewed)
        changed = [node for node in self._nodes.values() if not node.is_stored or node.facets.labels != node.before]
        for node in changed:
            mark(node.resource, node.facets.labels)
        stored = [Relabelled(node.resource, node.facets.client, node.facets.labels) for node in changed if node.is_stored]
        if stored:
            await label_rows.keep(self._writer, stored)
        bound = {client for client, context in renewed.items() if context & PART2 & ~self._before[client]}
        theirs = [reference for reference, node in self._nodes.items() if node.facets.client in bound and node.facets.basis.lawful]
        if theirs:
            await label_rows.bind_history(self._writer, theirs, closed(PART2))
