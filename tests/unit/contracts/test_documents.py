"""What a utility sends is what it says it is, or it is refused."""

import base64
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contracts.documents import MAX_DOCUMENT_BYTES, PDF, TEXT, read_document
from gateway.contracts.errors import ContractDocumentMalformed
from tests.support.contracts import A_PDF


def read(document: bytes, media_type: str, **changes: str) -> bytes:
    told = {"content": base64.b64encode(document).decode(), "told_sha256": sha256(document).hexdigest()}
    return read_document(**(told | changes), media_type=media_type)


def test_a_pdf_and_a_text_are_read_byte_for_byte() -> None:
    assert read(A_PDF, PDF) == A_PDF
    text = "供用电合同\n第一条\t甲方".encode()
    assert read(text, TEXT) == text


@pytest.mark.parametrize(
    ("document", "media_type", "changes", "check"),
    [
        (A_PDF, TEXT, {"content": "not base64!"}, "encoding"),
        (A_PDF, PDF, {"content": "合同"}, "encoding"),
        (b"", TEXT, {}, "size"),
        (b"a" * (MAX_DOCUMENT_BYTES + 1), TEXT, {}, "size"),
        (A_PDF, PDF, {"told_sha256": "0" * 64}, "digest"),
        (b"<html>%PDF-1.7 %%EOF", PDF, {}, "media_type"),
        (b"%PDF-1.7 cut off", PDF, {}, "media_type"),
        (b"\xff\xfe", TEXT, {}, "media_type"),
        (b"bell \x07", TEXT, {}, "media_type"),
        (b"zero \x00", TEXT, {}, "media_type"),
    ],
)
def test_anything_else_is_refused(document: bytes, media_type: str, changes: dict[str, str], check: str) -> None:
    with pytest.raises(ContractDocumentMalformed) as refused:
        read(document, media_type, **changes)
    assert refused.value.check == f"contract.{check}"


@given(st.binary(max_size=200), st.sampled_from([PDF, TEXT]))
def test_bytes_are_taken_as_they_are_or_refused(document: bytes, media_type: str) -> None:
    try:
        assert read(document, media_type) == document
    except ContractDocumentMalformed:
        return
    assert document.startswith(b"%PDF-") if media_type == PDF else document.decode()
