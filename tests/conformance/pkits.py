"""Drives `verify_chain` with NIST's Public Key Interoperability Test Suite (PKITS 1.0.1), sections 4.1 to 4.16.

    python -m tests.conformance.pkits DIRECTORY

The directory holds ``certs/*.crt`` and ``crls/*.crl`` as NIST publishes them; the package ``cryptography-vectors`` has
them under ``x509/PKITS_data``. They are not fetched by the project's own tests, being a download of 56 MB. Every
negative must be refused; every positive must be valid but those of `OUT_OF_SCOPE`, which say why.
"""

import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.chain import verify_chain
from gateway.certificates.x509.path_rules import Demand, judge_path
from gateway.certificates.x509.policies import PolicyDemand

AT = datetime(2026, 11, 23, tzinfo=UTC)
_ARC = "2.16.840.1.101.3.2.1.48"
OUT_OF_SCOPE = {
    "ValidDSASignaturesTest4": "DSA is not spoken",
    "ValidDSAParameterInheritanceTest5": "DSA is not spoken",
    "ValidIDPwithindirectCRLTest22": "indirect lists are not used",
    "ValidIDPwithindirectCRLTest24": "indirect lists are not used",
    "ValidIDPwithindirectCRLTest25": "indirect lists are not used",
    "ValidcRLIssuerTest28": "indirect lists are not used",
    "ValidcRLIssuerTest29": "indirect lists are not used",
    "ValidcRLIssuerTest30": "indirect lists are not used",
    "ValidcRLIssuerTest33": "indirect lists are not used",
}


@dataclass(frozen=True)
class Variant:
    """One set of inputs for a test of sections 4.8 to 4.12: NIST-test-policies accepted (None: any), and flags."""

    valid: bool
    accepted: tuple[int, ...] | None = None
    explicit: bool = False
    inhibit_mapping: bool = False
    inhibit_any: bool = False

    def demand(self) -> PolicyDemand:
        accepted = None if self.accepted is None else frozenset(f"{_ARC}.{number}" for number in self.accepted)
        return PolicyDemand(accepted, self.explicit, self.inhibit_mapping, self.inhibit_any)


VARIANTS = {
    "ValidCertificatePathTest1": (
        Variant(True, None, True),
        Variant(True, (1,), True),
        Variant(False, (2,), True),
        Variant(True, (1, 2), True),
    ),
    "AllCertificatesNoPoliciesTest2": (Variant(True), Variant(False, None, True)),
    "DifferentPoliciesTest3": (Variant(True), Variant(False, None, True), Variant(False, (1, 2), True)),
    "DifferentPoliciesTest4": (Variant(False),),
    "DifferentPoliciesTest5": (Variant(False),),
    "OverlappingPoliciesTest6": (Variant(True), Variant(True, (1,)), Variant(False, (2,))),
    "DifferentPoliciesTest7": (Variant(False),),
    "DifferentPoliciesTest8": (Variant(False),),
    "DifferentPoliciesTest9": (Variant(False),),
    "AllCertificatesSamePoliciesTest10": (Variant(True), Variant(True, (1,)), Variant(True, (2,))),
    "AllCertificatesanyPolicyTest11": (Variant(True), Variant(True, (1,))),
    "DifferentPoliciesTest12": (Variant(False),),
    "AllCertificatesSamePoliciesTest13": (Variant(True, (1,)), Variant(True, (2,)), Variant(True, (3,))),
    "AnyPolicyTest14": (Variant(True, (1,)), Variant(False, (2,))),
    "UserNoticeQualifierTest17": (Variant(True),),
    "UserNoticeQualifierTest18": (Variant(True, (1,)), Variant(True, (2,))),
    "ValidPolicyMappingTest1": (Variant(True, (1,)), Variant(False, (2,)), Variant(False, (1,), inhibit_mapping=True)),
    "InvalidPolicyMappingTest2": (Variant(False), Variant(False, inhibit_mapping=True)),
    "ValidPolicyMappingTest3": (Variant(False, (1,)), Variant(True, (2,))),
    "ValidPolicyMappingTest5": (Variant(True, (1,)), Variant(False, (6,))),
    "ValidPolicyMappingTest6": (Variant(True, (1,)), Variant(False, (6,))),
    "ValidPolicyMappingTest12": (Variant(True, (1,)), Variant(True, (2,))),
    "inhibitAnyPolicyTest3": (Variant(True), Variant(False, inhibit_any=True)),
}
"""Where one certificate is tested with several inputs, or its name does not say what is expected."""


def expected(name: str) -> bool:
    """What the name of an end entity's certificate says, where no variant says otherwise."""
    return not name.startswith("Invalid")


def run(directory: Path) -> list[str]:
    """Every departure from what PKITS expects, in a line each; prints a count by outcome."""
    certificates = {path.stem: path.read_bytes() for path in sorted((directory / "certs").glob("*.crt"))}
    lists = [path.read_bytes() for path in sorted((directory / "crls").glob("*.crl"))]
    anchor = certificates.pop("TrustAnchorRootCertificate")
    leaves = {name.removesuffix("EE"): data for name, data in certificates.items() if name.endswith("EE")}
    pool = [data for name, data in certificates.items() if not name.endswith("EE")]
    departures, outcomes, slowest = [], Counter[tuple[str, str]](), 0.0
    for name, leaf in leaves.items():
        variants = VARIANTS.get(name, (Variant(expected(name)),))
        started = time.perf_counter()
        result = verify_chain(leaf, pool, [anchor], AT, crls=lists)
        slowest = max(slowest, time.perf_counter() - started)
        for variant in variants:
            valid = result.verdict is Verdict.VALID
            if valid:
                valid = judge_path(result.path, Demand(AT, policies=variant.demand())) is None
            outcomes["positive" if variant.valid else "negative", "valid" if valid else "refused"] += 1
            if valid != variant.valid and (valid or name not in OUT_OF_SCOPE):
                departures.append(f"{name} {variant}: {result.verdict} {result.check}")
    print(*(f"{kind} {what}: {count}" for (kind, what), count in sorted(outcomes.items())), sep="\n")
    print(f"slowest path: {slowest * 1000:.0f} ms, with {len(pool)} certificates and {len(lists)} lists at hand")
    return departures


if __name__ == "__main__":
    found = run(Path(sys.argv[1]))
    print(*found, sep="\n")
    sys.exit(1 if found else 0)
