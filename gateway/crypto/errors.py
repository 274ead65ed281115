"""What the JOSE door refuses. Rooms translate: a client assertion to ``Unauthenticated``, a seal to *invalid*."""

from dataclasses import dataclass

from gateway.errors import Indeterminate, Malformed, Owner, Rejected


class JoseRefused(Rejected):
    """A token or key failed the strict front check or its signature; ``check`` is stable and starts with ``jose.``."""

    kind = "jose-refused"
    title = "令牌或签名信封不可信"


def refused(check: str, remedy: str) -> JoseRefused:
    """A refusal that names the failed check; the remedy never quotes the input."""
    return JoseRefused(check=f"jose.{check}", owner=Owner.CALLER, remedy=remedy)


@dataclass(kw_only=True, eq=False)
class SignatureInvalid(Rejected):
    """The signature does not belong to this message and key."""

    kind = "signature-invalid"
    title = "签名验证未通过"

    check: str = "signature.verify"
    owner: Owner = Owner.GOVERNMENT
    remedy: str = "签名与内容或公钥不符，请向签发单位重新取得"


@dataclass(kw_only=True, eq=False)
class KeyUnfit(Rejected):
    """The key is not of the kind, curve or strength that the signature scheme demands, or is not a key at all."""

    kind = "key-unfit"
    title = "密钥与签名算法不符"

    check: str = "signature.key"
    owner: Owner = Owner.GOVERNMENT
    remedy: str = "请使用与签名算法相符的密钥"


@dataclass(kw_only=True, eq=False)
class AlgorithmUnavailable(Indeterminate):
    """No capable cryptographic library is at hand, so the signature could not be judged either way."""

    kind = "algorithm-unavailable"
    title = "签名算法不可用"

    check: str = "signature.algorithm"
    owner: Owner = Owner.GATEWAY
    remedy: str = "请安装支持该算法的密码库，或在设置中指明其路径"


@dataclass(kw_only=True, eq=False)
class DerMalformed(Malformed):
    """Bytes that should be DER are not, or are cut short, padded or over-long."""

    kind = "der-malformed"
    title = "数据编码不符合标准"

    check: str = "der.structure"
    owner: Owner = Owner.GOVERNMENT
    remedy: str = "DER 数据不符合标准"
