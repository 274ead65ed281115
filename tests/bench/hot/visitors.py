"""Applicants with a verified session, as the progress page and an intake need them."""

from collections.abc import Sequence
from typing import Any

import httpx

from mock_services.demo.applicant import Applicant
from tests.bench.hot.stand import Prepared, Stand

SEALED_FACTS = {"status": "verified", "kind": "enterprise", "method": "e_licence", "role": "legal_representative"}
"""What a session says beside names, numbers and the provider's assertion."""
ASSERTION_BYTES = 900


async def signed_in(stand: Stand, http: httpx.AsyncClient, applications: Sequence[Prepared]) -> list[Applicant]:
    """A session of each holder's, by the whole OpenID journey."""
    found = []
    for each in applications:
        applicant = Applicant(http, stand.gateway, each.holder_code)
        session = await applicant.verify("enterprise", "e_licence")
        if session["status"] != "verified":
            raise RuntimeError(f"no session: {session['status']}")
        found.append(applicant)
    return found


def session_of(prepared: Prepared) -> dict[str, Any]:
    """A session as a limit keeps it, of about the bytes that the gateway keeps."""
    return {**SEALED_FACTS, "holder": prepared.holder_code, "assertion": "x" * ASSERTION_BYTES}
