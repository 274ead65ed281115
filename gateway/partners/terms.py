"""What may be registered at all. Shapes of codes, non-empty agreements, addresses that events may be sent to."""

import ipaddress
import re
from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

from gateway.delivery.ports import ChannelKind
from gateway.partners.errors import terms_rejected
from gateway.partners.model import Endpoint, Grant
from gateway.partners.vocabulary import Vocabulary
from gateway.wording.phrases import Phrase, listed
from schemas.identifiers import IdentifierError, region_findings, validate_region

_PARTNER_CODE: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_KID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_RECORDED_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,127}")
SECRET_REF: Final = re.compile(r"[a-z0-9-]{1,64}")
_METADATA: Final = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})
_SLUG: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


def is_shaped(subject: str) -> bool:
    """Whether ``subject`` looks like a partner's code or an identifier of ours, and may stand in the record."""
    return _RECORDED_NAME.fullmatch(subject) is not None


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
    purpose: str,
    grants: Sequence[Grant],
    regions: Sequence[str],
    stages: Collection[str] | None,
    clause: str,
    vocabulary: Vocabulary,
) -> None:
    """Raise ``PartnerTermsRejected`` unless each dimension names something that exists.

    An empty dimension would permit nothing, and a misspelt one would never be asked for.
    """
    if not _SLUG.fullmatch(purpose):
        raise terms_rejected("agreement_purpose", "协议须约定一个用途")
    if not grants or len({grant.kind for grant in grants}) != len(grants):
        raise terms_rejected("agreement_kinds", "协议须约定至少一种证照类型，且每种只列一次")
    if not all(grant.kind in vocabulary.fields for grant in grants):
        raise terms_rejected(
            "agreement_kinds", Phrase("证照类型须为其中之一：{kinds}", kinds=listed(sorted(vocabulary.fields)))
        )
    for grant in grants:
        known = vocabulary.fields[grant.kind]
        if not grant.fields or not grant.fields <= known:
            raise terms_rejected(
                "agreement_fields",
                Phrase("{kind} 须列明至少一个字段，限于：{fields}", kind=grant.kind, fields=listed(sorted(known))),
            )
    if stages is not None and not (stages and vocabulary.stages.issuperset(stages)):
        raise terms_rejected(
            "agreement_stages", Phrase("限定环节时须列明其中之一：{stages}", stages=listed(sorted(vocabulary.stages)))
        )
    if not clause.strip() or len(clause) > 200:
        raise terms_rejected("agreement_clause", "协议须写明法律依据（条款），不超过 200 字")
    _check_regions(regions)


def endpoint_of(
    code: str, channel: str, url: str | None, secret_ref: str | None, status_url: str | None = None
) -> Endpoint:
    """An endpoint as it was asked for. Over NATS its address follows from who it is, and may be left out."""
    if channel == ChannelKind.NATS and url is None:
        url = _nats_address(code)
    return Endpoint(code, channel, url or "", secret_ref, status_url)


def _nats_address(code: str) -> str:
    return f"nats:{code}"


def check_endpoint(endpoint: Endpoint, *, insecure_hosts: Collection[str]) -> None:
    """Raise ``PartnerTermsRejected`` unless its channel, its address and the name of its secret fit."""
    if endpoint.channel not in {channel.value for channel in ChannelKind}:
        raise terms_rejected(
            "endpoint_channel", Phrase("接收通道须为其中之一：{channels}", channels=listed(ChannelKind))
        )
    if endpoint.secret_ref is not None and not SECRET_REF.fullmatch(endpoint.secret_ref):
        raise terms_rejected(
            "endpoint_secret_ref", "密钥引用须为 1 至 64 个小写字母、数字或连字符（文件名，不是密钥本身）"
        )
    if endpoint.channel == ChannelKind.NATS:
        if endpoint.url != _nats_address(endpoint.partner_code) or endpoint.status_url is not None:
            raise terms_rejected("endpoint_nats", "nats 通道的主题由单位代码决定，请勿填写接收地址与状态查询地址")
        return
    check_endpoint_url(endpoint.url, insecure_hosts=insecure_hosts)
    if endpoint.status_url is not None:
        check_endpoint_url(endpoint.status_url, insecure_hosts=insecure_hosts)


def check_endpoint_url(url: str, *, insecure_hosts: Collection[str]) -> None:
    """Raise ``PartnerTermsRejected`` unless ``url`` is an absolute https address and nothing more.

    User information, a query and a fragment are refused: they are where secrets hide, and the record keeps addresses.
    So are link-local addresses (169.254.0.0/16, fe80::/10), at which clouds give away credentials.
    ``http`` is taken for a host of ``insecure_hosts`` (lower case) alone.
    """
    parts = _split(url)
    plain = parts is not None and parts.scheme == "http" and parts.hostname in insecure_hosts
    if parts is None or not (parts.scheme == "https" or plain):
        raise terms_rejected("endpoint_url", "接收地址须为 https 绝对地址，且不含账号信息、查询串与片段")
    if _never_a_receiver(parts.hostname or ""):
        raise terms_rejected("endpoint_host", "接收地址不得为链路本地、组播或非常规写法的 IP 地址")


def _split(url: str) -> SplitResult | None:
    if len(url) > 500 or "?" in url or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        sound = bool(parts.hostname) and "@" not in parts.netloc and not parts.fragment and parts.port != 0
    except ValueError:
        return None
    return parts if sound else None


def _never_a_receiver(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # Resolvers read 0xA9FEA9FE and 2852039166 as addresses, too.
        last = host.rstrip(".").rpartition(".")[2]
        return not last or last.isdigit() or last.startswith("0x")
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA


def _check_regions(regions: Sequence[str]) -> None:
    if not regions:
        raise terms_rejected("regions", "须列明至少一个行政区划代码")
    try:
        sound = not any(region_findings(validate_region(region)) for region in regions)
    except IdentifierError:
        sound = False
    if not sound:
        raise terms_rejected("regions", "行政区划代码须为 6、9 或 12 位数字，且省级代码真实存在（GB/T 2260）")
