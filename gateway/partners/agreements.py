"""Whether a sharing agreement covers a request. Pure; an empty policy is a refusal.

Judged in the order partner, dates, purpose, kind, region, stage, fields; the refusal names the first at which no
agreement was left (第（六）条: nothing beyond what was agreed may be asked for).
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date

from gateway.errors import Owner
from gateway.partners.errors import AgreementRefused, Dimension
from gateway.partners.model import AgreementStatus, Partner, SharingAgreement
from schemas.identifiers import IdentifierError, region_levels

_REMEDIES = {
    Dimension.PARTNER: "接入单位须处于启用状态并持有生效的数据共享协议，请联系平台运营方",
    Dimension.DATES: "没有在当日有效的协议，请续签后再试",
    Dimension.PURPOSE: "协议未约定该用途，请按约定用途调用或补签协议",
    Dimension.KIND: "协议在该用途下未约定此证照类型，请勿索取",
    Dimension.REGION: "协议不覆盖该行政区划，请核对区划或补签协议",
    Dimension.STAGE: "协议不允许在当前环节索取此证照",
    Dimension.FIELDS: "请求的字段超出协议约定，请只请求约定字段",
}


@dataclass(frozen=True, slots=True)
class AgreementDecision:
    """What may be given: ``fields`` answers the request, ``allowed`` is all that the agreements allow for the kind.

    ``agreement_ids`` and ``clauses`` are those of the agreements that the answer rests on, in order of id.
    """

    agreement_ids: tuple[str, ...]
    clauses: tuple[str, ...]
    fields: frozenset[str]
    allowed: frozenset[str]


def permits(
    agreements: Iterable[SharingAgreement],
    partner: Partner,
    purpose: str,
    kind: str,
    region: str,
    fields: Collection[str] | None,
    on: date,
    stage: str | None = None,
) -> AgreementDecision:
    """What ``partner`` may be given of ``kind`` in ``region`` on the China date ``on``.

    ``fields`` None asks for all that is allowed; an empty collection asks for nothing and is refused. ``stage`` None
    is a request outside any stage, which only agreements that do not narrow by stage cover.
    Raises ``AgreementRefused``.
    """
    own = [a for a in agreements if a.partner_code == partner.code and a.status is AgreementStatus.ACTIVE]
    if not partner.active or not own:
        raise _refused(Dimension.PARTNER)
    left = _narrow(own, Dimension.DATES, lambda a: a.valid_from <= on <= a.valid_until)
    left = _narrow(left, Dimension.PURPOSE, lambda a: a.purpose == purpose)
    left = _narrow(left, Dimension.KIND, lambda a: bool(_fields_of(a, kind)))
    levels = region_and_above(region)
    if levels.isdisjoint(partner.regions):
        raise _refused(Dimension.REGION)
    left = _narrow(left, Dimension.REGION, lambda a: not levels.isdisjoint(a.regions))
    left = _narrow(left, Dimension.STAGE, lambda a: a.stages is None or stage in a.stages)
    allowed = frozenset[str]().union(*(_fields_of(a, kind) for a in left))
    asked = allowed if fields is None else frozenset(fields)
    if not asked or not asked <= allowed:
        raise _refused(Dimension.FIELDS, left)
    used = sorted((a for a in left if _fields_of(a, kind) & asked), key=lambda a: a.agreement_id)
    return AgreementDecision(
        agreement_ids=tuple(a.agreement_id for a in used),
        clauses=tuple(dict.fromkeys(a.clause for a in used)),
        fields=asked,
        allowed=allowed,
    )


def agreed_fields(
    agreements: Iterable[SharingAgreement], purpose: str, kind: str, region: str, on: date
) -> frozenset[str]:
    """Every field of ``kind`` that some agreement in force lets leave for ``purpose`` in ``region``, at any stage."""
    levels = region_and_above(region)
    in_force = (
        agreement
        for agreement in agreements
        if agreement.status is AgreementStatus.ACTIVE
        and agreement.valid_from <= on <= agreement.valid_until
        and agreement.purpose == purpose
        and not levels.isdisjoint(agreement.regions)
    )
    return frozenset[str]().union(*(_fields_of(agreement, kind) for agreement in in_force))


def region_and_above(region: str) -> frozenset[str]:
    """The region as given and every level above it that GB/T 2260 shows in its digits; none where it is no code."""
    try:
        above = region_levels(region)
    except IdentifierError:
        return frozenset()
    return frozenset({region, region[:9], *above})


def _fields_of(agreement: SharingAgreement, kind: str) -> frozenset[str]:
    return frozenset[str]().union(*(grant.fields for grant in agreement.grants if grant.kind == kind))


def _narrow(
    agreements: list[SharingAgreement], dimension: Dimension, covers: Callable[[SharingAgreement], bool]
) -> list[SharingAgreement]:
    left = [agreement for agreement in agreements if covers(agreement)]
    if not left:
        raise _refused(dimension, agreements)
    return left


def _refused(dimension: Dimension, agreements: Iterable[SharingAgreement] = ()) -> AgreementRefused:
    clauses = {agreement.clause for agreement in agreements}
    return AgreementRefused(
        check=f"agreement.{dimension}",
        owner=Owner.CALLER,
        remedy=_REMEDIES[dimension],
        clause=clauses.pop() if len(clauses) == 1 else None,
        dimension=dimension,
    )
