"""Certificates that contradict, or do not plainly agree: refused, or settled once by an officer. On both databases."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from threading import Barrier
from typing import Any

import pytest

from adapters.storage.applications import SqlIntakes
from adapters.storage.reviews import SqlReviews
from gateway.applications import reviews as reviews_module
from gateway.applications.confirmation import ReviewOpened
from gateway.applications.errors import (
    CertificatesContradict,
    IntakeUnknown,
    ReasonTellsPerson,
    ReviewNotLookedAt,
    ReviewNotVerifiable,
    ReviewOutdated,
    ReviewSettled,
    ReviewUnderWay,
    ReviewUnknown,
    TooManyIntakes,
)
from gateway.applications.intake import MOST_OPEN
from gateway.applications.model import IntakeKind
from gateway.applications.review_tasks import REVIEW_LIVES, ReviewState, ReviewTask
from gateway.applications.reviews import SettledReview
from gateway.applications.submission import Submitted
from gateway.errors import GatewayError
from gateway.identity.model import VerifiedApplicant
from gateway.progress.service import ProgressService
from schemas.applicant_api import Confirmation, IntakeView
from schemas.ecertificates import TYPE_CODES
from schemas.identifiers import make_resident_identity_number
from schemas.identity import ActingRole, ApplicantKind, VerificationMethod, VerifiedPerson
from schemas.operator_api import SettlementRequest
from tests.support.authorisations import an_authorisation
from tests.support.databases import Databases
from tests.support.ecertificates import AT, ENTERPRISE
from tests.support.licences import (
    NAME,
    PLANT,
    SHOP,
    UTILITY,
    LicencesRoom,
    an_applicant,
    licences_room,
    province,
)

ONE = IntakeKind.ONE_CERTIFICATE
OFFICER, CALLER = "gd-4407", "operator-gd"
OTHER_NAME = "示例有限责任公司"
OTHER_CODE = "91440101TDMA000299"
RIGHT, LICENCE = "property_certificate", "business_licence"
BOSS = VerifiedPerson(
    name="测试甲", resident_identity_number=make_resident_identity_number("110101", date(1900, 1, 1), 1)
)
CLERK = VerifiedPerson(
    name="测试乙", resident_identity_number=make_resident_identity_number("110101", date(1900, 1, 2), 1)
)


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        yield made
    province().statuses[:] = [0] * 16


def confirmation(**changes: Any) -> Confirmation:
    return Confirmation.model_validate({"authorise": True, **changes})


def settlement(decision: str = "accepted", **changes: Any) -> SettlementRequest:
    own = {"officer": OFFICER, "decision": decision, "reason": "已核对工商登记，为同一主体", "no_interest": True}
    return SettlementRequest.model_validate(own | changes)


def outcomes(view: IntakeView) -> dict[str, tuple[str, str]]:
    return {each.comparison: (each.outcome, each.reason) for each in view.consistency}


def fuzzy(room: LicencesRoom, **changes: str) -> None:
    """The property stands under a name that is only almost the licence's."""
    room.source.hold(RIGHT, province().envelope(RIGHT, KZ_QLR=OTHER_NAME, KZ_QLRZJH=ENTERPRISE, **changes))


async def opened(room: LicencesRoom, applicant: VerifiedApplicant | None = None, **wanted: Any) -> ReviewTask:
    """An intake that is confirmed and waits for an officer."""
    applicant = applicant or an_applicant()
    view = await room.intakes.begin(applicant, ONE, SHOP)
    made = await room.intakes.confirm(applicant, view.intake_id, confirmation(**wanted))
    assert isinstance(made, ReviewOpened)
    return made.task


async def looked_at(room: LicencesRoom, **wanted: Any) -> ReviewTask:
    fuzzy(room)
    task = await opened(room, **wanted)
    await room.reviews.look(task.task_id, OFFICER, CALLER)
    return task


async def mine(room: LicencesRoom) -> Any:
    return await room.transactions.read(lambda tx: tx.applications.of_holder(an_applicant().holder_digest, 9))


class TestConsistent:
    async def test_it_is_said_and_sent_at_once(self, room: LicencesRoom) -> None:
        view = await room.intakes.begin(an_applicant(), ONE, SHOP)
        assert view.ready
        assert outcomes(view) == dict.fromkeys(("holder", "identity", "representative"), ("consistent", "equal"))
        assert all(each.documents and each.says and not each.next_step for each in view.consistency)
        made = await room.intakes.confirm(an_applicant(), view.intake_id, confirmation())
        assert isinstance(made, Submitted)
        assert await room.reviews.listed(None, 9) == []
        (entry,) = await room.entries("intake.previewed")
        assert set(entry["facts"]["consistency"]) == {
            "holder:consistent:equal",
            "identity:consistent:equal",
            "representative:consistent:equal",
        }

    async def test_a_former_name_on_the_licence_and_a_co_owner_are_told_and_pass(self, room: LicencesRoom) -> None:
        room.source.hold(LICENCE, province().envelope(KZ_CYM=f"更早有限公司、{OTHER_NAME}"))
        fuzzy(room)
        view = await room.intakes.begin(an_applicant(), ONE, SHOP)
        assert outcomes(view)["holder"] == ("consistent", "former_name")
        owners = {"CZZT": f"{NAME}、测试丙", "CZZTDM": f"{ENTERPRISE}、{CLERK.resident_identity_number}"}
        room.source.hold(RIGHT, province().envelope(RIGHT, **owners))
        room.clock.advance(days=1)
        view = await room.intakes.begin(an_applicant(), ONE, SHOP)
        holder = next(each for each in view.consistency if each.comparison == "holder")
        assert (holder.outcome, holder.reason) == ("consistent", "equal")
        assert "共有" in holder.notes[0]
        assert isinstance(await room.intakes.confirm(an_applicant(), view.intake_id, confirmation()), Submitted)

    async def test_what_was_not_fetched_is_not_compared_and_does_not_block(self, room: LicencesRoom) -> None:
        room.source.down = {TYPE_CODES[RIGHT]}
        view = await room.intakes.begin(an_applicant(), ONE, SHOP)
        assert outcomes(view)["holder"] == ("not_compared", "not_fetched")
        declared = {"document": RIGHT, "file_name": "房产证.pdf", "sha256": "cd" * 32}
        made = await room.intakes.confirm(an_applicant(), view.intake_id, confirmation(declared=[declared]))
        assert isinstance(made, Submitted)


class TestContradiction:
    async def test_it_is_refused_with_both_owners_and_no_value(self, room: LicencesRoom) -> None:
        room.source.hold(
            RIGHT, province().envelope(RIGHT, KZ_QLR="他人有限公司", KZ_QLRZJH=CLERK.resident_identity_number)
        )
        view = await room.intakes.begin(an_applicant(), ONE, SHOP)
        assert not view.ready
        assert outcomes(view)["holder"] == ("contradiction", "other_holder")
        with pytest.raises(CertificatesContradict) as caught:
            await room.intakes.confirm(an_applicant(), view.intake_id, confirmation())
        told = caught.value
        assert (told.check, told.reason, told.clause) == ("consistency.holder", "other_holder", "第（六）条")
        assert told.documents == ("市场监督管理部门的营业执照", "自然资源部门的不动产权证书")
        shown = f"{told} {told.documents} {[each.model_dump() for each in view.consistency]}"
        for value in (NAME, ENTERPRISE, "他人有限公司", CLERK.resident_identity_number, "示例路"):
            assert value not in shown
        assert await mine(room) == []
        assert await room.reviews.listed(None, 9) == []
        (entry,) = await room.entries("application.submitted")
        assert (entry["result"], entry["facts"]["check"]) == ("refused", "consistency.holder")

    async def test_of_several_properties_each_choice_is_judged(self, room: LicencesRoom) -> None:
        room.source.hold(
            RIGHT,
            province().envelope(RIGHT, KZ_QLR="他人", KZ_QLRZJH=CLERK.resident_identity_number),
            province().envelope(RIGHT, KZ_ZL="广州市示例路9号"),
            province().envelope(RIGHT, KZ_QLR=OTHER_NAME, KZ_QLRZJH=ENTERPRISE),
        )
        view = await room.intakes.begin(an_applicant(), ONE, SHOP)
        assert view.ready
        choices = {each.outcome: each.choices[RIGHT] for each in view.consistency if each.comparison == "holder"}
        assert set(choices) == {"contradiction", "consistent", "unsure"}

        async def chosen(outcome: str) -> Any:
            wanted = confirmation(choices={RIGHT: choices[outcome]})
            return await room.intakes.confirm(an_applicant(), view.intake_id, wanted)

        with pytest.raises(CertificatesContradict):
            await chosen("contradiction")
        assert isinstance(await chosen("consistent"), Submitted)

    async def test_where_every_choice_contradicts_it_is_not_ready(self, room: LicencesRoom) -> None:
        other = {"KZ_QLR": "他人", "KZ_QLRZJH": CLERK.resident_identity_number}
        room.source.hold(
            RIGHT, province().envelope(RIGHT, **other), province().envelope(RIGHT, KZ_ZL="广州市示例路9号", **other)
        )
        assert not (await room.intakes.begin(an_applicant(), ONE, SHOP)).ready

    async def test_high_voltage_compares_builder_and_site(self, room: LicencesRoom) -> None:
        approval = {"KZ_XMDM": "2403-440106-04-01-100001", "KZ_XMMC": "新建", "KZ_JSDD": "深圳市南山区科技路1号"}
        room.source.hold("project_approval", province().envelope("project_approval", **approval))
        view = await room.intakes.begin(an_applicant(), ONE, PLANT)
        assert (outcomes(view)["builder"], outcomes(view)["site"]) == (
            ("consistent", "equal"),
            ("contradiction", "other_place"),
        )


class TestUnsure:
    async def test_the_confirmation_waits_for_an_officer(self, room: LicencesRoom) -> None:
        fuzzy(room)
        view = await room.intakes.begin(an_applicant(), ONE, SHOP)
        assert view.ready
        assert outcomes(view)["holder"] == ("unsure", "name_differs")
        made = await room.intakes.confirm(an_applicant(), view.intake_id, confirmation())
        assert isinstance(made, ReviewOpened)
        assert await mine(room) == []
        assert await room.transactions.read(lambda tx: list(tx.deliveries.feed(UTILITY, 0, 10))) == []
        shown = await room.intakes.show(an_applicant(), view.intake_id)
        assert shown.status == "under_review"
        assert shown.review is not None
        assert (shown.review.review_task_id, shown.review.status) == (made.task.task_id, "open")
        assert shown.expires_at == made.task.expires_at == room.clock() + REVIEW_LIVES
        (entry,) = await room.entries("review.opened")
        assert (entry["actor"], entry["facts"]["unsure"]) == ("applicant", ["holder:name_differs"])
        assert [each.review_task_id for each in await room.reviews.of_holder(an_applicant().holder_digest)] == [
            made.task.task_id
        ]

    async def test_confirmed_again_it_is_the_same_task_and_otherwise_refused(self, room: LicencesRoom) -> None:
        fuzzy(room)
        view = await room.intakes.begin(an_applicant(), ONE, SHOP)
        first = await room.intakes.confirm(an_applicant(), view.intake_id, confirmation())
        again = await room.intakes.confirm(an_applicant(), view.intake_id, confirmation())
        assert isinstance(first, ReviewOpened)
        assert isinstance(again, ReviewOpened)
        assert again.task == first.task
        with pytest.raises(ReviewUnderWay):
            await room.intakes.confirm(an_applicant(), view.intake_id, confirmation(utility=UTILITY))
        assert len(await room.reviews.listed(None, 9)) == 1

    async def test_the_tasks_hold_nothing_personal(self, room: LicencesRoom) -> None:
        await looked_at(room)
        told = str(await room.reviews.listed(None, 9))
        for value in (NAME, ENTERPRISE, OTHER_NAME, BOSS.resident_identity_number, "示例路"):
            assert value not in told

    async def test_an_officer_is_shown_the_values_and_the_applicant_sees_it(self, room: LicencesRoom) -> None:
        fuzzy(room)
        task = await opened(room)
        looked = await room.reviews.look(task.task_id, OFFICER, CALLER)
        ((finding, values),) = looked.shown
        assert finding.comparison == "holder"
        assert {NAME, OTHER_NAME, ENTERPRISE} <= {value.value for value in values}
        view = await room.reviews.of_intake(task.intake_id, an_applicant().holder_digest)
        (access,) = view.accesses
        assert (access.who, access.result, access.record_id) == (CALLER, "done", looked.record_id)
        assert "自然资源部门的不动产权证书：权利人" in access.fields
        (entry,) = await room.entries("review.looked_at")
        assert (entry["actor"], entry["facts"]["officer"]) == (CALLER, OFFICER)

    async def test_accepted_it_is_the_application_that_was_confirmed(self, room: LicencesRoom) -> None:
        task = await looked_at(room, authorised_until=room.clock() + timedelta(days=30))
        room.clock.advance(days=2)
        done = await room.reviews.settle(task.task_id, settlement(), CALLER)
        assert done.submitted is not None
        (application,) = await mine(room)
        assert application == done.submitted.application
        assert application.received_at == room.clock()
        assert done.submitted.authorisation.until == AT + timedelta(days=30)
        assert {each.document: each.verdict for each in application.documents} == {LICENCE: "valid", RIGHT: "valid"}
        (event,) = await room.transactions.read(lambda tx: list(tx.deliveries.feed(UTILITY, 0, 10)))
        assert event.subject == application.application_id
        with pytest.raises(IntakeUnknown):
            await room.intakes.show(an_applicant(), task.intake_id)
        told = await room.reviews.of_intake(task.intake_id, an_applicant().holder_digest)
        assert (told.status, told.application_id) == ("accepted", application.application_id)
        (entry,) = await room.entries("review.settled")
        assert entry["facts"]["decision"] == "accepted"
        assert entry["facts"]["application"] == application.application_id
        assert entry["facts"]["no_interest"] is True
        assert len(await room.entries("application.submitted")) == 1
        assert await room.ask(application.application_id, fields=["name"])

    async def test_who_looked_stands_in_the_progress_of_the_application(self, room: LicencesRoom) -> None:
        task = await looked_at(room)
        done = await room.reviews.settle(task.task_id, settlement(), CALLER)
        application_id = done.submitted.application.application_id if done.submitted else ""
        service = ProgressService(room.transactions, room.stages._rules, room.clock)
        progress = await service.progress(application_id, an_applicant().holder_digest)
        assert [(each.who, each.purpose) for each in progress.accesses] == [(CALLER, "consistency_review")]

    async def test_rejected_the_applicant_is_told_why_and_nothing_is_kept(self, room: LicencesRoom) -> None:
        task = await looked_at(room)
        assert await room.copies(RIGHT) == 1
        done = await room.reviews.settle(task.task_id, settlement("rejected", reason="登记信息无法对应"), CALLER)
        assert done.submitted is None
        told = await room.reviews.of_intake(task.intake_id, an_applicant().holder_digest)
        assert (told.status, told.reason, told.application_id) == ("rejected", "登记信息无法对应", None)
        assert told.next_step
        assert await mine(room) == []
        assert (await room.copies(RIGHT), await room.copies(LICENCE)) == (0, 0)
        with pytest.raises(IntakeUnknown):
            await room.intakes.show(an_applicant(), task.intake_id)
        assert "登记信息" not in str(await room.entries("review.settled"))

    async def test_a_task_is_settled_once(self, room: LicencesRoom) -> None:
        task = await looked_at(room)
        await room.reviews.settle(task.task_id, settlement("rejected"), CALLER)
        for again in ("accepted", "rejected"):
            with pytest.raises(ReviewSettled):
                await room.reviews.settle(task.task_id, settlement(again), CALLER)
        with pytest.raises(ReviewSettled):
            await room.reviews.look(task.task_id, OFFICER, CALLER)
        assert [each["result"] for each in await room.entries("review.settled")] == ["done", "refused", "refused"]

    async def test_whoever_settles_has_looked(self, room: LicencesRoom) -> None:
        fuzzy(room)
        task = await opened(room)
        with pytest.raises(ReviewNotLookedAt):
            await room.reviews.settle(task.task_id, settlement(), CALLER)
        await room.reviews.look(task.task_id, "gd-9999", CALLER)
        await room.reviews.look(task.task_id, OFFICER, "another-operator")
        with pytest.raises(ReviewNotLookedAt):
            await room.reviews.settle(task.task_id, settlement(), CALLER)
        await room.reviews.look(task.task_id, OFFICER, CALLER)
        assert (await room.reviews.settle(task.task_id, settlement(), CALLER)).submitted

    @pytest.mark.parametrize(
        "reason",
        [
            f"与{NAME}核实",
            "号码110101190001010018有误",
            "旧号110101000101001",
            f"代码{ENTERPRISE}",
            "号码１１０１０１１９０００１０１００１８有误",
            "号码110101 19000101 0018有误",
            "号码110101-19000101-001x有误",
            f"代码{ENTERPRISE.lower()}",
            f"代码{OTHER_CODE}",
            "电话138 0013 8000",
            f"与{NAME[:2]} {NAME[2:]}核实",
            f"与{NAME[:2]}\u200b{NAME[2:]}核实",
            f"登记为{OTHER_NAME}",
        ],
    )
    async def test_a_reason_names_nobody(self, room: LicencesRoom, reason: str) -> None:
        task = await looked_at(room)
        with pytest.raises(ReasonTellsPerson):
            await room.reviews.settle(task.task_id, settlement("rejected", reason=reason), CALLER)
        assert (await room.reviews.find(task.task_id)).state is ReviewState.OPEN

    async def test_what_does_not_exist(self, room: LicencesRoom) -> None:
        for attempt in (
            room.reviews.find("rev_none"),
            room.reviews.look("rev_none", OFFICER, CALLER),
            room.reviews.settle("rev_none", settlement(), CALLER),
            room.reviews.of_intake("int_none", an_applicant().holder_digest),
        ):
            with pytest.raises(ReviewUnknown):
                await attempt
        assert [each["subject"] for each in await room.entries("review.settled")] == [None]

    async def test_another_applicants_review_is_not_there(self, room: LicencesRoom) -> None:
        fuzzy(room)
        task = await opened(room)
        with pytest.raises(ReviewUnknown):
            await room.reviews.of_intake(task.intake_id, "somebody-else")
        assert await room.reviews.of_holder("somebody-else") == []


class TestJudgedAnew:
    async def test_a_certificate_that_was_revoked_since_is_not_accepted(self, room: LicencesRoom) -> None:
        task = await looked_at(room)
        province().statuses[1] = 1
        room.clock.advance(minutes=10)
        with pytest.raises(ReviewOutdated) as caught:
            await room.reviews.settle(task.task_id, settlement(), CALLER)
        assert set(caught.value.documents) == {LICENCE, RIGHT}
        assert (await room.reviews.find(task.task_id)).state is ReviewState.OPEN
        assert await mine(room) == []
        assert (await room.reviews.settle(task.task_id, settlement("rejected"), CALLER)).task.state == "rejected"

    async def test_one_that_was_replaced_since_is_not_what_was_confirmed(self, room: LicencesRoom) -> None:
        task = await looked_at(room)
        identifier = province().metadata(RIGHT)["ZZBS"].replace("20260000001", "20260000002")
        fuzzy(room, ZZBS=identifier)
        room.clock.advance(days=1)
        with pytest.raises(ReviewOutdated) as caught:
            await room.reviews.settle(task.task_id, settlement(), CALLER)
        assert caught.value.documents == (RIGHT,)

    async def test_the_same_certificate_sealed_anew_is_the_same(self, room: LicencesRoom) -> None:
        task = await looked_at(room)
        fuzzy(room)
        room.clock.advance(days=1)
        assert (await room.reviews.settle(task.task_id, settlement(), CALLER)).submitted

    async def test_the_same_certificate_that_says_something_else_now_is_not(self, room: LicencesRoom) -> None:
        task = await looked_at(room)
        room.source.hold(RIGHT, province().envelope(RIGHT, KZ_QLR="别的名字", KZ_QLRZJH=CLERK.resident_identity_number))
        room.clock.advance(days=1)
        with pytest.raises(ReviewOutdated) as caught:
            await room.reviews.settle(task.task_id, settlement(), CALLER)
        assert caught.value.documents == ("holder",)

    async def test_a_rejection_waits_for_no_source(self, room: LicencesRoom) -> None:
        task = await looked_at(room)
        room.source.down = {TYPE_CODES[RIGHT], TYPE_CODES[LICENCE]}
        await room.transactions.write(
            lambda tx: [tx.certificate_copies.forget_holder(task.holder_digest, kind) for kind in (RIGHT, LICENCE)]
        )
        done = await room.reviews.settle(task.task_id, settlement("rejected", reason="登记信息无法对应"), CALLER)
        assert done.task.state is ReviewState.REJECTED

    async def test_a_source_that_is_down_settles_nothing(self, room: LicencesRoom) -> None:
        task = await looked_at(room)
        room.clock.advance(days=5)
        room.source.down = {TYPE_CODES[RIGHT]}
        with pytest.raises(ReviewNotVerifiable) as caught:
            await room.reviews.settle(task.task_id, settlement(), CALLER)
        assert caught.value.documents == (RIGHT,)
        room.source.down = set()
        assert (await room.reviews.settle(task.task_id, settlement(), CALLER)).submitted

    async def test_an_officer_is_told_what_cannot_be_had(self, room: LicencesRoom) -> None:
        fuzzy(room)
        task = await opened(room)
        room.clock.advance(days=5)
        room.source.down = {TYPE_CODES[RIGHT]}
        looked = await room.reviews.look(task.task_id, OFFICER, CALLER)
        assert looked.unavailable == (RIGHT,)
        assert looked.shown[0][1] == ()

    async def test_a_utility_that_went_away_is_not_written_to(self, room: LicencesRoom) -> None:
        task = await looked_at(room)
        room.partners.partners.clear()
        with pytest.raises(GatewayError, match="no-utility"):
            await room.reviews.settle(task.task_id, settlement(), CALLER)
        assert (await room.reviews.find(task.task_id)).state is ReviewState.OPEN


class TestEndings:
    async def test_dropped_the_task_ends(self, room: LicencesRoom) -> None:
        task = await looked_at(room)
        await room.intakes.drop(an_applicant(), task.intake_id)
        assert (await room.reviews.find(task.task_id)).state is ReviewState.WITHDRAWN
        assert await room.copies(RIGHT) == 0
        with pytest.raises(ReviewSettled):
            await room.reviews.settle(task.task_id, settlement(), CALLER)

    async def test_nobody_came_in_time(self, room: LicencesRoom) -> None:
        task = await looked_at(room)
        room.clock.advance(days=14, hours=23)
        assert await room.intakes.purge_expired() == 0
        room.clock.advance(hours=1)
        with pytest.raises(ReviewSettled):
            await room.reviews.settle(task.task_id, settlement(), CALLER)
        assert await room.intakes.purge_expired() == 1
        told = await room.reviews.of_intake(task.intake_id, an_applicant().holder_digest)
        assert told.status == "expired"
        assert "12345" in (told.next_step or "")
        assert await room.copies(RIGHT) == 0
        (entry,) = await room.entries("intake.expired")
        assert entry["facts"]["review"] == task.task_id

    async def test_a_holder_has_a_bounded_number_of_intakes(self, room: LicencesRoom) -> None:
        views = [await room.intakes.begin(an_applicant(), ONE, SHOP) for _ in range(MOST_OPEN)]
        asked = len(room.source.queries)
        with pytest.raises(TooManyIntakes):
            await room.intakes.begin(an_applicant(), ONE, SHOP)
        assert len(room.source.queries) == asked
        await room.intakes.drop(an_applicant(), views[0].intake_id)
        assert await room.intakes.begin(an_applicant(), ONE, SHOP)
        room.clock.advance(minutes=31)
        assert await room.intakes.begin(an_applicant(), ONE, SHOP)


class TestAgents:
    def agent(self, authorisation: str | None) -> VerifiedApplicant:
        return replace(
            an_applicant(),
            person_name=CLERK.name,
            person_code=CLERK.resident_identity_number,
            role=ActingRole.AGENT,
            authorisation=authorisation,
        )

    @pytest.fixture(autouse=True)
    def licence_with_number(self, room: LicencesRoom) -> None:
        room.source.hold(LICENCE, province().envelope(KZ_FDDBRZJH=BOSS.resident_identity_number))

    async def test_authorised_by_the_representative_it_is_sent(self, room: LicencesRoom) -> None:
        signed = an_authorisation(BOSS, CLERK, ENTERPRISE, AT)
        view = await room.intakes.begin(self.agent(signed), ONE, SHOP)
        assert outcomes(view)["agent"] == ("consistent", "equal")
        made = await room.intakes.confirm(self.agent(signed), view.intake_id, confirmation())
        assert isinstance(made, Submitted)
        (entry,) = await room.entries("intake.previewed")
        assert entry["facts"]["agent_authorisation_sha256"]

    @pytest.mark.parametrize(
        ("signer", "changes", "reason"),
        [
            (CLERK, {}, "other_representative"),
            (BOSS, {"agent_code": BOSS.resident_identity_number}, "other_agent"),
            (BOSS, {"matter": "用电过户"}, "other_matter"),
            (BOSS, {"exp": int(AT.timestamp()) - 3600}, "authorisation_expired"),
        ],
    )
    async def test_one_that_is_not_for_this_is_refused(
        self, room: LicencesRoom, signer: VerifiedPerson, changes: dict[str, Any], reason: str
    ) -> None:
        agent = self.agent(an_authorisation(signer, CLERK, ENTERPRISE, AT, **changes))
        view = await room.intakes.begin(agent, ONE, SHOP)
        assert outcomes(view)["agent"] == ("contradiction", reason)
        with pytest.raises(CertificatesContradict) as caught:
            await room.intakes.confirm(agent, view.intake_id, confirmation())
        assert caught.value.check == "consistency.agent"
        assert caught.value.documents == ("法定代表人签署的经办授权", "市场监督管理部门的营业执照")

    async def test_without_one_an_officer_decides(self, room: LicencesRoom) -> None:
        agent = self.agent(None)
        task = await opened(room, agent)
        assert [each.reason for each in task.findings] == ["authorisation_missing"]
        await room.reviews.look(task.task_id, OFFICER, CALLER)
        assert (await room.reviews.settle(task.task_id, settlement(), CALLER)).submitted

    async def test_one_that_ran_out_during_the_review_is_not_accepted(self, room: LicencesRoom) -> None:
        until = int((AT + timedelta(days=1)).timestamp())
        fuzzy(room)
        task = await opened(room, self.agent(an_authorisation(BOSS, CLERK, ENTERPRISE, AT, exp=until)))
        await room.reviews.look(task.task_id, OFFICER, CALLER)
        room.clock.advance(days=2)
        with pytest.raises(ReviewOutdated) as caught:
            await room.reviews.settle(task.task_id, settlement(), CALLER)
        assert caught.value.documents == ("agent",)


class TestResidents:
    NUMBER = make_resident_identity_number("440106", date(1951, 2, 3), 12)
    FORMER = NUMBER[:6] + NUMBER[8:17]
    PERSON = {"CZZT": "陈安", "CZZTDMLX": "公民身份号码", "CZZTDMLXDM": "111"}
    HOME = replace(SHOP, voltage_v=220, capacity_kw=8.0, purpose="住宅用电")

    async def test_a_home_under_the_former_number_is_theirs(self, room: LicencesRoom) -> None:
        held = {"resident_id": self.NUMBER, RIGHT: self.FORMER}
        for kind, code in held.items():
            room.source.hold(kind, province().envelope(kind, **self.PERSON, CZZTDM=code), holder=self.NUMBER)
        resident = replace(
            an_applicant(self.NUMBER, "陈安"),
            applicant_kind=ApplicantKind.RESIDENT,
            method=VerificationMethod.SMS_OTP,
            person_name="陈安",
            person_code=self.NUMBER,
            role=None,
        )
        view = await room.intakes.begin(resident, IntakeKind.FACE_VERIFIED, self.HOME)
        assert outcomes(view) == {"holder": ("consistent", "historic_number"), "identity": ("consistent", "equal")}
        right = next(each for each in view.documents if each.document == RIGHT).certificates[0]
        assert right.summary["持证主体代码"] == self.FORMER
        assert isinstance(await room.intakes.confirm(resident, view.intake_id, confirmation()), Submitted)


class TestAtOnce:
    async def test_two_officers_at_once_settle_it_once(self, room: LicencesRoom) -> None:
        task = await looked_at(room)
        await room.reviews.look(task.task_id, "gd-2", CALLER)
        answers = await asyncio.gather(
            room.reviews.settle(task.task_id, settlement(), CALLER),
            room.reviews.settle(task.task_id, settlement("rejected", officer="gd-2"), CALLER),
            return_exceptions=True,
        )
        assert {type(answer) for answer in answers} == {SettledReview, ReviewSettled}
        settled = next(answer for answer in answers if isinstance(answer, SettledReview))
        assert len(await mine(room)) == (1 if settled.task.state is ReviewState.ACCEPTED else 0)

    @pytest.mark.parametrize("after", ["settle", "submit"])
    async def test_a_crash_in_between_leaves_everything_as_it_was(
        self, room: LicencesRoom, monkeypatch: pytest.MonkeyPatch, after: str
    ) -> None:
        task = await looked_at(room)

        def crash(*_: Any, **__: Any) -> Any:
            raise RuntimeError("the process died here")

        with monkeypatch.context() as patched:
            if after == "settle":
                patched.setattr(reviews_module, "submit", crash)
            else:
                patched.setattr(type(room.reviews), "_record", crash, raising=False)
                patched.setattr(reviews_module, "_record", crash, raising=False)
            with pytest.raises(RuntimeError):
                await room.reviews.settle(task.task_id, settlement(), CALLER)
        assert (await room.reviews.find(task.task_id)).state is ReviewState.OPEN
        assert await mine(room) == []
        assert await room.transactions.read(lambda tx: list(tx.deliveries.feed(UTILITY, 0, 10))) == []
        assert await room.entries("application.submitted") == []
        assert (await room.reviews.settle(task.task_id, settlement(), CALLER)).submitted


def both_have_read_before(monkeypatch: pytest.MonkeyPatch, repository: type, method: str) -> None:
    """From now on two must have come as far as ``method`` before either goes on."""
    both, write = Barrier(2, timeout=20), getattr(repository, method)

    def together(self: object, *wanted: Any) -> Any:
        both.wait()
        return write(self, *wanted)

    monkeypatch.setattr(repository, method, together)


async def test_two_gateways_at_once_settle_it_once(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    with databases.postgresql() as url, licences_room(url) as one, licences_room(url) as two:
        for _ in range(100):
            two.reviews._make_id("another gateway's ids are others")
        task = await looked_at(one)
        fuzzy(two)
        both_have_read_before(monkeypatch, SqlReviews, "settle")
        answers = await asyncio.gather(
            *(each.reviews.settle(task.task_id, settlement(), CALLER) for each in (one, two)),
            return_exceptions=True,
        )
        assert {type(answer) for answer in answers} == {SettledReview, ReviewSettled}
        assert len(await mine(one)) == 1


async def test_confirmed_at_two_gateways_at_once_one_task_is_opened(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    with databases.postgresql() as url, licences_room(url) as one, licences_room(url) as two:
        for _ in range(100):
            two.reviews._make_id("another gateway's ids are others")
        fuzzy(one)
        fuzzy(two)
        view = await one.intakes.begin(an_applicant(), ONE, SHOP)
        with monkeypatch.context() as patched:
            both_have_read_before(patched, SqlIntakes, "put_under_review")
            first, second = await asyncio.gather(
                *(each.intakes.confirm(an_applicant(), view.intake_id, confirmation()) for each in (one, two))
            )
        assert isinstance(first, ReviewOpened)
        assert isinstance(second, ReviewOpened)
        assert first.task.task_id == second.task.task_id
        assert len(await one.reviews.listed(None, 9)) == 1
        assert len(await one.entries("review.opened")) == 1


async def test_dropped_and_accepted_at_once_is_one_or_the_other(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    with databases.postgresql() as url, licences_room(url) as one, licences_room(url) as two:
        task = await looked_at(one)
        both_have_read_before(monkeypatch, SqlReviews, "settle")
        answers = await asyncio.gather(
            one.reviews.settle(task.task_id, settlement(), CALLER),
            two.intakes.drop(an_applicant(), task.intake_id),
            return_exceptions=True,
        )
        state = (await one.reviews.find(task.task_id)).state
        if isinstance(answers[0], SettledReview):
            assert isinstance(answers[1], IntakeUnknown)
            assert (state, len(await mine(one))) == (ReviewState.ACCEPTED, 1)
        else:
            assert isinstance(answers[0], ReviewSettled)
            assert answers[1] is None
            assert (state, len(await mine(one))) == (ReviewState.WITHDRAWN, 0)
