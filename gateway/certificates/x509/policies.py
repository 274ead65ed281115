"""Certificate policies along a path, by the graph of RFC 9618 (which replaces the tree of RFC 5280 §6.1).

The tree of RFC 5280 grows exponentially under hostile mappings; the graph has at most one node per policy and depth.
Qualifiers bind nobody here and are not kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway.certificates.x509.extensions import ANY_POLICY, PathExtensions

MAX_POLICIES: Final = 512
"""Policies, or mappings, that one certificate may state; a CA that needs more is not one of ours."""


class PoliciesExceeded(Exception):
    """A certificate states more policies or mappings than `MAX_POLICIES`."""


@dataclass(frozen=True, slots=True)
class PolicyDemand:
    """The inputs (c) to (g) of RFC 5280 §6.1.1. ``accepted`` None is any policy."""

    accepted: frozenset[str] | None = None
    explicit: bool = False
    inhibit_mapping: bool = False
    inhibit_any: bool = False

    @classmethod
    def one_of(cls, *demands: Iterable[str] | None) -> "PolicyDemand":
        """A path must be good for a policy that each of the ``demands`` (None: none is made) accepts."""
        made = [frozenset(demand) for demand in demands if demand is not None]
        narrow = [demand for demand in made if ANY_POLICY not in demand]
        return cls(frozenset.intersection(*narrow) if narrow else None, explicit=bool(made))


@dataclass(slots=True)
class _Node:
    expected: frozenset[str]
    parents: set[str] = field(default_factory=set)


class PolicyWalk:
    """The policy part of validating one path, certificate by certificate from below the anchor to the leaf."""

    def __init__(self, demand: PolicyDemand, length: int) -> None:
        """``length`` counts the certificates below the anchor."""
        self._demand = demand
        self._levels: list[dict[str, _Node]] | None = [{ANY_POLICY: _Node(frozenset({ANY_POLICY}))}]
        self._explicit = 0 if demand.explicit else length + 1
        self._mapping = 0 if demand.inhibit_mapping else length + 1
        self._any = 0 if demand.inhibit_any else length + 1

    def constrain(self, extensions: PathExtensions) -> None:
        """Take over policyConstraints and inhibitAnyPolicy (§6.1.4 (i) and (j)); also asked for the anchor."""
        stated = extensions.policy_constraints
        if stated is not None and stated.require_explicit is not None:
            self._explicit = min(self._explicit, stated.require_explicit)
        if stated is not None and stated.inhibit_mapping is not None:
            self._mapping = min(self._mapping, stated.inhibit_mapping)
        if extensions.inhibit_any_policy is not None:
            self._any = min(self._any, extensions.inhibit_any_policy)

    def enter(self, extensions: PathExtensions, *, self_issued: bool, last: bool) -> bool:
        """Process one certificate's policies (§6.1.3 (d) to (f)); false when none is left and one is demanded.

        Raises `PoliciesExceeded`.
        """
        stated = extensions.policies
        if stated is None:
            self._levels = None
        elif len(stated) > MAX_POLICIES or len(extensions.policy_mappings) > MAX_POLICIES:
            raise PoliciesExceeded
        elif self._levels is not None:
            self._grow(stated, take_any=self._any > 0 or (self_issued and not last))
        return self._explicit > 0 or self._levels is not None

    def leave(self, extensions: PathExtensions, *, self_issued: bool) -> bool:
        """Prepare for the certificate below (§6.1.4 (a) to (j)); false when a mapping names anyPolicy."""
        if any(ANY_POLICY in pair for pair in extensions.policy_mappings):
            return False
        self._map(extensions.policy_mappings)
        if not self_issued:
            self._explicit = max(self._explicit - 1, 0)
            self._mapping = max(self._mapping - 1, 0)
            self._any = max(self._any - 1, 0)
        self.constrain(extensions)
        return True

    def accepted(self, leaf: PathExtensions) -> bool:
        """Whether the whole path, ending in ``leaf``, is good for a demanded policy (§6.1.5 (a), (b) and (g))."""
        explicit = max(self._explicit - 1, 0)
        stated = leaf.policy_constraints
        if stated is not None and stated.require_explicit == 0:
            explicit = 0
        return explicit > 0 or bool(self._constrained())

    def _grow(self, stated: frozenset[str], *, take_any: bool) -> None:
        above = self._levels[-1] if self._levels else {}
        expecting: dict[str, set[str]] = {}
        for policy, node in above.items():
            for each in node.expected:
                expecting.setdefault(each, set()).add(policy)
        level: dict[str, _Node] = {}
        for policy in stated - {ANY_POLICY}:
            if policy in expecting:
                level[policy] = _Node(frozenset({policy}), expecting[policy])
            elif ANY_POLICY in above:
                level[policy] = _Node(frozenset({policy}), {ANY_POLICY})
        if ANY_POLICY in stated and take_any:
            for policy, parents in expecting.items():
                level.setdefault(policy, _Node(frozenset({policy}), parents))
        assert self._levels is not None
        self._levels.append(level)
        self._prune()

    def _map(self, mappings: tuple[tuple[str, str], ...]) -> None:
        if self._levels is None or not mappings:
            return
        level, above = self._levels[-1], self._levels[-2]
        wanted: dict[str, set[str]] = {}
        for issuers, subject in mappings:
            wanted.setdefault(issuers, set()).add(subject)
        for policy, subjects in wanted.items():
            if self._mapping == 0:
                level.pop(policy, None)
            elif policy in level:
                level[policy].expected = frozenset(subjects)
            elif ANY_POLICY in level and ANY_POLICY in above:
                level[policy] = _Node(frozenset(subjects), {ANY_POLICY})
        self._prune()

    def _prune(self) -> None:
        """Drop every node that has no child, from the lowest level upwards; an empty level ends the graph."""
        assert self._levels is not None
        for index in range(len(self._levels) - 1, 0, -1):
            kept = set().union(*(node.parents for node in self._levels[index].values()))
            above = self._levels[index - 1]
            self._levels[index - 1] = {policy: node for policy, node in above.items() if policy in kept}
        if not all(self._levels):
            self._levels = None

    def _constrained(self) -> frozenset[str]:
        """The user-constrained policy set of RFC 9618 §5.6."""
        if self._levels is None:
            return frozenset()
        found = {ANY_POLICY} if ANY_POLICY in self._levels[-1] else set()
        for level in self._levels[1:]:
            found |= {policy for policy, node in level.items() if policy != ANY_POLICY and ANY_POLICY in node.parents}
        if self._demand.accepted is None:
            return frozenset(found)
        return self._demand.accepted if ANY_POLICY in found else frozenset(found & self._demand.accepted)
