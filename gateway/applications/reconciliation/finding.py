"""What a comparison of two documents comes to. It names whose documents they are, and never what stands in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """The three answers, and that there was nothing to compare (a document was not fetched: 容缺)."""

    CONSISTENT = "consistent"
    CONTRADICTION = "contradiction"
    UNSURE = "unsure"
    NOT_COMPARED = "not_compared"


class Side(StrEnum):
    """A document and whose it is, as the applicant reads it."""

    IDENTITY = "身份核验机构的核验结果"
    BUSINESS_LICENCE = "市场监督管理部门的营业执照"
    RESIDENT_ID = "公安机关的居民身份证"
    PROPERTY = "自然资源部门的不动产权证书"
    PROJECT = "发展改革部门的用电工程项目批准文件"
    ADDRESS = "申请人填写的用电地址"
    AUTHORISATION = "法定代表人签署的经办授权"


NOT_FETCHED = "not_fetched"
"""The reason where a document is not at hand, whatever is compared."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one comparison says: ``reason`` is a slug of its table, ``notes`` what is worth telling beside it."""

    outcome: Outcome
    reason: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One comparison of one application. ``sides`` are whose two documents were compared.

    ``says`` is a sentence for the applicant, ``remedy`` what may be done where it is not consistent; ``clause`` is the
    rule by which the two must agree. ``notes`` are sentences too. Nothing here is a value of a document.
    """

    comparison: str
    title: str
    outcome: Outcome
    reason: str
    sides: tuple[Side, Side]
    says: str
    clause: str
    remedy: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ComparedValue:
    """A value that was compared, for the eyes of the officer who settles it. Personal data: never stored."""

    side: Side
    label: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChosenFinding:
    """A finding, and the choices (document → choice) for which it holds; a document that it does not name is free."""

    finding: Finding
    choices: Mapping[str, str]

    def applies(self, chosen: Mapping[str, str]) -> bool:
        """Whether it speaks of the certificates that are ``chosen``, by document."""
        return all(chosen.get(document) == choice for document, choice in self.choices.items())
