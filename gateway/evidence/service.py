"""The bundle that proves one application, for those entitled to it; that it was made is recorded before it is given."""

from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from gateway.applications.model import GridConnectionApplication
from gateway.clock import Clock
from gateway.crypto.jwk import CurrentKey
from gateway.crypto.jws import sign_jws
from gateway.crypto.keyed_digest import KeyedDigest
from gateway.evidence.archive import write_archive
from gateway.evidence.assembly import Scope, assemble, manifest
from gateway.evidence.collection import Collected, collect, unknown_application
from gateway.evidence.ports import EvidenceTransaction
from gateway.identity.model import VerifiedApplicant
from gateway.ids import MakeId
from gateway.records.entries import Fact, RecordEntry, digest
from gateway.transaction import Transactions
from schemas.wire import Typ

BUNDLED = "evidence.bundled"
"""The action of each bundle in the record, with the digest of all its bytes."""
APPLICANT = "applicant"
"""The actor of a bundle that the applicant had of their own application."""
MANIFEST = "manifest.jws"


@dataclass(frozen=True)
class Bundle:
    """A bundle, and the entry that says to whom it was given."""

    archive: bytes
    record_id: str
    files: int


class EvidenceService:
    """证据包."""

    def __init__(
        self,
        transactions: Transactions[EvidenceTransaction],
        answer_key: CurrentKey,
        clock: Clock,
        make_id: MakeId,
        digests: KeyedDigest,
        *,
        issuer: str,
        gateway_name: str,
        intermediates: tuple[bytes, ...],
        wait_s: int,
    ) -> None:
        """``digests`` open the reasons on record; ``intermediates`` are CA certificates that envelopes do not carry;
        ``wait_s`` – until the next checkpoint.
        """
        self._transactions = transactions
        self._answer_key = answer_key
        self._clock, self._make_id, self._digests = clock, make_id, digests
        self._issuer, self._gateway_name = issuer, gateway_name
        self._intermediates, self._wait_s = intermediates, wait_s

    async def for_applicant(self, application_id: str, applicant: VerifiedApplicant, *, redacted: bool) -> Bundle:
        """The holder's own application; always without personal data for another person of the same enterprise.

        Raises ``ApplicationUnknown``, for another holder's too, and as ``for_operator``.
        """
        return await self._make(application_id, Scope(redacted), APPLICANT, applicant=applicant)

    async def for_utility(self, application_id: str, utility: str) -> Bundle:
        """The utility's own application: always without personal data, and with no deliveries but its own.

        Raises ``ApplicationUnknown``, for another's too, and as ``for_operator``.
        """
        return await self._make(application_id, Scope(redacted=True, destination=utility), utility, utility=utility)

    async def for_operator(self, application_id: str, actor: str, *, redacted: bool) -> Bundle:
        """Any application, for ``actor``.

        Raises ``ApplicationUnknown``, ``RecordNotAnchored``, ``RecordDamaged``, ``Overloaded``.
        """
        return await self._make(application_id, Scope(redacted), actor)

    async def _make(
        self,
        application_id: str,
        scope: Scope,
        actor: str,
        *,
        applicant: VerifiedApplicant | None = None,
        utility: str | None = None,
    ) -> Bundle:
        def read(tx: EvidenceTransaction) -> tuple[Collected, Scope]:
            application = tx.applications.find(application_id)
            holder = applicant.holder_digest if applicant else None
            if application is None or not _own(application, holder, utility):
                raise unknown_application()
            party = tx.applications.party(application_id)
            of_another = applicant is not None and party is not None and party.person_code != applicant.person_code
            given = replace(scope, redacted=True) if of_another else scope
            own_only = given.destination is not None
            return collect(tx, application_id, self._digests, self._wait_s, own_only=own_only), given

        collected, scope = await self._transactions.read(read)
        now = self._clock()
        archive, files = self._written(collected, scope, now)
        facts: dict[str, Fact] = {"bundle_sha256": digest(archive), "redacted": scope.redacted, "files": files}
        entry = RecordEntry(BUNDLED, now, actor, application_id, facts=facts)
        record_id = await self._transactions.write(lambda tx: tx.records.append(entry))
        return Bundle(archive, record_id, files)

    def _written(self, collected: Collected, scope: Scope, now: datetime) -> tuple[bytes, int]:
        assembled = assemble(collected, scope, self._gateway_name, self._issuer, self._intermediates)
        jti = self._make_id("evd")
        claims = manifest(assembled, collected, scope, issuer=self._issuer, jti=jti, at=now)
        signed = sign_jws(orjson.dumps(claims, option=orjson.OPT_SORT_KEYS), self._answer_key(), Typ.EVIDENCE_MANIFEST)
        return write_archive({**assembled.files, MANIFEST: signed.encode()}), len(assembled.files)


def _own(application: GridConnectionApplication, holder: str | None, utility: str | None) -> bool:
    return holder in (None, application.holder_digest) and utility in (None, application.utility)
