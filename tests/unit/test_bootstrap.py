"""What an operator sets reaches the services that need it."""

import asyncio
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from limits import parse

from adapters.witnesses.files import LATEST
from gateway import worker
from gateway.bootstrap import loops
from gateway.bootstrap.clients import clients
from gateway.bootstrap.foundation import kinds_of, lay_foundation
from gateway.bootstrap.hub import Hub, build_hub
from gateway.bootstrap.loops import build_anchoring
from gateway.caller import Role
from gateway.certificates.service import CertificateService
from gateway.evidence.router import EVIDENCE
from gateway.http.limits import RateLimits
from gateway.partners.changes import AgreementDraft
from gateway.partners.errors import PartnerTermsRejected
from gateway.partners.model import Grant
from gateway.progress.service import ProgressService
from gateway.records.checkpoints import Checkpoint, sign_checkpoint
from gateway.records.entries import RecordEntry
from gateway.records.errors import RecordDamaged
from gateway.settings import load_settings
from tests.support.anchoring import LOG_SIGNER, ORIGIN
from tests.support.databases import Databases
from tests.support.storage import NOON

CODE = "99990000000000000A001"
EXTRA = {
    "BANDIAN_CALENDAR": '{"2031-01-02": false}',
    "BANDIAN_CALENDAR_COMPLETE_YEARS": "2031",
    "BANDIAN_TYPE_CODES": json.dumps({"business_licence": [CODE]}),
}


@pytest.fixture
def environment(tmp_path: Path, databases: Databases) -> dict[str, str]:
    return {
        "BANDIAN_DATABASE_URL": databases.sqlite(),
        "BANDIAN_KEY_DIR": str(tmp_path / "keys"),
        "BANDIAN_TRUST_DIR": str(tmp_path / "trust"),
    }


async def test_calendar_and_type_codes_reach_their_rooms(environment: dict[str, str]) -> None:
    foundation = lay_foundation(load_settings(environment | EXTRA), lambda: NOON)
    try:
        async with clients() as (http, _):
            hub: Hub = build_hub(foundation, http)
            await foundation.rules.refresh()
            calendar = hub.services.get(ProgressService)._rules().calendar
        assert not calendar.is_working_day(date(2031, 1, 2))
        assert calendar.is_known(date(2031, 5, 5))
        assert kinds_of(foundation.settings).get("business_licence").type_codes == (CODE,)
    finally:
        foundation.close()


async def test_the_kept_checkpoint_and_the_lease_reach_who_signs(environment: dict[str, str], tmp_path: Path) -> None:
    """A database that knows less than what was kept beside the keys is not signed, and whoever is on call sees it."""
    more = {"BANDIAN_CHECKPOINT_LEASE_S": "77", "BANDIAN_CHECKPOINT_EVERY_S": "1", "BANDIAN_RECORD_ORIGIN": ORIGIN}
    foundation = lay_foundation(load_settings(environment | more), lambda: NOON)
    try:
        async with clients() as (http, _):
            anchoring = build_anchoring(foundation, http).anchoring
            assert anchoring._lease == timedelta(seconds=77)
            entry = RecordEntry("test.done", NOON, "gateway")
            await foundation.transactions.write(lambda tx: tx.records.append(entry))
            kept = foundation.settings.head_directory / LATEST
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(str(sign_checkpoint(Checkpoint(ORIGIN, 9, bytes(32)), [LOG_SIGNER])), "utf-8")
            with pytest.raises(RecordDamaged):
                await anchoring.anchor_once()
            assert b"bandian_checkpoint_refused 1.0" in await foundation.metrics.exposition()
            kept.unlink()
            assert await anchoring.anchor_once() is not None
            assert b"bandian_checkpoint_refused 0.0" in await foundation.metrics.exposition()
    finally:
        foundation.close()


async def test_how_often_bundles_may_be_asked_for_is_set(environment: dict[str, str]) -> None:
    foundation = lay_foundation(load_settings(environment | {"BANDIAN_EVIDENCE_RATE_LIMIT": "3"}), lambda: NOON)
    try:
        async with clients() as (http, _):
            limits = build_hub(foundation, http).services.get(RateLimits)
        assert limits.limit_of(EVIDENCE, parse("30/minute")) == parse("3/minute")
    finally:
        foundation.close()


@pytest.mark.parametrize("process", ["serving", "worker"])
async def test_each_process_forgets_what_it_remembered(
    environment: dict[str, str], process: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = list[datetime]()

    async def forgetting_once(sweep_memory: Callable[[], None], stop: asyncio.Event) -> None:
        sweep_memory()
        stop.set()

    monkeypatch.setattr(CertificateService, "sweep_memory", lambda _, at: swept.append(at))
    for where in (loops, worker):
        monkeypatch.setattr(where, "forgetting", forgetting_once)
    settings = load_settings(environment)
    if process == "worker":
        await asyncio.wait_for(worker.run_worker(settings, clock=lambda: NOON), 60)
    else:
        foundation, stop = lay_foundation(settings, lambda: NOON), asyncio.Event()
        try:
            async with clients() as (http, outgoing):
                running = loops.loops_beside_serving(build_hub(foundation, http), http, outgoing, stop)
                await asyncio.wait_for(asyncio.gather(*running), 60)
        finally:
            foundation.close()
    assert swept == [NOON]


async def test_agreements_speak_of_what_exists_alone(environment: dict[str, str]) -> None:
    foundation = lay_foundation(load_settings(environment), lambda: NOON)
    try:
        await foundation.partners.register_partner("csg", "供电局", Role.UTILITY, ["440100"], actor="cli:test", at=NOON)
        draft = AgreementDraft(
            partner_code="csg",
            purpose="grid_connection",
            grants=(Grant("business_licence", frozenset({"holder_face"})),),
            regions=("440100",),
            valid_from=date(2026, 1, 1),
            valid_until=date(2026, 12, 31),
            clause="第（六）条",
        )
        with pytest.raises(PartnerTermsRejected) as refused:
            await foundation.partners.create_agreement(draft, actor="cli:test", at=NOON)
        assert refused.value.check == "partners.agreement_fields"
    finally:
        foundation.close()
