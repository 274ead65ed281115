"""What a judgement of a certificate chain rests on, told as a basis: the anchor, each CRL, each OCSP answer."""

from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from gateway.certificates.freshness import Basis, BasisState
from gateway.certificates.x509.chain import ChainResult

CHAIN, OF_STATUS_LIST = "chain", "status_list."
DATED_NOW = frozenset({CHAIN, OF_STATUS_LIST + CHAIN})
"""Bases that are judged at the instant of the verdict itself."""


def chain_basis(result: ChainResult, at: datetime, down: AbstractSet[str] = frozenset()) -> tuple[Basis, ...]:
    """``chain`` first, judged at ``at`` under the anchor it names, then what revocation was judged by.

    Without a path to an anchor ``chain`` is missing. ``down`` are addresses that did not answer when last asked: what
    comes from one of them is marked so, whether an older answer of it is at hand or none.
    """
    anchor = result.path[-1].subject_text if result.path else None
    chain = Basis(CHAIN, BasisState.FRESH if anchor else BasisState.MISSING, at if anchor else None, source=anchor)
    silent = _silent(result, down) if down else frozenset()
    return chain, *(replace(each, down=True) if each.source in silent else each for each in result.basis)


def _silent(result: ChainResult, down: AbstractSet[str]) -> frozenset[str]:
    """What the bases of certificates are named by, where an address of that certificate did not answer."""
    return frozenset(
        addresses[0]
        for certificate in result.path[:-1]
        for addresses in (certificate.crl_addresses(), certificate.ocsp_addresses())
        if not down.isdisjoint(addresses)
    )


def of_status_list(basis: tuple[Basis, ...]) -> tuple[Basis, ...]:
    """The same, of the chain of a status list's signer."""
    return tuple(replace(each, name=OF_STATUS_LIST + each.name) for each in basis)
