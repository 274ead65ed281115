"""Registering partners, keys, agreements and endpoints: every change is recorded, and seen at once."""

import asyncio
import contextlib
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import orjson
import pytest

from gateway.caller import Role
from gateway.partners.directory import PartnerDirectory
from gateway.partners.errors import PartnerConflict, PartnerNotFound, PartnerTermsRejected
from gateway.partners.model import AgreementStatus, Endpoint, Grant, KeyUse
from gateway.partners.service import AgreementDraft
from gateway.partners.terms import check_endpoint_url
from tests.support.partners import PartnersRoom, es256_key, public_jwk

DRAFT = AgreementDraft(
    partner_code="csg-guangzhou",
    purpose="grid_connection_intake",
    grants=(Grant("business_licence", frozenset({"name", "code"})),),
    regions=("440100",),
    valid_from=date(2026, 1, 1),
    valid_until=date(2026, 12, 31),
    clause="第（六）条",
)


async def recorded(room: PartnersRoom, subject: str) -> list[dict[str, Any]]:
    """Actions on record about ``subject``."""
    actions = ["partner.registered", "partner.key_added", "partner.key_revoked", "agreement.created", "token.granted"]
    actions.append("partner.suspended")
    rows = await room.transactions.read(lambda tx: tx.record_reader.of_subject(subject, actions))
    return [orjson.loads(row.leaf) for row in rows]


async def test_a_change_is_on_record_with_its_actor_and_without_the_key(room: PartnersRoom) -> None:
    client = await room.enrol()
    entries = await recorded(room, client.code)
    assert [entry["action"] for entry in entries] == ["partner.registered", "partner.key_added"]
    assert {entry["actor"] for entry in entries} == {"gateway"}
    assert public_jwk(client.auth_key)["x"] not in str(entries)


async def test_a_refused_change_leaves_nothing_but_its_own_entry(room: PartnersRoom) -> None:
    await room.enrol()
    before = await recorded(room, "csg-guangzhou")
    with pytest.raises(PartnerConflict) as caught:
        await room.enrol()
    *kept, refusal = await recorded(room, "csg-guangzhou")
    assert kept == before
    assert len(await room.service.list_partners()) == 1
    assert (refusal["action"], refusal["result"]) == ("partner.registered", "refused")
    assert refusal["facts"] == {"refusal": "partner-conflict", "check": "partners.code_taken", "clause": None}
    assert caught.value.record_id


@pytest.mark.parametrize("code", ["440106199001011234", "Zhang San"])
async def test_a_made_up_name_does_not_enter_the_record(room: PartnersRoom, code: str) -> None:
    at = room.clock()
    with pytest.raises(PartnerTermsRejected) as caught:
        await room.service.register_partner(code, "某局", Role.UTILITY, ["440100"], actor="op", at=at)
    assert caught.value.record_id
    with pytest.raises(PartnerNotFound) as unknown:
        await room.service.suspend_partner("nobody-here", actor="op", at=at)
    assert unknown.value.record_id
    assert await recorded(room, code) == []
    assert await recorded(room, "nobody-here") == []


@pytest.mark.parametrize(
    "terms",
    [
        {"code": "Upper"},
        {"code": ""},
        {"code": "a" * 65},
        {"name": "  "},
        {"name": "a\nb"},
        {"regions": []},
        {"regions": ["44"]},
        {"regions": ["４４０１００"]},
    ],
)
async def test_unfit_partners_are_not_registered(room: PartnersRoom, terms: dict) -> None:
    own = {"code": "a", "name": "b", "role": Role.SOURCE, "regions": ["440100"]} | terms
    with pytest.raises(PartnerTermsRejected):
        await room.service.register_partner(**own, actor="ops", at=room.clock())


async def test_a_private_or_symmetric_or_encryption_key_is_not_registered(room: PartnersRoom) -> None:
    client = await room.enrol()
    jwk = public_jwk(es256_key("k"))
    for unfit in (jwk | {"d": "AA"}, {"kty": "oct", "k": "AA"}, jwk | {"use": "enc"}, jwk | {"kid": "a/b"}, {}):
        with pytest.raises(PartnerTermsRejected):
            await room.service.add_key(client.code, unfit, KeyUse.ANY, actor="ops", at=room.clock())


async def test_a_key_is_registered_once_and_a_revoked_one_never_returns(room: PartnersRoom) -> None:
    one, two = await room.enrol(), await room.enrol("csg-shenzhen")
    await room.service.revoke_key(one.code, one.auth_key.kid, actor="ops", at=room.clock())
    renamed = public_jwk(one.auth_key) | {"kid": "another-name"}
    for code in (one.code, two.code):
        with pytest.raises(PartnerConflict):
            await room.service.add_key(code, renamed, KeyUse.ANY, actor="ops", at=room.clock())


async def test_revoking_again_keeps_the_first_instant(room: PartnersRoom) -> None:
    client = await room.enrol()
    first = await room.service.revoke_key(client.code, client.auth_key.kid, actor="ops", at=room.clock())
    again = await room.service.revoke_key(
        client.code, client.auth_key.kid, actor="ops", at=room.clock() + timedelta(hours=1)
    )
    assert first.value.revoked_at == again.value.revoked_at == room.clock()


async def test_what_is_unknown_is_not_found(room: PartnersRoom) -> None:
    at, jwk = room.clock(), public_jwk(es256_key("k"))
    service = room.service
    for change in (
        service.suspend_partner("nobody", actor="ops", at=at),
        service.add_key("nobody", jwk, KeyUse.ANY, actor="ops", at=at),
        service.rotate_key("nobody", "k", jwk, overlap=timedelta(0), actor="ops", at=at),
        service.revoke_key("nobody", "k", actor="ops", at=at),
        service.create_agreement(DRAFT, actor="ops", at=at),
        service.activate_agreement("none", actor="ops", at=at),
        service.set_endpoint(Endpoint("nobody", "webhook", "https://h/", None), actor="ops", at=at),
    ):
        with pytest.raises(PartnerNotFound):
            await change


@pytest.mark.parametrize(
    "terms",
    [
        {"purpose": ""},
        {"grants": ()},
        {"grants": (Grant("business_licence", frozenset()),)},
        {"grants": DRAFT.grants * 2},
        {"regions": ()},
        {"grants": (Grant("licence", frozenset({"name"})),)},
        {"grants": (Grant("business_licence", frozenset({"name", "owner"})),)},
        {"stages": frozenset({"acceptance", "survey"})},
        {"stages": frozenset()},
        {"clause": " "},
        {"valid_until": date(2025, 12, 31)},
    ],
)
async def test_an_agreement_with_an_empty_dimension_is_not_made(room: PartnersRoom, terms: dict) -> None:
    await room.enrol()
    with pytest.raises(PartnerTermsRejected):
        await room.service.create_agreement(replace(DRAFT, **terms), actor="ops", at=room.clock())


async def test_an_agreement_is_drafted_activated_and_ended_for_good(room: PartnersRoom) -> None:
    client, at = await room.enrol(), room.clock()
    made = await room.service.create_agreement(DRAFT, actor="ops", at=at)

    async def status() -> AgreementStatus:
        return (await room.directory.snapshot()).agreements[client.code][0].status

    assert await status() is AgreementStatus.DRAFT
    await room.service.activate_agreement(made.value.agreement_id, actor="ops", at=at)
    assert await status() is AgreementStatus.ACTIVE
    await room.service.end_agreement(made.value.agreement_id, actor="ops", at=at)
    assert await status() is AgreementStatus.ENDED
    with pytest.raises(PartnerConflict):
        await room.service.activate_agreement(made.value.agreement_id, actor="ops", at=at)


@pytest.mark.parametrize(
    "url",
    [
        "http://h/",
        "http://127.0.0.1/",
        "https://u@h/",
        "https://h/#f",
        "/x",
        "file:///etc/passwd",
        "https://h /",
        "https://h:0/",
        "https://h/?token=secret",
        "https://h/?",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[fd00:ec2::254]/",
        "https://2852039166/",
        "https://0xA9FEA9FE/",
        "https://169.254.43518/",
        "https://0.0.0.0/",
    ],
)
async def test_unfit_endpoints_are_not_set(room: PartnersRoom, url: str) -> None:
    client = await room.enrol()
    with pytest.raises(PartnerTermsRejected):
        await room.service.set_endpoint(Endpoint(client.code, "webhook", url, None), actor="ops", at=room.clock())
    asked = Endpoint(client.code, "webhook", "https://h/", None, status_url=url)
    with pytest.raises(PartnerTermsRejected):
        await room.service.set_endpoint(asked, actor="ops", at=room.clock())


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("http://utility:8080/hook", True),
        ("http://UTILITY/hook", True),
        ("http://127.0.0.1:9/hook", False),
        ("http://localhost/hook", False),
        ("http://utility.example/hook", False),
        ("http://utility@other/hook", False),
        ("ftp://utility/hook", False),
        ("https://anyone.example/hook", True),
    ],
)
def test_plain_http_goes_to_the_hosts_that_were_named_and_no_other(url: str, taken: bool) -> None:
    refused = contextlib.nullcontext() if taken else pytest.raises(PartnerTermsRejected)
    with refused:
        check_endpoint_url(url, insecure_hosts=frozenset({"utility"}))


@pytest.mark.parametrize(
    ("channel", "secret_ref"),
    [
        ("pigeon", None),
        ("", None),
        ("webhook", "../keys"),
        ("webhook", "whsec_c2VjcmV0"),
        ("webhook", ""),
        ("webhook", "a" * 65),
    ],
)
async def test_an_endpoint_has_a_known_channel_and_names_its_secret(
    room: PartnersRoom, channel: str, secret_ref: str | None
) -> None:
    client = await room.enrol()
    endpoint = Endpoint(client.code, channel, "https://h/", secret_ref)
    with pytest.raises(PartnerTermsRejected):
        await room.service.set_endpoint(endpoint, actor="ops", at=room.clock())


async def test_an_operator_cannot_suspend_itself(room: PartnersRoom) -> None:
    client = await room.enrol("operations", Role.OPERATOR)
    with pytest.raises(PartnerConflict):
        await room.service.suspend_partner(client.code, actor=client.code, at=room.clock())
    assert (await room.directory.snapshot()).active_partner(client.code)


async def test_nobodys_keys_and_agreements_are_not_found(room: PartnersRoom) -> None:
    for look in (room.service.list_keys, room.service.list_agreements):
        with pytest.raises(PartnerNotFound):
            await look("nobody")


async def test_an_endpoint_is_replaced_and_hidden_while_suspended(room: PartnersRoom) -> None:
    client, at = await room.enrol(), room.clock()
    for url in ("https://one.example/", "https://two.example/"):
        await room.service.set_endpoint(Endpoint(client.code, "webhook", url, "secret-1"), actor="ops", at=at)
    found = (await room.directory.snapshot()).endpoint(client.code, "webhook")
    assert found == Endpoint(client.code, "webhook", "https://two.example/", "secret-1")
    await room.service.suspend_partner(client.code, actor="ops", at=at)
    assert (await room.directory.snapshot()).endpoint(client.code, "webhook") is None


async def test_another_process_notices_within_its_staleness_and_not_by_asking_each_time(room: PartnersRoom) -> None:
    ticks = 0.0
    other = PartnerDirectory(room.transactions, max_age=0.5, ticks=lambda: ticks)
    first = await other.snapshot()
    await room.enrol()
    assert await other.snapshot() is first
    ticks = 0.6
    assert "csg-guangzhou" in (await other.snapshot()).partners
    unchanged = await other.snapshot()
    ticks = 1.2
    assert await other.snapshot() is unchanged


async def test_a_change_committed_while_the_directory_is_read_is_not_missed(room: PartnersRoom) -> None:
    """The answer read before the change is not kept as if it were current."""
    await room.directory.snapshot()
    reading, go_on = asyncio.Event(), asyncio.Event()

    class Slow:
        async def read(self, work):
            loaded = await room.transactions.read(work)
            reading.set()
            await go_on.wait()
            return loaded

        async def write(self, work):
            return await room.transactions.write(work)

    directory = PartnerDirectory(Slow(), max_age=3600)
    early = asyncio.create_task(directory.snapshot())
    await reading.wait()
    await room.enrol()
    directory.changed()
    go_on.set()
    await early
    assert "csg-guangzhou" in (await directory.snapshot()).partners
