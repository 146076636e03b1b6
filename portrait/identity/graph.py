"""Who is one person: identities and their links in, persons and proposals out. Pure, and the same for any order of the links.

Some links can't join, whatever the others are: they are too unsure, an end belongs to nobody (a blocked value) or to many (a
shared device), both ends are customers, or one belongs to another customer, to whom it was linked first. The rest are taken by
priority: what a person decided, the better kinds, the earlier link, the lesser names; each joins its two sides, unless these hold
two customers or are too many together. A link that joins nobody is a proposal, for a person to decide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from portrait.identity.links import Link, Links, later, own_kind, turned
from schemas.identity import RANK, UNIQUE, is_blocked, kind_of

#: Less sure links are proposals.
CONFIDENCE_MIN = 0.5
#: What is linked to so many customers is shared, and joins none of them.
SHARED_BY = 4
#: What is linked to more others than these is shared too, unless it is a customer.
SHARED_WITH = 64
#: Identities of one person.
PERSON_MAX = 64
#: More that hang together are a mistake of whoever links, and nobody in it is joined.
RUNAWAY = 256

Graph = Mapping[str, Links | None]  # identity -> its links; None where it has none


class Proposal(NamedTuple):
    """A link that joins nobody, and why. ``a`` is the lesser name."""

    a: str
    b: str
    why: str  # unsure, two-customers, other-customer, shared, full, blocked, too-many, runaway
    link: Link


class Join(NamedTuple):
    """A link by which two identities are one person's. ``a`` is the lesser name, and the link as that one keeps it."""

    a: str
    b: str
    link: Link


class Resolution(NamedTuple):
    """``persons``: every identity with the one that its person goes by. ``joins``: the links that make them so."""

    persons: dict[str, str]
    proposals: list[Proposal]
    joins: list[Join]

    def members(self) -> dict[str, list[str]]:
        """By the identity that a person goes by: all of theirs, sorted."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self.persons):
            found[self.persons[name]].append(name)
        return dict(found)


def resolve(graph: Graph) -> Resolution:
    """All persons of the graph. A link to an identity that is not in it counts for nothing."""
    kinds = {name: own_kind(name, links) for name, links in graph.items()}
    candidates, proposals = [], []
    for edge in _edges(graph):
        why = _why_not(edge, graph, kinds)
        if why:
            proposals.append(Proposal(*edge[:2], why, edge.link))
        else:
            candidates.append(edge)
    runaway = _runaway(candidates)
    clusters, joins = _Clusters(kinds), list[Join]()
    for edge in sorted(candidates, key=lambda edge: _priority(edge, kinds)):
        why = "runaway" if edge.a in runaway else clusters.join(edge.a, edge.b, decided=bool(edge.link.by))
        if why:
            proposals.append(Proposal(*edge[:2], why, edge.link))
        else:
            joins.append(edge)
    groups = clusters.groups()
    persons = {name: min(group, key=lambda n: (RANK[kinds[n]], n)) for group in groups for name in group}
    return Resolution(persons, sorted(p for p in proposals if persons[p.a] != persons[p.b]), joins)


def reach(graph: Graph, start: Iterable[str], told: Collection[str] = ()) -> set[str]:
    """Who hangs together with ``start`` by links that can join; of a cluster that runs away, no more than it takes to see that,
    and whoever hung together with ``told``, the ends of all links that are new, before these made it run away.

    It is complete if the graph holds what `linked_to` names of everybody who is returned.
    """
    kinds = {name: own_kind(name, links) for name, links in graph.items()}
    beside: dict[str, list[str]] = defaultdict(list)
    before: dict[str, list[str]] = defaultdict(list)  # without the links that may be new
    for edge in _edges(graph):
        if not _why_not(edge, graph, kinds):
            for sides in (beside,) if edge.a in told and edge.b in told else (beside, before):
                sides[edge.a].append(edge.b)
                sides[edge.b].append(edge.a)
    found, runs_away = set[str](), False
    for first in start:
        if first in graph and first not in found:
            cluster = _cluster(first, beside)
            found |= cluster
            runs_away |= len(cluster) > RUNAWAY
    if runs_away:  # each of what was joined until now hangs together with an end of a new link, and did not run away by itself
        found = found.union(*(_cluster(first, before) for first in told if first in graph))
    return found


def _cluster(first: str, beside: Mapping[str, Sequence[str]]) -> set[str]:
    found, front = set[str](), [first]
    while front and len(found) <= RUNAWAY:  # of this one: many may be asked about at once
        name = front.pop()
        if name not in found:
            found.add(name)
            front += beside[name]
    return found


def way(joins: Iterable[Join], start: str, end: str) -> list[Join]:
    """The fewest links that lead from one identity to another of the same person; none if they are not of one."""
    beside: dict[str, list[Join]] = defaultdict(list)
    for join in joins:
        beside[join.a].append(join)
        beside[join.b].append(join)
    ways: dict[str, list[Join]] = {start: []}
    front = [start]
    for name in front:  # which grows
        for join in beside[name]:
            other = join.b if join.a == name else join.a
            if other not in ways:
                ways[other] = [*ways[name], join]
                front.append(other)
    return ways.get(end, [])


def linked_to(name: str, links: Links | None) -> list[str]:
    """The identities that one is linked to now, and may be one person with."""
    return [] if links is None or _is_shared(own_kind(name, links), links) else _on(links)


def _on(links: Links) -> list[str]:
    return [other for other, link in links.others.items() if link.on]


def _edges(graph: Graph) -> list[Join]:
    """The links that stand, of which the later word counts where its two ends differ."""
    found: dict[tuple[str, str], Link] = {}
    for name, links in graph.items():
        for other, link in links.others.items() if links is not None else ():
            if other in graph:
                pair, word = ((name, other), link) if name < other else ((other, name), turned(link))
                found[pair] = later(found[pair], word) if pair in found else word
    return [Join(*pair, link) for pair, link in found.items() if link.on]


def _why_not(edge: Join, graph: Graph, kinds: Mapping[str, str]) -> str:
    """Why a link can't join, whatever the others are; "" if it can."""
    if is_blocked(edge.a) or is_blocked(edge.b):
        return "blocked"
    if any(_is_shared(kinds[name], graph[name]) for name in edge[:2]):
        return "shared"
    if not all(_keeps(graph[name], other) for name, other in (edge[:2], edge[1::-1])):
        return "full"
    if edge.link.by:
        return ""
    if edge.link.confidence < CONFIDENCE_MIN:
        return "unsure"
    if kinds[edge.a] in UNIQUE and kinds[edge.b] in UNIQUE:
        return "two-customers"
    for name, other in (edge[:2], edge[1::-1]):
        if kinds[other] in UNIQUE and kinds[name] not in UNIQUE and _owner(graph[name]) not in ("", other):
            return "other-customer"
    return ""


def _is_shared(kind: str, links: Links | None) -> bool:
    if links is None or kind in UNIQUE:
        return False
    return links.full or len(_customers(links)) >= SHARED_BY or len(_on(links)) > SHARED_WITH


def closed(name: str, links: Links | None) -> str:
    """Why an identity joins nobody, or nobody more, which an operator should know: "shared", "full"; "" while it does."""
    if links is not None and links.full:
        return "full"
    return "shared" if _is_shared(own_kind(name, links), links) else ""


def runs_away(graph: Graph) -> bool:
    """Do so many hang together that nobody of them is joined?"""
    if len(graph) <= RUNAWAY:
        return False
    kinds = {name: own_kind(name, links) for name, links in graph.items()}
    return bool(_runaway([edge for edge in _edges(graph) if not _why_not(edge, graph, kinds)]))


def _keeps(links: Links | None, other: str) -> bool:
    """Or would, had it been told of it yet."""
    return links is None or not links.full or other in links.others


def _customers(links: Links) -> list[tuple[int, str]]:
    """(first linked, name) of the customers whom one is linked to, as it knows them itself."""
    return [
        (link.first_ms, other)
        for other, link in links.others.items()
        if link.on and (link.by or link.confidence >= CONFIDENCE_MIN) and (link.kind or kind_of(other)) in UNIQUE
    ]


def _owner(links: Links | None) -> str:
    """The customer who was linked first."""
    return min(_customers(links), default=(0, ""))[1] if links is not None else ""


def _priority(edge: Join, kinds: Mapping[str, str]) -> tuple[int, int, int, int, str, str]:
    better, worse = sorted((RANK[kinds[edge.a]], RANK[kinds[edge.b]]))
    return (0 if edge.link.by else 1, better, worse, edge.link.first_ms, edge.a, edge.b)


def _runaway(edges: Sequence[Join]) -> set[str]:
    clusters = _Clusters({})
    for edge in edges:
        clusters.join(edge.a, edge.b, decided=True)
    return {name for group in clusters.groups() if len(group) > RUNAWAY for name in group}


class _Clusters:
    """Union-find, with the customers of each cluster. Without kinds there is no limit."""

    def __init__(self, kinds: Mapping[str, str]) -> None:
        self._kinds = kinds
        self._root = {name: name for name in kinds}
        self._group = {name: [name] for name in kinds}

    def join(self, a: str, b: str, *, decided: bool) -> str:
        """Why the two can't be one cluster; "" once they are."""
        one, other = (self._group[self._find(name)] for name in (a, b))
        if one is other:
            return ""
        if self._kinds and len(one) + len(other) > PERSON_MAX:
            return "too-many"
        if not decided and self._unique(one) and self._unique(other):
            return "two-customers"
        small, large = sorted((one, other), key=len)
        for name in small:
            self._root[name] = large[0]
        large += small
        return ""

    def groups(self) -> list[list[str]]:
        return [self._group[root] for root in {self._find(name) for name in self._root}]

    def _find(self, name: str) -> str:
        """The first of its cluster."""
        if name not in self._root:
            self._root[name], self._group[name] = name, [name]
        return self._root[name]

    def _unique(self, names: Sequence[str]) -> bool:
        return any(self._kinds[name] in UNIQUE for name in names)
