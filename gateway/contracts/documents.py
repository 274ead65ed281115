"""A contract's document as it comes over the wire, and whether it is what it says it is. Pure."""

import base64
import binascii
from hashlib import sha256
from typing import Final

from gateway.contracts.errors import ContractDocumentMalformed
from gateway.errors import Owner
from gateway.wording.phrases import Phrase

PDF: Final = "application/pdf"
TEXT: Final = "text/plain"
MAX_DOCUMENT_BYTES: Final = 4 * 1024 * 1024
_TRAILER_WITHIN: Final = 1024
_PLAIN_CONTROLS: Final = frozenset("\t\n\r")


def read_document(content: str, media_type: str, told_sha256: str) -> bytes:
    """The bytes of base64 ``content`` (RFC 4648 §4, padded), which are ``media_type`` and have that digest.

    Raises ``ContractDocumentMalformed``: ``contract.encoding``, ``.size``, ``.digest``, ``.media_type``.
    """
    try:
        document = base64.b64decode(content.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise _malformed("encoding", "合同文本须以带填充的 Base64 编码") from None
    if not 0 < len(document) <= MAX_DOCUMENT_BYTES:
        raise _malformed("size", Phrase("合同文本须为 1 至 {most} 字节", most=MAX_DOCUMENT_BYTES))
    if sha256(document).hexdigest() != told_sha256:
        raise _malformed("digest", "合同文本与所报 SHA-256 不符，请重新生成")
    if not (_is_pdf(document) if media_type == PDF else _is_text(document)):
        raise _malformed("media_type", "合同文本与所报类型不符：须为 PDF，或 UTF-8 纯文本")
    return document


def _is_pdf(document: bytes) -> bool:
    """ISO 32000-1 §7.5: a header first, an end-of-file marker last."""
    return document.startswith(b"%PDF-") and b"%%EOF" in document[-_TRAILER_WITHIN:]


def _is_text(document: bytes) -> bool:
    try:
        text = document.decode()
    except UnicodeDecodeError:
        return False
    return all(each.isprintable() or each in _PLAIN_CONTROLS or each.isspace() for each in text) and "\x00" not in text


def _malformed(check: str, remedy: str) -> ContractDocumentMalformed:
    return ContractDocumentMalformed(check=f"contract.{check}", owner=Owner.UTILITY, remedy=remedy)
