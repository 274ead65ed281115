"""Whether the certificates of a path were revoked, by lists and responders taken together. RFC 5280 §6.3, RFC 6960.

Any believed source that says "revoked" decides. Otherwise one conclusive answer will do, and the sources that were
silent stand in the basis all the same.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from gateway.certificates.freshness import Basis, BasisState, FreshnessLimit
from gateway.certificates.x509 import extensions as ext
from gateway.certificates.x509.candidates import Path, PathFinder
from gateway.certificates.x509.crl_judgement import ListJudge
from gateway.certificates.x509.crls import RevocationList, load_crl
from gateway.certificates.x509.links import WorkExhausted
from gateway.certificates.x509.ocsp import OcspResponse, load_response
from gateway.certificates.x509.ocsp_judgement import ResponseJudge
from gateway.certificates.x509.path_rules import Demand, judge_path
from gateway.certificates.x509.revocation_answers import RevocationAnswer, earliest
from gateway.certificates.x509.signing_certificates import SigningCertificate
from gateway.crypto.errors import DerMalformed

MAX_VOUCHING_DEPTH: Final = 3
"""Signers of lists whose own certificates are looked up in lists, one upon another."""
MAX_VOUCHING_PATHS: Final = 8
"""Ways from one signer to the anchor that are looked at; with more of them the work is spent."""


class Clearance:
    """Answers for the certificates of one question. Raises `WorkExhausted` when the search's work is spent."""

    def __init__(
        self,
        crls: Iterable[bytes] | None,
        responses: Iterable[bytes] | None,
        at: datetime,
        limit: FreshnessLimit | None,
        finder: PathFinder,
    ) -> None:
        self._at, self._finder = at, finder
        self._vouched_until: datetime | None = None
        self._lists = None if crls is None else ListJudge(_readable_lists(crls), at, limit, finder)
        self._responders = None
        if responses is not None:
            self._responders = ResponseJudge(_readable_responses(responses), at, limit, finder)

    @property
    def rests_until(self) -> datetime | None:
        """When the first certificate expires that vouched for a list or a response; None when none had to."""
        return earliest([self._vouched_until, self._responders.rests_until if self._responders else None])

    def answers(self, path: Path) -> list[RevocationAnswer]:
        """One answer for each certificate below the anchor, leaf first, up to the first that is not good."""
        found: list[RevocationAnswer] = []
        for position in range(len(path) - 1):
            found.append(self._answer(path[position], path[position + 1 :], frozenset()))
            if found[-1].revoked is not False:
                break
        return found

    def accused(self, path: Path) -> frozenset[bytes]:
        """Digests of the certificates below the anchor that some evidence, believed or not, calls revoked."""
        judges = [each for each in (self._lists, self._responders) if each is not None]
        return frozenset(each.digest for each in path[:-1] if any(judge.accuses(each) for judge in judges))

    def convicted(self, path: Path, accused: frozenset[bytes]) -> RevocationAnswer | None:
        """The answer for the first of the ``accused`` that is proved revoked as ``path`` has it; None when none is."""
        for position in range(len(path) - 1):
            if path[position].digest in accused:
                answer = self._answer(path[position], path[position + 1 :], frozenset())
                if answer.revoked:
                    return answer
        return None

    def _answer(self, certificate: SigningCertificate, above: Path, under_way: frozenset[bytes]) -> RevocationAnswer:
        def vouch(signer: SigningCertificate, anchor: SigningCertificate) -> bool:
            return self._vouched(signer, anchor, under_way)

        def unrevoked(responder: SigningCertificate, over: Path) -> bool:
            return self._lists is not None and self._lists.judge(responder, over, vouch).revoked is False

        lists = None if self._lists is None else self._lists.judge(certificate, above, vouch)
        responder = None if self._responders is None else self._responders.judge(certificate, above, unrevoked)
        return _together(certificate, lists, responder)

    def _vouched(self, signer: SigningCertificate, anchor: SigningCertificate, under_way: frozenset[bytes]) -> bool:
        """Whether ``signer``, who signed a list, stands under ``anchor`` by a good path, unrevoked (§6.3.3 (f)).

        One whose standing is already being asked for cannot vouch for itself.
        """
        if signer.digest == anchor.digest:
            return True
        if signer.digest in under_way or len(under_way) >= MAX_VOUCHING_DEPTH:
            return False
        demand = Demand(self._at, purposes=None, usages=frozenset({ext.CRL_SIGN}))
        ways = (path for path in self._finder.paths(signer) if path[-1].digest == anchor.digest)
        for number, path in enumerate(ways):
            if number >= MAX_VOUCHING_PATHS:
                raise WorkExhausted
            if judge_path(path, demand) is not None:
                continue
            clear = (
                self._answer(path[position], path[position + 1 :], under_way | {signer.digest}).revoked is False
                for position in range(len(path) - 1)
            )
            if all(clear):
                self._vouched_until = earliest([self._vouched_until, *(each.not_after for each in path)])
                return True
        return False


def _together(
    certificate: SigningCertificate, lists: RevocationAnswer | None, responder: RevocationAnswer | None
) -> RevocationAnswer:
    given = [answer for answer in (lists, responder) if answer is not None]
    bad = [answer for answer in given if answer.revoked]
    good = [answer for answer in given if answer.revoked is False]
    basis: tuple[Basis, ...] = ()
    for answer in given:
        named = certificate.crl_addresses() if answer is lists else certificate.ocsp_addresses()
        silent = all(each.state is BasisState.MISSING for each in answer.basis)
        if not silent or named or (answer is lists and not good) or (lists is None and not good):
            source = named[0] if named else None
            basis += tuple(replace(each, source=each.source or source) for each in answer.basis)
    if bad:
        return RevocationAnswer(True, basis, held=all(answer.held for answer in bad))
    if good:
        return RevocationAnswer(False, basis, earliest(answer.changes_at for answer in given))
    return RevocationAnswer(None, basis)


def _readable_lists(crls: Iterable[bytes]) -> Iterable[RevocationList]:
    for encoded in crls:
        try:
            yield load_crl(encoded)
        except DerMalformed:
            continue


def _readable_responses(responses: Iterable[bytes]) -> Iterable[OcspResponse]:
    for encoded in responses:
        try:
            yield load_response(encoded)
        except DerMalformed:
            continue
