"""What the partners room refuses."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from gateway.errors import Conflict, Denied, Malformed, Owner, Rejected, SubjectUnknown, Unauthenticated


class Dimension(StrEnum):
    """The side of a sharing agreement that did not cover the request, in the order they are judged."""

    PARTNER = "partner"
    DATES = "dates"
    PURPOSE = "purpose"
    KIND = "kind"
    REGION = "region"
    STAGE = "stage"
    FIELDS = "fields"


@dataclass(kw_only=True, eq=False)
class AgreementRefused(Denied):
    """No sharing agreement covers the request; ``dimension`` is where the last of them fell away."""

    kind = "agreement-refused"
    title = "数据共享协议未覆盖此请求"

    dimension: Dimension


class ClientRefused(Unauthenticated):
    """The client assertion (``private_key_jwt``) does not prove a registered partner. RFC 6749 ``invalid_client``."""

    kind = "client-refused"
    title = "客户端身份未能通过验证"
    oauth_error: ClassVar[str] = "invalid_client"


class ProofRefused(Unauthenticated):
    """The DPoP proof does not fit this request. RFC 9449 ``invalid_dpop_proof``."""

    kind = "dpop-proof-refused"
    title = "DPoP 持有证明无效"
    oauth_error: ClassVar[str] = "invalid_dpop_proof"


class AccessTokenRefused(Unauthenticated):
    """The access token is not ours, not valid now, or withdrawn. RFC 6750 ``invalid_token``."""

    kind = "access-token-refused"
    title = "访问令牌无效"
    oauth_error: ClassVar[str] = "invalid_token"


class TokenRequestMalformed(Malformed):
    """The token request lacks or repeats a parameter. RFC 6749 ``invalid_request``."""

    kind = "token-request-malformed"
    title = "令牌请求格式不正确"
    oauth_error: ClassVar[str] = "invalid_request"


class GrantTypeUnsupported(Malformed):
    """Only ``client_credentials`` is granted. RFC 6749 ``unsupported_grant_type``."""

    kind = "grant-type-unsupported"
    title = "不支持的授权方式"
    oauth_error: ClassVar[str] = "unsupported_grant_type"


class ScopeRefused(Denied):
    """A scope was asked for that the partner's role does not have. RFC 6749 ``invalid_scope``."""

    kind = "scope-refused"
    title = "申请的权限范围超出许可"
    oauth_error: ClassVar[str] = "invalid_scope"


class PartnerNotFound(SubjectUnknown):
    """No such partner, key, agreement or endpoint."""

    kind = "partner-not-found"
    title = "未找到接入单位、密钥、协议或接收通道"


class PartnerConflict(Conflict):
    """The change contradicts what is registered."""

    kind = "partner-conflict"
    title = "与已登记的接入信息冲突"


class SecondPersonRequired(Conflict):
    """Two persons are needed (双人复核), and this one took part already."""

    kind = "second-person-required"
    title = "须由另一位工作人员办理"


class PartnerTermsRejected(Rejected):
    """A registration whose terms are empty, unsafe or contradict themselves."""

    kind = "partner-terms-rejected"
    title = "登记内容不符合要求"


def client_refused(check: str, remedy: str) -> ClientRefused:
    """One refusal of the client assertion."""
    return ClientRefused(check=f"client.{check}", owner=Owner.CALLER, remedy=remedy)


def proof_refused(check: str, remedy: str) -> ProofRefused:
    """One refusal of a DPoP proof."""
    return ProofRefused(check=f"dpop.{check}", owner=Owner.CALLER, remedy=remedy)


def token_refused(check: str, remedy: str) -> AccessTokenRefused:
    """One refusal of an access token."""
    return AccessTokenRefused(check=f"token.{check}", owner=Owner.CALLER, remedy=remedy)


def not_found(what: str, remedy: str) -> PartnerNotFound:
    """No such thing."""
    return PartnerNotFound(check=f"partners.{what}_unknown", owner=Owner.CALLER, remedy=remedy)


def conflict(check: str, remedy: str) -> PartnerConflict:
    """One contradiction."""
    return PartnerConflict(check=f"partners.{check}", owner=Owner.CALLER, remedy=remedy)


def terms_rejected(check: str, remedy: str) -> PartnerTermsRejected:
    """One term that cannot be registered."""
    return PartnerTermsRejected(check=f"partners.{check}", owner=Owner.CALLER, remedy=remedy)
