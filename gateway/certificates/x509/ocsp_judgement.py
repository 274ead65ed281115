"""Was this certificate revoked, by the OCSP responses at hand? RFC 6960 §3.2 and §4.2.2.

A response counts when the certificate's own issuer signed it, or a responder to whom that issuer gave a certificate for
just that. "Unknown" is no answer.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.certificates.freshness import Basis, BasisState, FreshnessLimit
from gateway.certificates.x509 import extensions as ext
from gateway.certificates.x509.candidates import Path, PathFinder
from gateway.certificates.x509.names import same_name
from gateway.certificates.x509.ocsp import CertStatus, OcspResponse, SingleAnswer
from gateway.certificates.x509.path_rules import Demand, judge_path
from gateway.certificates.x509.revocation_answers import (
    CERTIFICATE_HOLD,
    RevocationAnswer,
    age_changes,
    answer_age,
    begins,
    earliest,
    from_the_future,
)
from gateway.certificates.x509.signing_certificates import SigningCertificate, load_signing_certificate
from gateway.crypto.errors import DerMalformed

OCSP_SIGNING: Final = "1.3.6.1.5.5.7.3.9"

Unrevoked = Callable[[SigningCertificate, Path], bool]
"""(responder, above): whether a list says that a delegated responder's certificate still holds."""


@dataclass(frozen=True, slots=True)
class _Told:
    """One answer about the certificate asked for, and the response that holds it."""

    single: SingleAnswer
    response: OcspResponse


class ResponseJudge:
    """Holds the OCSP responses of one question."""

    def __init__(
        self, responses: Iterable[OcspResponse], at: datetime, limit: FreshnessLimit | None, finder: PathFinder
    ) -> None:
        self._responses = tuple({item.digest: item for item in responses}.values())
        self._at, self._limit, self._finder = at, limit, finder
        self.rests_until: datetime | None = None
        """When the first of the delegated responders that were believed expires."""

    def judge(self, certificate: SigningCertificate, above: Path, unrevoked: Unrevoked) -> RevocationAnswer:
        """Whether ``certificate`` was revoked at the time asked; ``above`` runs from its issuer to the anchor.

        Every answer is tried, so that forged ones crowd nothing out; of those that are believed and young enough one
        that says revoked wins. Raises `WorkExhausted`.
        """
        told = [
            _Told(single, response)
            for response in self._responses
            for single in response.answers
            if single.about.names(certificate, above[0])
        ]
        told.sort(key=lambda each: each.single.this_update, reverse=True)
        believed = [each for each in told if self._believed(each, above, unrevoked)]
        ages = [self._age(each) for each in believed]
        usable = [each.single for each, age in zip(believed, ages, strict=True) if age.usable]
        if not usable:
            missing = Basis("ocsp", BasisState.MISSING, None, self._limit.permitted if self._limit else None)
            return RevocationAnswer(None, (ages[0],) if ages else (missing,))
        basis = (next(age for age in ages if age.usable),)
        changes = earliest(
            [
                *(age_changes(each.this_update, each.next_update, self._at, self._limit) for each in usable),
                *(begins(max(each.single.this_update, each.response.produced_at), self._at) for each in told),
            ]
        )
        bad = [each for each in usable if each.status is CertStatus.REVOKED]
        if bad:
            if not any(each.revoked_at is not None and each.revoked_at <= self._at for each in bad):
                return RevocationAnswer(None, basis)
            return RevocationAnswer(True, basis, changes, held=all(each.reason == CERTIFICATE_HOLD for each in bad))
        # The newest that is usable decides: it stands first.
        return RevocationAnswer(False if usable[0].status is CertStatus.GOOD else None, basis, changes)

    def accuses(self, certificate: SigningCertificate) -> bool:
        """Whether an answer, believed or not, calls a certificate of its issuer's name and its number revoked."""
        return any(
            single.status is CertStatus.REVOKED and single.about.may_name(certificate)
            for response in self._responses
            for single in response.answers
        )

    def _age(self, told: _Told) -> Basis:
        if from_the_future(told.response.produced_at, self._at) or not told.single.understood:
            return Basis("ocsp", BasisState.REFUSED, told.single.this_update)
        return answer_age("ocsp", told.single.this_update, told.single.next_update, self._at, self._limit)

    def _believed(self, told: _Told, above: Path, unrevoked: Unrevoked) -> bool:
        response, issuer = told.response, above[0]
        if response.is_responder(issuer) and self._signed(response, issuer):
            return True
        return any(
            response.is_responder(responder)
            and self._signed(response, responder)
            and self._delegated(responder, above, unrevoked)
            for responder in _enclosed(response)
        )

    def _delegated(self, responder: SigningCertificate, above: Path, unrevoked: Unrevoked) -> bool:
        """§4.2.2.2: certified for OCSP signing by the very issuer, and itself still good."""
        if OCSP_SIGNING not in (responder.purposes() or ()) or not same_name(responder.issuer, above[0].subject):
            return False
        if not self._finder.signed(responder, above[0]):
            return False
        demand = Demand(self._at, purposes=None, usages=frozenset({ext.DIGITAL_SIGNATURE}))
        if judge_path((responder, *above), demand) is not None:
            return False
        if ext.OCSP_NO_CHECK not in responder.extensions and not unrevoked(responder, above):
            return False
        self.rests_until = earliest([self.rests_until, responder.not_after])
        return True

    def _signed(self, response: OcspResponse, signer: SigningCertificate) -> bool:
        return self._finder.links.signed_by(
            response.digest, response.signed, response.algorithm, response.signature, signer.public_key_info
        )


def _enclosed(response: OcspResponse) -> list[SigningCertificate]:
    found = []
    for encoded in response.certificates:
        try:
            found.append(load_signing_certificate(encoded))
        except DerMalformed:
            continue
    return found
