"""What a file in ``comparisons/`` exports as ``COMPARISON``: one comparison, whole."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.applications.reconciliation.facts import Facts
from gateway.applications.reconciliation.finding import (
    NOT_FETCHED,
    ComparedValue,
    Finding,
    Judgement,
    Outcome,
    Side,
)

_SLUG = re.compile(r"[a-z][a-z_]{0,63}")
SAID = {
    Outcome.CONSISTENT: "{one}与{other}一致",
    Outcome.CONTRADICTION: "{one}与{other}不一致",
    Outcome.UNSURE: "{one}与{other}是否一致，尚不能确定，须由工作人员核查",
    Outcome.NOT_COMPARED: "{one}与{other}未作比对",
}
NOTES = {
    "former_name": "名称不同，但营业执照载明的曾用名与之相同",
    "historic_number": "登记的是换号之前的旧号码，按国家标准换算后相同",
    "co_owner": "该不动产为共有，您是权利人之一；规定未要求其他共有人同意，共有人之间的约定请自行处理",
    "representative_number_not_shown": "营业执照未载明法定代表人证件号，按姓名比对；"
    "身份由身份核验机构以电子营业执照核实",
}
"""What a note says to the applicant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One comparison. ``certificates`` are the kinds that must be at hand, ``asked`` whether the question arises.

    ``judge`` and ``shown`` are called with those certificates there, and never raise. ``remedies`` has a sentence for
    every reason that is neither *consistent* nor "not fetched". Raises ``ValueError`` for a slug that is none.
    """

    slug: str
    title: str
    clause: str
    sides: Callable[[Facts], tuple[Side, Side]]
    certificates: Callable[[Facts], frozenset[str]]
    judge: Callable[[Facts], Judgement]
    shown: Callable[[Facts], tuple[ComparedValue, ...]]
    remedies: Mapping[str, str]
    asked: Callable[[Facts], bool] = lambda _: True

    def __post_init__(self) -> None:
        if not _SLUG.fullmatch(self.slug):
            raise ValueError(f"comparison {self.slug!r}: a slug is lower case")

    def concerns(self, facts: Facts) -> bool:
        """Whether the question arises: who applies so, and at a stage that asks for these certificates."""
        return self.asked(facts) and self.certificates(facts) <= facts.expected

    def find(self, facts: Facts) -> Finding:
        """The answer for ``facts``; what was not fetched is not compared."""
        if self.certificates(facts) <= facts.certificates.keys():
            judged = self.judge(facts)
        else:
            judged = Judgement(Outcome.NOT_COMPARED, NOT_FETCHED)
        one, other = self.sides(facts)
        return Finding(
            comparison=self.slug,
            title=self.title,
            outcome=judged.outcome,
            reason=judged.reason,
            sides=(one, other),
            says=SAID[judged.outcome].format(one=one.value, other=other.value),
            clause=self.clause,
            remedy=None if judged.outcome is Outcome.CONSISTENT else self._remedy(judged.reason),
            notes=tuple(NOTES[note] for note in judged.notes),
        )

    def _remedy(self, reason: str) -> str:
        if reason == NOT_FETCHED:
            return "有材料未能取得，因此未作比对；取得或声明后由供电企业核对原件（容缺受理）"
        return self.remedies[reason]


def identity_side(facts: Facts) -> Side:
    """Whose document says who the applicant is."""
    return Side.RESIDENT_ID if facts.identity_document == "resident_id" else Side.BUSINESS_LICENCE
