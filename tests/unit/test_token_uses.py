"""A token of one use is never taken for another (RFC 8725 §3.11, §3.12): every pair, at the real entry points.

``Typ`` holds every use there is. Those that the gateway only signs (licences and days for utilities, requests for
departments) are presented here too; nobody here takes them.
"""

from collections.abc import AsyncIterator

import pytest

from gateway.crypto.jws import sign_jws
from gateway.errors import GatewayError
from schemas.wire import Typ
from tests.support.approvals import approvals_room
from tests.support.databases import Databases
from tests.support.entry_points import EntryPoint, Outcomes, ProjectPushes, lone_entry_points, partner_entry_points
from tests.support.partners import partners_room
from tests.support.projects import projects_room

SIGNED_ONLY = {
    Typ.VERIFIED_LICENCE,
    Typ.REVIEW_REQUEST,
    Typ.RECONCILIATION,
    Typ.EVIDENCE_MANIFEST,
    Typ.CONTRACT_SIGNATURE,
}


@pytest.fixture
async def entry_points(databases: Databases) -> AsyncIterator[dict[Typ, EntryPoint]]:
    with (
        partners_room(databases.sqlite()) as partners,
        approvals_room(databases.sqlite()) as approvals,
        projects_room(databases.sqlite()) as projects,
    ):
        await approvals.receive_application()
        permits = await approvals.open()
        found = [
            *await partner_entry_points(partners),
            *lone_entry_points(),
            ProjectPushes(projects),
            Outcomes(
                approvals, next(permit for department, permit in permits.items() if department.startswith("road"))
            ),
        ]
        yield {entry.use: entry for entry in found}


async def test_every_use_has_its_entry_point_and_takes_its_own_token(entry_points: dict[Typ, EntryPoint]) -> None:
    assert entry_points.keys() == set(Typ) - SIGNED_ONLY
    for use, entry in entry_points.items():
        await entry.present(entry.good(use))
        await entry.present(entry.good(f"application/{use.upper()}"))


async def test_no_use_takes_a_token_that_names_another(entry_points: dict[Typ, EntryPoint]) -> None:
    """Nothing is wrong but ``typ``: right key, right claims, right header."""
    for use, entry in entry_points.items():
        others = [other.value for other in Typ if other is not use]
        for typ in [*others, "JWT", "jwt", " ", f"{use}+", use.replace("+jwt", "")]:
            with pytest.raises(GatewayError) as refused:
                await entry.present(entry.good(typ))
            told = f"{refused.value.check} {refused.value.remedy}"
            assert "typ" in told or (use is Typ.STATUS_LIST and "status.untrusted" in told), (use, typ)


async def test_no_use_takes_a_genuine_token_of_another(entry_points: dict[Typ, EntryPoint]) -> None:
    for use, entry in entry_points.items():
        for other in entry_points.values():
            if other.use is not use:
                with pytest.raises(GatewayError):
                    await entry.present(other.good(other.use))


async def test_what_the_gateway_signs_for_others_is_taken_nowhere(entry_points: dict[Typ, EntryPoint]) -> None:
    """Even where the key is one that the entry point trusts."""
    for entry in entry_points.values():
        for typ in SIGNED_ONLY:
            token = sign_jws({"iss": "https://gateway.example", "aud": "csg-guangzhou", "jti": "x"}, entry.key, typ)
            with pytest.raises(GatewayError):
                await entry.present(token)
