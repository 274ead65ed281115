"""Full certificate revocation lists: signature, scope, time, entry. RFC 5280 §5 and §6.3.

What a list says in a way not understood here (delta, indirect, by reason, an unknown critical extension) makes the
answer unknown, never "not revoked".
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509

from gateway.certificates.freshness import Basis, BasisState, FreshnessLimit
from gateway.certificates.links import signed_by
from gateway.certificates.signing_certificates import UNREADABLE_X509, SigningCertificate, tolerant_parsing
from gateway.crypto import der
from gateway.crypto.errors import AlgorithmUnavailable, DerMalformed

MAX_CRL_BYTES = 4 * 1024 * 1024
MAX_CRLS_TRIED = 4


@dataclass(frozen=True, slots=True, eq=False)
class RevocationList:
    """A parsed CRL; nothing in it is proved until ``judge_revocation`` found its issuer's key."""

    parsed: x509.CertificateRevocationList
    extensions: x509.Extensions
    issuer: bytes
    signed: bytes
    signature_oid: str
    signature: bytes
    this_update: datetime
    next_update: datetime | None


@dataclass(frozen=True, slots=True)
class RevocationAnswer:
    """``revoked`` is None when it could not be known; ``basis`` says what the answer rests on, and ``changes_at`` when
    the same list would be judged otherwise for its age.
    """

    revoked: bool | None
    basis: Basis
    changes_at: datetime | None = None


@lru_cache(maxsize=32)
def load_crl(encoded: bytes) -> RevocationList:
    """Parse one DER CRL. Raises ``DerMalformed``."""
    if len(encoded) > MAX_CRL_BYTES:
        raise DerMalformed(remedy=f"吊销列表不得超过 {MAX_CRL_BYTES} 字节")
    try:
        with tolerant_parsing():
            parsed = x509.load_der_x509_crl(encoded)
            extensions = parsed.extensions
        signed = parsed.tbs_certlist_bytes
        oid = parsed.signature_algorithm_oid.dotted_string
        this_update, next_update = parsed.last_update_utc, parsed.next_update_utc
    except UNREADABLE_X509:
        raise DerMalformed(remedy="吊销列表不符合 X.509") from None
    parts = der.parse(encoded).expect(der.Tag.SEQUENCE).children()
    body = list(der.parse(signed).expect(der.Tag.SEQUENCE).children())
    if body and body[0].tag == der.Tag.INTEGER:
        body.pop(0)
    if len(body) < 3:
        raise DerMalformed(remedy="吊销列表不符合 X.509")
    return RevocationList(parsed, extensions, body[1].raw, signed, oid, parts[-1].bits(), this_update, next_update)


@lru_cache(maxsize=256)
def crl_digest(encoded: bytes) -> bytes:
    """SHA-256 of a CRL's bytes. Lists are large and the same object comes again and again, so it is found once."""
    return hashlib.sha256(encoded).digest()


def judge_revocation(
    certificate: SigningCertificate,
    issuer: SigningCertificate,
    crls: tuple[RevocationList, ...],
    at: datetime,
    limit: FreshnessLimit | None,
) -> RevocationAnswer:
    """Whether ``issuer`` had revoked ``certificate`` at ``at``, by the newest usable list among ``crls``.

    Without a ``limit`` a list is good until its ``nextUpdate`` and not a moment longer.
    """
    usages = issuer.key_usage()
    may_sign = usages is None or usages.crl_sign
    named = [crl for crl in crls if crl.issuer == certificate.issuer and _in_scope(crl, certificate)][:MAX_CRLS_TRIED]
    own = [crl for crl in named if may_sign and _signed(crl, issuer)]
    if not own:
        return RevocationAnswer(None, Basis("crl", BasisState.MISSING, None, limit.permitted if limit else None))
    newest = max(own, key=lambda crl: crl.this_update)
    basis = _age(newest, at, limit)
    try:
        entry = newest.parsed.get_revoked_certificate_by_serial_number(certificate.parsed.serial_number)
        if entry is not None and any(extension.critical for extension in entry.extensions):
            return RevocationAnswer(None, basis)
    except UNREADABLE_X509:
        return RevocationAnswer(None, basis)
    if not basis.usable:
        return RevocationAnswer(None, basis)
    revoked = entry is not None and entry.revocation_date_utc <= at
    return RevocationAnswer(revoked, basis, _changes_at(newest, at, limit))


def _changes_at(crl: RevocationList, at: datetime, limit: FreshnessLimit | None) -> datetime | None:
    marks = [crl.next_update] if crl.next_update else []
    if limit is not None:
        marks += [crl.this_update + limit.fresh, crl.this_update + limit.permitted]
    return min((mark for mark in marks if mark > at), default=None)


def _signed(crl: RevocationList, issuer: SigningCertificate) -> bool:
    try:
        return signed_by(crl.signed, crl.signature, crl.signature_oid, issuer)
    except AlgorithmUnavailable:
        return False


def _age(crl: RevocationList, at: datetime, limit: FreshnessLimit | None) -> Basis:
    if limit is not None:
        if crl.next_update is None:
            return Basis("crl", BasisState.REFUSED, crl.this_update, limit.permitted)
        return limit.judge("crl", crl.this_update, at, expires_at=crl.next_update)
    current = crl.next_update is not None and crl.this_update <= at <= crl.next_update
    return Basis("crl", BasisState.FRESH if current else BasisState.REFUSED, crl.this_update)


def _in_scope(crl: RevocationList, certificate: SigningCertificate) -> bool:
    """Only complete lists for this sort of certificate; any other critical extension takes the list out."""
    for extension in crl.extensions:
        value = extension.value
        if isinstance(value, x509.IssuingDistributionPoint):
            constraints = certificate.basic_constraints()
            is_ca = constraints is not None and constraints.ca
            if value.indirect_crl or value.only_some_reasons or value.only_contains_attribute_certs:
                return False
            if (value.only_contains_user_certs and is_ca) or (value.only_contains_ca_certs and not is_ca):
                return False
            if not _points_match(value, certificate):
                return False
        elif extension.critical or isinstance(value, x509.DeltaCRLIndicator):
            return False
    return True


def _points_match(point: x509.IssuingDistributionPoint, certificate: SigningCertificate) -> bool:
    """A list for one distribution point speaks only for certificates that name that point (RFC 5280 §6.3.3 b.2)."""
    if point.relative_name is not None:
        return False
    if point.full_name is None:
        return True
    uris = {name.value for name in point.full_name if isinstance(name, x509.UniformResourceIdentifier)}
    return not uris.isdisjoint(certificate.crl_addresses())
