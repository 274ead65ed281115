"""Certificates to compare: an enterprise and a resident with whom everything agrees, and any change of that."""

from datetime import date
from typing import Any

from gateway.applications.reconciliation.facts import AgentAuthority, Facts
from gateway.applications.reconciliation.finding import Finding
from gateway.applications.reconciliation.reconcile import reconcile
from gateway.applications.reconciliation.relations import Named
from gateway.certificates.kinds.business_licence import BusinessLicenceClaims
from gateway.certificates.kinds.project_approval import ProjectApprovalClaims
from gateway.certificates.kinds.property_certificate import PropertyCertificateClaims
from gateway.certificates.kinds.resident_id import ResidentIdClaims
from gateway.certificates.verdicts import Verdict
from schemas.agent_authorisations import AgentAuthorisation
from schemas.ecertificates import TYPE_CODES
from schemas.identifiers import (
    ECertificateIdentifier,
    make_resident_identity_number,
    make_unified_social_credit_code,
)
from schemas.identity import ActingRole, ApplicantKind

CODE = make_unified_social_credit_code("91440101", "TDMA0001")
OTHER_CODE = make_unified_social_credit_code("91440101", "TDMA0002")
NAME, FORMER_NAME = "示例（广州）有限公司", "旧例有限公司"
BOSS = make_resident_identity_number("440106", date(1901, 2, 3), 11)
CLERK = make_resident_identity_number("440106", date(1902, 3, 4), 12)
UNIT = "440106011001GB00233F00010013"
STRANGER = make_resident_identity_number("440106", date(1903, 4, 5), 13)
RESIDENT = make_resident_identity_number("440106", date(1904, 5, 6), 14)


def metadata(kind: str, name: str, code: str, **changes: str | None) -> dict[str, Any]:
    person = len(code) == 18 and code[6:8] == "19"
    own: dict[str, Any] = {
        "ZZMC": kind,
        "ZZLXDM": TYPE_CODES[kind],
        "ZZBH": "1",
        "ZZBS": str(ECertificateIdentifier.make(TYPE_CODES[kind], "440000", "20260001")),
        "ZZBFJG": "某局",
        "ZZBFJGDM": "440000",
        "ZZBFRQ": "2024-01-02",
        "CZZT": name,
        "CZZTDM": code,
        "CZZTDMLX": "x",
        "CZZTDMLXDM": "111" if person else "001",
        "ZZYXQQSRQ": "2024-01-02",
    }
    return {name: value for name, value in (own | changes).items() if value is not None}


def licence(**changes: str | None) -> BusinessLicenceClaims:
    own = {"KZ_FDDBR": "王一", "KZ_FDDBRZJH": BOSS} | changes
    return BusinessLicenceClaims.model_validate(metadata("business_licence", NAME, CODE, **own))


def right(name: str = NAME, code: str = CODE, **changes: str | None) -> PropertyCertificateClaims:
    own = {"KZ_BDCDYH": UNIT, "KZ_ZL": "广州市天河区示例路8号", "KZ_QLR": name, "KZ_QLRZJH": code} | changes
    return PropertyCertificateClaims.model_validate(metadata("property_certificate", name, code, **own))


def project(**changes: str | None) -> ProjectApprovalClaims:
    own = {"KZ_XMDM": "2403-440106-04-01-100001", "KZ_XMMC": "新建", "KZ_JSDD": "天河区示例路8号"} | changes
    return ProjectApprovalClaims.model_validate(metadata("project_approval", NAME, CODE, **own))


def card(name: str = "陈安", code: str = RESIDENT) -> ResidentIdClaims:
    return ResidentIdClaims.model_validate(metadata("resident_id", name, code))


def facts(**changes: Any) -> Facts:
    """A high-voltage enterprise whose legal representative acts; everything agrees."""
    certificates = {
        "business_licence": licence(),
        "property_certificate": right(),
        "project_approval": project(),
    } | changes.pop("certificates", {})
    own: dict[str, Any] = {
        "applicant_kind": ApplicantKind.ENTERPRISE,
        "holder": Named(NAME, CODE),
        "person": Named("王一", BOSS),
        "role": ActingRole.LEGAL_REPRESENTATIVE,
        "region": "440106",
        "expected": frozenset({"business_licence", "property_certificate", "project_approval"}),
        "certificates": {kind: claims for kind, claims in certificates.items() if claims is not None},
        "address": "示例路８號",
    }
    return Facts(**(own | changes))


def home(**changes: Any) -> Facts:
    """A resident in a home of their own."""
    certificates = {"resident_id": card(), "property_certificate": right("陈安", RESIDENT)}
    own: dict[str, Any] = {
        "applicant_kind": ApplicantKind.RESIDENT,
        "holder": Named("陈安", RESIDENT),
        "person": Named("陈安", RESIDENT),
        "role": None,
        "region": "440106",
        "expected": frozenset({"resident_id", "property_certificate"}),
        "certificates": certificates | changes.pop("certificates", {}),
    }
    return Facts(**(own | changes))


def finding(of: Facts, slug: str) -> Finding:
    return next(each for each in reconcile(of) if each.comparison == slug)


def authority(**changes: Any) -> AgentAuthority:
    content = AgentAuthorisation(
        **{
            "jti": "a-1",
            "iat": 1,
            "nbf": 1,
            "exp": 2,
            "enterprise_code": CODE,
            "agent_name": "李办",
            "agent_code": CLERK,
            "matter": "用电报装",
        }
        | changes.pop("content", {})
    )
    own: dict[str, Any] = {"verdict": Verdict.VALID, "content": content, "signer": Named("王一", BOSS)}
    return AgentAuthority(**(own | changes))
