"""What the contracts room refuses."""

from gateway.errors import Conflict, Malformed, Rejected, SubjectUnknown


class ContractDocumentMalformed(Malformed):
    """The document is not what it says it is."""

    kind = "contract-document-malformed"
    title = "合同文本不符合要求"


class ContractNotInClass(Rejected):
    """The class of the application has no stage 受理签约."""

    kind = "contract-not-in-class"
    title = "该用户类型没有签约环节"


class ContractContradicts(Conflict):
    """The same event id or version came before with another content."""

    kind = "contract-contradicts"
    title = "合同与先前报送的不一致"


class ContractUnknown(SubjectUnknown):
    """No contract that this caller may know of."""

    kind = "contract-unknown"
    title = "没有这份合同"


class ContractNotOpen(Conflict):
    """It was signed, declined, replaced or has run out, or the stage is over."""

    kind = "contract-not-open"
    title = "合同现不可签订"


class SignatureNotFresh(Rejected):
    """The verification was not made for this contract, or too long ago."""

    kind = "signature-not-fresh"
    title = "签订须重新核验身份"
