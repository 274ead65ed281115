"""Keyed digests: look-ups by a person's number without storing the number. HMAC-SHA256, RFC 2104."""

import hmac
from dataclasses import dataclass, field
from enum import StrEnum

MIN_KEY_BYTES = 32


class Use(StrEnum):
    """What a digest is of. The same value has another digest in another use, so tables cannot be joined by accident."""

    HOLDER = "holder"
    """公民身份号码 or 统一社会信用代码."""
    NAMED_PERSON = "named_person"
    """公民身份号码 of somebody whom another's certificate names: in no table the digest of a holder."""
    CERTIFICATE = "certificate"
    """SHA-256 of a 电子证照标识."""
    CERTIFICATE_SERIES = "certificate_series"
    """SHA-256 of a 电子证照标识 without its version."""
    CERTIFICATE_FACTS = "certificate_facts"
    """SHA-256 of what an e-certificate says."""
    STAGE_EVENT = "stage_event"
    """SHA-256 of what a utility said, its reason included."""
    REASON = "reason"
    """A reason that somebody wrote."""
    OUTCOME = "outcome"
    """SHA-256 of what a department said, its reason included."""
    PROJECT_PUSH = "project_push"
    """SHA-256 of what a platform said of a project, its contacts included."""
    JOINT_REVIEW = "joint_review"
    """SHA-256 of a request for a joint review, with the line and its places."""
    COMMITMENT = "commitment"
    """A permit's id: what makes the statement of a commitment unguessable."""
    CONTRACT = "contract"
    """SHA-256 of a supply contract as it was sent."""
    IDEMPOTENT_REQUEST = "idempotent_request"
    """SHA-256 of a request under an ``Idempotency-Key``."""
    OFFICER = "officer"
    """An officer, as their provider names them."""


@dataclass(frozen=True, slots=True)
class KeyedDigest:
    """Digests under one secret. An identity number has few values, so a plain hash of it would tell it."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < MIN_KEY_BYTES:
            raise ValueError(f"a look-up key has at least {MIN_KEY_BYTES} bytes")

    def of(self, use: str, value: str) -> str:
        """64 hexadecimal characters; the same value has another digest in another ``use``."""
        return hmac.digest(self.key, f"{use}\x00{value}".encode(), "sha256").hex()

    def opening(self, use: str, reference: str) -> bytes:
        """32 bytes that let anybody check the one ``commitment`` of ``reference``, and no other digest."""
        return hmac.digest(self.key, f"opening\x00{use}\x00{reference}".encode(), "sha256")

    def commitment(self, use: str, reference: str, value: str) -> str:
        """A digest of ``value`` that can be proved later, by handing over ``opening`` and the value.

        HMAC-SHA256 of the value under the opening; ``reference`` names what the value belongs to, once for each value.
        """
        return hmac.digest(self.opening(use, reference), value.encode(), "sha256").hex()
