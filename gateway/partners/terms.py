"""What may be registered at all. Shapes of codes, non-empty agreements, addresses that events may be sent to."""

import re
from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

from gateway.partners.errors import terms_rejected
from gateway.partners.model import Grant
from schemas.identifiers import IdentifierError, region_findings, validate_region

_PARTNER_CODE: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_KID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_SLUG: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


def check_partner_terms(code: str, name: str, regions: Sequence[str]) -> None:
    """Raise ``PartnerTermsRejected`` unless code, name and regions can be registered."""
    if not _PARTNER_CODE.fullmatch(code):
        raise terms_rejected("code", "代码须以小写字母开头，仅含小写字母、数字与连字符，不超过 64 字符")
    if not name.strip() or len(name) > 200 or not name.isprintable():
        raise terms_rejected("name", "单位名称须为 1 至 200 个可见字符")
    _check_regions(regions)


def check_kid(kid: str) -> None:
    """Raise ``PartnerTermsRejected`` unless ``kid`` can stand in an address and a log line."""
    if not _KID.fullmatch(kid):
        raise terms_rejected("kid", "kid 须为 1 至 128 个字母、数字或 _ . : - 字符")


def check_agreement_terms(
    purpose: str, grants: Sequence[Grant], regions: Sequence[str], stages: Collection[str] | None, clause: str
) -> None:
    """Raise ``PartnerTermsRejected`` unless each dimension names something: an empty one would permit nothing."""
    if not _SLUG.fullmatch(purpose):
        raise terms_rejected("agreement_purpose", "协议须约定一个用途")
    if not grants or len({grant.kind for grant in grants}) != len(grants):
        raise terms_rejected("agreement_kinds", "协议须约定至少一种证照类型，且每种只列一次")
    if not all(_SLUG.fullmatch(grant.kind) and _all_slugs(grant.fields) for grant in grants):
        raise terms_rejected("agreement_fields", "每种证照须列明至少一个字段")
    if stages is not None and not _all_slugs(stages):
        raise terms_rejected("agreement_stages", "限定环节时须列明至少一个环节")
    if not clause.strip() or len(clause) > 200:
        raise terms_rejected("agreement_clause", "协议须写明法律依据（条款），不超过 200 字")
    _check_regions(regions)


def check_endpoint_url(url: str, *, insecure_hosts: Collection[str]) -> None:
    """Raise ``PartnerTermsRejected`` unless ``url`` is an absolute https address without user information or fragment.

    ``http`` is taken for a host of ``insecure_hosts`` (lower case) alone.
    """
    parts = _split(url)
    plain = parts is not None and parts.scheme == "http" and parts.hostname in insecure_hosts
    if parts is None or not (parts.scheme == "https" or plain):
        raise terms_rejected("endpoint_url", "接收地址须为 https 绝对地址，且不含账号信息与片段")


def _split(url: str) -> SplitResult | None:
    if len(url) > 500 or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        sound = bool(parts.hostname) and "@" not in parts.netloc and not parts.fragment and parts.port != 0
    except ValueError:
        return None
    return parts if sound else None


def _check_regions(regions: Sequence[str]) -> None:
    if not regions:
        raise terms_rejected("regions", "须列明至少一个行政区划代码")
    try:
        sound = not any(region_findings(validate_region(region)) for region in regions)
    except IdentifierError:
        sound = False
    if not sound:
        raise terms_rejected("regions", "行政区划代码须为 6、9 或 12 位数字，且省级代码真实存在（GB/T 2260）")


def _all_slugs(names: Collection[str]) -> bool:
    return bool(names) and all(_SLUG.fullmatch(name) for name in names)
