"""What the certificates room refuses. Facts only: no input is echoed, no personal data."""

from dataclasses import dataclass

from gateway.errors import Denied, Malformed, NotFound, Owner, Rejected


@dataclass(kw_only=True, eq=False)
class OfdRefused(Malformed):
    """The bytes cannot safely be opened as an OFD archive; nothing was judged."""

    kind = "ofd-refused"
    title = "OFD 文件无法打开"

    check: str = "ofd.archive"
    owner: Owner = Owner.CALLER
    remedy: str = "请提供完整、未加密的 OFD 文件"


@dataclass(kw_only=True, eq=False)
class EnvelopeRefused(Rejected):
    """An envelope failed before anything in it was believed. ``step`` is the verification step that refused."""

    kind = "envelope-refused"
    title = "证照文件未通过核验"

    step: str
    owner: Owner = Owner.GOVERNMENT


@dataclass(kw_only=True, eq=False)
class UnknownKind(NotFound):
    """No such kind of e-certificate is configured."""

    kind = "unknown-certificate-kind"
    title = "未知的证照类型"

    check: str = "kind.unknown"
    owner: Owner = Owner.CALLER
    remedy: str = "请使用共享平台公布的证照类型"


@dataclass(kw_only=True, eq=False)
class NoECertificate(NotFound):
    """The sources answered, and the holder has no e-certificate of this kind."""

    kind = "no-e-certificate"
    title = "未查询到电子证照"

    check: str = "source.not_found"
    owner: Owner = Owner.APPLICANT
    remedy: str = "请核对持证主体信息，或按提示上传材料（容缺受理）"


@dataclass(kw_only=True, eq=False)
class NoSource(NotFound):
    """No source is registered for the region at any level."""

    kind = "no-certificate-source"
    title = "该地区未接入电子证照来源"

    check: str = "source.unregistered"
    owner: Owner = Owner.GATEWAY
    remedy: str = "请登记该地区或其上级的电子证照来源"


@dataclass(kw_only=True, eq=False)
class SourceDenied(Denied):
    """The source knows the gateway and does not let it have this kind of e-certificate. ``partner`` is its code."""

    kind = "source-denied"
    title = "来源平台未授权查询"

    partner: str
    check: str = "source.no_permission"
    owner: Owner = Owner.GOVERNMENT
    remedy: str = "请向来源平台申请此类电子证照的查询权限"
