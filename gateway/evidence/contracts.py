"""The contract that was signed, as files of a bundle (``docs/evidence.md``). Pure."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.contracts.documents import PDF
from gateway.contracts.model import Contract
from gateway.crypto.strict_json import decode_base64url
from gateway.records.entries import digest


@dataclass(frozen=True)
class SignedContract:
    """A signed contract with its document, None once that was erased.

    ``document_digest`` is the record's commitment to the document's SHA-256, ``opening`` (32 bytes) what ties both.
    """

    contract: Contract
    document: bytes | None = field(repr=False)
    document_digest: str
    opening: bytes = field(repr=False)


def add_contract(
    files: dict[str, bytes], left: list[dict[str, Any]], signed: SignedContract, *, redacted: bool
) -> dict[str, Any] | None:
    """Put its document, statement and assertion into ``files``, or tell in ``left`` why not; its line of the account.

    The document may be guessed, word for word, by who knows the utility's form: so a redacted bundle has neither its
    digest nor the statement that holds it.
    """
    contract, why = signed.contract, "redacted" if redacted else "retention"
    statement = contract.statement or ""
    named = _assertion_digest(statement)
    if redacted or signed.document is None:
        left.append({"what": "contract_document", "sha256": signed.document_digest, "why": why})
    else:
        suffix = "pdf" if contract.media_type == PDF else "txt"
        files[f"contracts/{contract.sha256}.{suffix}"] = signed.document
    if redacted or contract.assertion is None:
        left.append({"what": "contract_assertion", "sha256": named, "why": why})
    else:
        files[f"contracts/{named}.jws"] = contract.assertion.encode()
    if redacted:
        left.append({"what": "contract_statement", "sha256": digest(statement), "why": why})
        return None
    files[f"contracts/{digest(statement)}.jws"] = statement.encode()
    return {
        "contract_id": contract.contract_id,
        "version": contract.version,
        "sha256": contract.sha256,
        "opening": signed.opening.hex(),
    }


def _assertion_digest(statement: str) -> str:
    """As the gateway's own statement names it: it stands there also once the assertion is gone."""
    return str(orjson.loads(decode_base64url(statement.split(".")[1].encode()))["assertion_sha256"])
