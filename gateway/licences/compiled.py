"""Agreement, rule row and request compiled into one disclosure, once for all who ask the same again.

What is kept is found by the version of the directory and by every word of the question, so that a changed agreement, a
new day or another rule takes effect with the very next question. Refusals are not kept.
"""

from dataclasses import dataclass
from datetime import date

from gateway.applications.dated_rows import RuleTable
from gateway.applications.disclosure_rules import DISCLOSURE_RULES, DisclosureRow, require_needed
from gateway.applications.stages import Stage
from gateway.certificates.bounded import BoundedCache
from gateway.certificates.disclosure import CompiledDisclosure, compile_disclosure
from gateway.certificates.registry import KindRegistry
from gateway.licences.gates import Gate, Gates
from gateway.partners.agreements import AgreementDecision, permits
from gateway.partners.directory import DirectorySnapshot

MAX_COMPILED = 4096


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks for what: ``item`` is the business item (the purpose on the wire).

    ``on`` is the China date by which agreements are judged, ``received_on`` that of the application, by which rules
    are. ``requested`` None asks for all that may be had.
    """

    partner: str
    item: str
    kind: str
    stage: Stage
    region: str
    on: date
    received_on: date
    requested: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Compiled:
    """What answers the question: the agreements it rests on, the rule row, and the names that may leave."""

    decision: AgreementDecision
    row: DisclosureRow
    disclosure: CompiledDisclosure

    @property
    def clauses(self) -> list[str]:
        """Those of the agreements, then that of the rule, each once."""
        return list(dict.fromkeys((*self.decision.clauses, self.row.clause)))


class DisclosureCompiler:
    """Compiles; holds a bounded cache of what was allowed. The cache is the event loop's alone."""

    def __init__(
        self, kinds: KindRegistry, table: RuleTable[DisclosureRow] = DISCLOSURE_RULES, size: int = MAX_COMPILED
    ) -> None:
        self._kinds, self._table = kinds, table
        self._kept: BoundedCache[tuple[int, Question], Compiled] = BoundedCache(size)

    def compile(self, snapshot: DirectorySnapshot, question: Question, gates: Gates) -> Compiled:
        """The answer under ``snapshot``; kept. Raises ``AgreementRefused``, ``NotRequiredAtStage``, ``UnknownKind``."""
        key = (snapshot.version, question)
        kept = self._kept.get(key)
        with gates.passing(Gate.AGREEMENT):
            decision = kept.decision if kept else self._decide(snapshot, question)
        with gates.passing(Gate.NECESSITY):
            compiled = kept or self._compile(decision, question)
        gates.note(Gate.AGREEMENT, clause="、".join(decision.clauses))
        gates.note(Gate.NECESSITY, clause=compiled.row.clause, note=compiled.row.note)
        if kept is None:
            self._kept.put(key, compiled)
        return compiled

    def compile_anew(self, snapshot: DirectorySnapshot, question: Question) -> Compiled:
        """The same without the cache, for whichever thread records. Raises as ``compile`` does."""
        return self._compile(self._decide(snapshot, question), question)

    def _decide(self, snapshot: DirectorySnapshot, asked: Question) -> AgreementDecision:
        return permits(
            snapshot.agreements.get(asked.partner, ()),
            snapshot.partners[asked.partner],
            asked.item,
            asked.kind,
            asked.region,
            asked.requested,
            asked.on,
            asked.stage.value,
        )

    def _compile(self, decision: AgreementDecision, asked: Question) -> Compiled:
        row = require_needed(
            asked.requested, asked.item, asked.stage, asked.kind, asked.received_on, asked.region, self._table
        )
        kind = self._kinds.get(asked.kind)
        return Compiled(
            decision, row, compile_disclosure(kind, decision.allowed, required=row.needed, requested=asked.requested)
        )
