"""docs/trust.md against the code: every check that can be answered, every limit and every age stands there as it is."""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.certificates import evidence, inspection, status_lists
from gateway.certificates.envelopes.ofd import format as ofd_format
from gateway.certificates.envelopes.ofd import safe_xml
from gateway.certificates.envelopes.ofd import trust as ofd_trust
from gateway.certificates.envelopes.ofd.archive import Limits
from gateway.certificates.freshness import FreshnessLimit
from gateway.certificates.policy import KindPolicy
from gateway.certificates.registry import KindRegistry
from gateway.certificates.x509 import chain, crls, ocsp
from gateway.crypto import jws, public_keys

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "trust.md").read_text("utf-8")
SLUG = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+")
HELPERS = {"refused": "jose.", "_invalid": "chain.", "_trust": ""}
"""Functions whose first argument is the rest of a check's name."""
FILLED = {
    "at_rest.{check}": (),
    "chain.{check}": (),
    "jose.{check}": (),
    "path.{who}": ("path.signer", "path.maker"),
    "signature.{who}": ("signature.signer", "signature.maker"),
    "revocation.{who}": ("revocation.signer", "revocation.maker"),
    "usage.{who}": ("usage.signer", "usage.maker"),
    "validity.{who}": ("validity.signer", "validity.maker"),
}
"""Names that are put together, and what of: a new one has to be told here. Empty where ``HELPERS`` finds the parts."""
NO_CHECKS = {"libcrypto.so"}
SEARCHED = sorted(path for room in ("certificates", "crypto") for path in (ROOT / "gateway" / room).rglob("*.py"))


def slugs_of(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text("utf-8"))
    written = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in written:
            if SLUG.fullmatch(node.value):
                yield node.value
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            prefix = HELPERS.get(getattr(node.func, "id", ""))
            if prefix and isinstance(node.args[0].value, str):
                yield prefix + node.args[0].value
        elif isinstance(node, ast.JoinedStr):
            template = ast.unparse(node)[2:-1]
            if re.match(r"[a-z_]+\.\{\w+\}$", template):
                assert template in FILLED, f"{path.name}: tell in FILLED what {template} becomes"
                yield from FILLED[template]


@pytest.fixture(scope="module")
def slugs() -> frozenset[str]:
    """All that the code can answer; to read it takes longer than a worker that only collects should."""
    return frozenset(slug for path in SEARCHED for slug in slugs_of(path)) - NO_CHECKS


def test_the_search_finds_checks(slugs: frozenset[str]) -> None:
    assert len(slugs) > 100
    assert {"chain.expired", "jose.typ", "status.revoked", "signature.sm2", "envelope.signature"} <= slugs


def test_every_check_stands_on_the_page(slugs: frozenset[str]) -> None:
    assert sorted(slug for slug in slugs if f"`{slug}`" not in PAGE) == []


def test_the_page_names_no_check_that_is_not(slugs: frozenset[str]) -> None:
    """In the tables' columns of checks; a name that nothing answers any more would mislead."""
    rooms = {slug.partition(".")[0] for slug in slugs}
    tabled = {
        slug for line in PAGE.splitlines() if line.startswith("| ") for slug in re.findall(r"`([a-z0-9_.]+)`", line)
    }
    named = {slug for slug in tabled if SLUG.fullmatch(slug) and slug.partition(".")[0] in rooms}
    assert named - slugs - {"issuers.json"} == set()


def hours(limit: FreshnessLimit) -> str:
    def told(length: timedelta) -> str:
        return f"{length.days} d" if length.seconds == 0 else f"{length // timedelta(hours=1)} h"

    return f"{told(limit.fresh)}, {told(limit.permitted)}"


def test_an_ofd_report_has_words_for_every_check_of_a_path() -> None:
    told = {check: ofd_trust.phrase(check) for check in set(re.findall(r"`(chain\.[a-z_]+)`", PAGE))}
    assert [check for check, phrase in told.items() if phrase == ofd_trust.phrase(None)] == []
    assert set(told.values()) <= inspection._REASONS.keys()


def test_ages_are_those_of_each_kind() -> None:
    for kind in KindRegistry.discover().by_code.values():
        policy = kind.policy
        row = f"| {kind.title} | {hours(policy.source)} | {hours(policy.status)} | {hours(policy.crl)} |"
        assert row in PAGE


@pytest.mark.parametrize(
    "text",
    [
        f"{chain.MAX_LINKS} signatures",
        f"{chain.MAX_STEPS} candidates",
        f"{chain.MAX_PATHS_JUDGED} judged paths of {chain.MAX_PATH} certificates",
        f"{chain.MAX_INTERMEDIATES} certificates, {chain.MAX_INTERMEDIATE_BYTES >> 20} MiB",
        f"{jws.MAX_X5C} certificates",
        f"{jws.MAX_HEADER_BYTES >> 10} KiB of header",
        f"| {jws.MAX_KEYS_TRIED} |",
        f"{public_keys.MIN_RSA_BITS} to {public_keys.MAX_RSA_BITS} bits",
        f"exponent of {public_keys.MAX_RSA_EXPONENT_BITS} bits",
        f"| {KindPolicy().max_ofd_bytes >> 20} MiB, {ofd_format._MAX_ENTRIES} files",
        f"{Limits().archive >> 20} MiB, {Limits().entries:,} files, {Limits().total >> 20} MiB",
        f"a ratio of {Limits().ratio} |",
        f"{safe_xml.MAX_BYTES >> 20} MiB, {safe_xml.MAX_NODES:,} nodes, {safe_xml.MAX_DEPTH} levels",
        f"| {crls.MAX_CRL_BYTES >> 20} MiB, {ocsp.MAX_RESPONSE_BYTES >> 10} KiB |",
        f"{evidence.MAX_BYTES >> 20} MiB each of status lists, CRLs and OCSP answers |",
        f"{status_lists.MAX_LISTS} status lists",
        f"{status_lists.MAX_URIS:,} list addresses",
    ],
)
def test_limits_are_those_of_the_code(text: str) -> None:
    assert text in PAGE
