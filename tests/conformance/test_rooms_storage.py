"""Repositories of applications, intakes, authorisations, sessions and certificate copies, on both databases."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import IntegrityError

from adapters.storage.transactions import SqlTransactions
from gateway.applications.customer_classes import Area, CustomerClass
from gateway.applications.lifecycle import Lifecycle, LifecycleStatus, StageAction, StageEvent, apply
from gateway.applications.model import ApplicationDocument, Demand
from gateway.applications.stages import Stage
from gateway.authorisations.model import Authorisation
from gateway.certificates.named_persons import OthersNamed
from gateway.certificates.ports import CertificateCopy
from gateway.certificates.verdicts import Verdict
from gateway.identity.model import SessionStatus, VerificationSession, VerifiedApplicant
from gateway.records.entries import RecordEntry
from gateway.retention.policies import Kept, RetentionPolicy
from schemas.identity import ActingRole, ApplicantKind, ProviderFailure, VerificationMethod
from tests.support.approvals import A_PARTY, an_application
from tests.support.storage import NOON, SetClock, opened

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def storage(database_url: str) -> Iterator[SqlTransactions]:
    with opened(database_url, SetClock()) as transactions:
        yield transactions


async def removed(storage: SqlTransactions, what: Kept, before: datetime, kind: str | None = None) -> int:
    """What a policy of that kind counts, and then removes."""
    policy = RetentionPolicy(what, "", "", timedelta(), "", kind)
    due = await storage.read(lambda tx: tx.removal.due(policy, before))
    gone = await storage.write(lambda tx: tx.removal.remove(policy, before, before, 100))
    assert gone == due
    return gone


DOCUMENTS = (
    ApplicationDocument("business_licence", "营业执照", Verdict.VALID, "gd", NOON, "a" * 64, "b" * 64),
    ApplicationDocument("property_certificate", "不动产权证书", None, None, None, None, "c" * 64),
)


class TestApplications:
    async def test_an_application_is_found_as_it_was_added(self, storage: SqlTransactions) -> None:
        application = an_application(
            documents=DOCUMENTS,
            received_at=NOON + timedelta(microseconds=123_457),
            demand=Demand("440106001002", 380, 80.25, 1, Area.RURAL, "农家乐\u0000“引号”", small_and_micro=True),
        )
        await storage.write(lambda tx: tx.applications.add(application, A_PARTY))
        assert await storage.read(lambda tx: tx.applications.find("app_1")) == application
        assert await storage.write(lambda tx: tx.applications.find_for_change("app_1")) == application
        assert await storage.read(lambda tx: tx.applications.party("app_1")) == A_PARTY

    async def test_what_was_never_added_is_none(self, storage: SqlTransactions) -> None:
        assert await storage.read(lambda tx: tx.applications.find("app_9")) is None
        assert await storage.read(lambda tx: tx.applications.party("app_9")) is None
        assert await storage.write(lambda tx: tx.applications.find_for_change("app_9")) is None

    async def test_an_id_is_added_once_and_a_failed_unit_leaves_nothing(self, storage: SqlTransactions) -> None:
        await storage.write(lambda tx: tx.applications.add(an_application(), A_PARTY))

        def two(tx: Any) -> None:
            tx.applications.add(an_application("app_2"), A_PARTY)
            tx.applications.add(an_application("app_1", utility="another"), A_PARTY)

        with pytest.raises(IntegrityError):
            await storage.write(two)
        assert await storage.read(lambda tx: tx.applications.find("app_2")) is None
        kept = await storage.read(lambda tx: tx.applications.find("app_1"))
        assert kept is not None
        assert kept.utility == an_application().utility

    async def test_the_lifecycle_moves_on_alone(self, storage: SqlTransactions) -> None:
        application = an_application(lifecycle=Lifecycle(CustomerClass.HV_DUAL, NOON - timedelta(days=2)))
        await storage.write(lambda tx: tx.applications.add(application, A_PARTY))
        started = apply(application.lifecycle, StageEvent(StageAction.STARTED, NOON, Stage.ACCEPTANCE), NOON)
        paused = apply(started, StageEvent(StageAction.PAUSED, NOON, Stage.ACCEPTANCE, "补正"), NOON + MINUTE)
        await storage.write(lambda tx: tx.applications.put_lifecycle("app_1", paused))
        found = await storage.read(lambda tx: tx.applications.find("app_1"))
        assert found == replace(application, lifecycle=paused)
        assert found.lifecycle.status is LifecycleStatus.PAUSED

    async def test_lists_are_ones_own_the_newest_first_and_bounded(self, storage: SqlTransactions) -> None:
        def add(tx: Any) -> None:
            for number in range(5):
                received_at = NOON + MINUTE * number
                holder = "1" * 64 if number % 2 else "2" * 64
                utility = "csg-guangzhou" if number != 2 else "csg-foshan"
                tx.applications.add(
                    an_application(f"app_{number}", received_at=received_at, holder_digest=holder, utility=utility),
                    A_PARTY,
                )

        await storage.write(add)

        def ids(tx: Any) -> tuple[list[str], list[str], list[str]]:
            repository = tx.applications
            lists = (
                repository.of_utility("csg-guangzhou", 3),
                repository.of_holder("2" * 64, 50),
                repository.of_holder("3" * 64, 50),
            )
            utility, holder, nobody = ([each.application_id for each in some] for some in lists)
            return utility, holder, nobody

        assert await storage.read(ids) == (["app_4", "app_3", "app_1"], ["app_4", "app_2", "app_0"], [])

    async def test_a_stage_event_is_known_by_application_and_id(self, storage: SqlTransactions) -> None:
        await storage.write(lambda tx: tx.applications.add(an_application(), A_PARTY))
        await storage.write(lambda tx: tx.stage_events.add("app_1", "ev-1", "d" * 64, "log-1", NOON))
        assert await storage.read(lambda tx: tx.stage_events.find("app_1", "ev-1")) == ("d" * 64, "log-1")
        assert await storage.read(lambda tx: tx.stage_events.find("app_2", "ev-1")) is None
        with pytest.raises(IntegrityError):
            await storage.write(lambda tx: tx.stage_events.add("app_1", "ev-1", "e" * 64, "log-2", NOON))


class TestIntakes:
    BODY = {"party": {"name": "测试\u0000"}, "documents": [{"valid": {}}], "n": 1.5}

    async def test_found_by_its_holder_until_it_expires(self, storage: SqlTransactions) -> None:
        await storage.write(lambda tx: tx.intakes.add("int_1", "holder", NOON, self.BODY))
        assert await storage.read(lambda tx: tx.intakes.find("int_1", "holder", NOON - MINUTE)) == self.BODY
        assert await storage.read(lambda tx: tx.intakes.find("int_1", "another", NOON - MINUTE)) is None
        assert await storage.read(lambda tx: tx.intakes.find("int_1", "holder", NOON)) is None

    async def test_removed_once(self, storage: SqlTransactions) -> None:
        await storage.write(lambda tx: tx.intakes.add("int_1", "holder", NOON, self.BODY))
        assert await storage.write(lambda tx: tx.intakes.remove("int_1"))
        assert not await storage.write(lambda tx: tx.intakes.remove("int_1"))
        assert await storage.read(lambda tx: tx.intakes.find("int_1", "holder", NOON - MINUTE)) is None

    async def test_the_expired_come_oldest_first_and_so_many_at_once(self, storage: SqlTransactions) -> None:
        def add(tx: Any) -> None:
            for number in (3, 1, 2, 9):
                tx.intakes.add(f"int_{number}", "holder", NOON + MINUTE * number, {"number": number})

        await storage.write(add)
        at = NOON + MINUTE * 3
        found = await storage.read(lambda tx: list(tx.intakes.expired(at, 2)))
        assert found == [("int_1", "holder"), ("int_2", "holder")]
        assert [each[0] for each in await storage.read(lambda tx: tx.intakes.expired(at, 9))] == [
            "int_1",
            "int_2",
            "int_3",
        ]


def an_authorisation(**changes: Any) -> Authorisation:
    own: dict[str, Any] = {
        "authorisation_id": "auth_1",
        "application_id": "app_1",
        "utility": "csg-guangzhou",
        "kinds": frozenset({"business_licence", "property_certificate"}),
        "purposes": frozenset({"grid_connection"}),
        "holder_digest": "1" * 64,
        "statement_digest": "2" * 64,
        "granted_at": NOON,
        "until": NOON + timedelta(days=180),
    }
    return Authorisation(**(own | changes))


class TestAuthorisations:
    async def test_found_by_its_application_as_it_was_added(self, storage: SqlTransactions) -> None:
        await storage.write(lambda tx: tx.authorisations.add(an_authorisation()))
        assert await storage.read(lambda tx: tx.authorisations.of_application("app_1")) == an_authorisation()
        assert await storage.read(lambda tx: tx.authorisations.of_application("app_2")) is None

    async def test_an_application_has_one(self, storage: SqlTransactions) -> None:
        await storage.write(lambda tx: tx.authorisations.add(an_authorisation()))
        with pytest.raises(IntegrityError):
            await storage.write(lambda tx: tx.authorisations.add(an_authorisation(authorisation_id="auth_2")))

    async def test_withdrawn_once_and_the_first_time_stands(self, storage: SqlTransactions) -> None:
        await storage.write(lambda tx: tx.authorisations.add(an_authorisation()))
        assert await storage.write(lambda tx: tx.authorisations.withdraw("auth_1", NOON + MINUTE))
        assert not await storage.write(lambda tx: tx.authorisations.withdraw("auth_1", NOON + MINUTE * 2))
        found = await storage.read(lambda tx: tx.authorisations.of_application("app_1"))
        assert found == an_authorisation(withdrawn_at=NOON + MINUTE)

    async def test_nobody_withdraws_what_is_in_use(self, storage: SqlTransactions, database_url: str) -> None:
        await storage.write(lambda tx: tx.authorisations.add(an_authorisation()))

        def use(tx: Any) -> bool:
            assert tx.authorisations.of_application_for_use("app_1") == an_authorisation()
            return withdrawn_beside(database_url)

        assert await storage.write(use) is False
        assert withdrawn_beside(database_url) is True


def withdrawn_beside(database_url: str) -> bool:
    """Whether another connection could withdraw every authorisation just now, without waiting."""
    change = "UPDATE authorisations SET statement_digest = 'x'"
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.split(":///", 1)[1], timeout=0.1)) as beside:
            try:
                beside.execute(change)
            except sqlite3.OperationalError:
                return False
            return True
    with psycopg.connect(database_url, autocommit=True) as beside_there:
        beside_there.execute("SET lock_timeout = '100ms'")
        try:
            beside_there.execute(change)
        except psycopg.errors.LockNotAvailable:
            return False
        return True


APPLICANT = VerifiedApplicant(
    ApplicantKind.ENTERPRISE,
    VerificationMethod.E_LICENCE,
    "测试公司",
    "0" * 18,
    "测试人",
    "1" * 18,
    ActingRole.AGENT,
    "3" * 64,
)


def a_session(number: int = 1, **changes: Any) -> VerificationSession:
    own: dict[str, Any] = {
        "session_id": f"ses_{number}",
        "applicant_kind": ApplicantKind.ENTERPRISE,
        "method": VerificationMethod.E_LICENCE,
        "state_digest": f"state-{number}",
        "token_digest": f"token-{number}",
        "nonce": "nonce",
        "code_verifier": "verifier",
        "opened_at": NOON,
        "expires_at": NOON + MINUTE * 30,
    }
    return VerificationSession(**(own | changes))


class TestSessions:
    async def test_found_by_state_and_by_token(self, storage: SqlTransactions) -> None:
        await storage.write(lambda tx: tx.sessions.add(a_session()))
        assert await storage.read(lambda tx: tx.sessions.by_state("state-1")) == a_session()
        assert await storage.read(lambda tx: tx.sessions.by_token("token-1")) == a_session()
        assert await storage.read(lambda tx: tx.sessions.by_token("state-1")) is None

    @pytest.mark.parametrize(
        "changes",
        [
            {"status": SessionStatus.VERIFIED, "applicant": APPLICANT},
            {"status": SessionStatus.VERIFIED, "applicant": replace(APPLICANT, role=None)},
            {"status": SessionStatus.FAILED, "failure": ProviderFailure.LOCKED},
        ],
        ids=["verified", "for-oneself", "failed"],
    )
    async def test_kept_as_it_came_to_be(self, storage: SqlTransactions, changes: dict[str, Any]) -> None:
        await storage.write(lambda tx: tx.sessions.add(a_session()))
        await storage.write(lambda tx: tx.sessions.add(a_session(2)))
        await storage.write(lambda tx: tx.sessions.put(a_session(**changes)))
        assert await storage.read(lambda tx: tx.sessions.by_token("token-1")) == a_session(**changes)
        assert await storage.read(lambda tx: tx.sessions.by_token("token-2")) == a_session(2)

    @pytest.mark.parametrize("twice", [{"state_digest": "state-1"}, {"token_digest": "token-1"}])
    async def test_no_two_share_a_secret(self, storage: SqlTransactions, twice: dict[str, Any]) -> None:
        await storage.write(lambda tx: tx.sessions.add(a_session()))
        with pytest.raises(IntegrityError):
            await storage.write(lambda tx: tx.sessions.add(a_session(2, **twice)))

    async def test_removed_when_they_have_expired(self, storage: SqlTransactions) -> None:
        await storage.write(lambda tx: tx.sessions.add(a_session(1, applicant=APPLICANT, expires_at=NOON)))
        await storage.write(lambda tx: tx.sessions.add(a_session(2, expires_at=NOON + MINUTE)))
        assert await removed(storage, Kept.SESSIONS, NOON + MINUTE) == 1
        assert await storage.read(lambda tx: tx.sessions.by_token("token-1")) is None
        assert await storage.read(lambda tx: tx.sessions.by_token("token-2")) is not None


def a_copy(number: int = 1, **changes: Any) -> CertificateCopy:
    own: dict[str, Any] = {
        "kind": "business_licence",
        "holder_code": "0" * 18,
        "identifier": f"id-{number}",
        "envelope": bytes(range(256)),
        "source": "gd",
        "level": "440000",
        "fetched_at": NOON,
        "digest": f"{number}" * 64,
    }
    return CertificateCopy(**(own | changes))


class TestCertificateCopies:
    async def test_kept_byte_for_byte_by_kind_and_holder(self, storage: SqlTransactions) -> None:
        await storage.write(lambda tx: tx.certificate_copies.put(a_copy()))
        assert await storage.read(lambda tx: tx.certificate_copies.latest("business_licence", "0" * 18)) == [a_copy()]
        assert await storage.read(lambda tx: tx.certificate_copies.latest("resident_id", "0" * 18)) == []
        assert await storage.read(lambda tx: tx.certificate_copies.latest("business_licence", "1" * 18)) == []

    async def test_the_newest_fetch_alone_is_latest(self, storage: SqlTransactions) -> None:
        later = NOON + MINUTE
        for copy in (a_copy(1), a_copy(2), a_copy(3, fetched_at=later), a_copy(4, fetched_at=later)):
            await storage.write(lambda tx, copy=copy: tx.certificate_copies.put(copy))
        latest = await storage.read(lambda tx: tx.certificate_copies.latest("business_licence", "0" * 18))
        assert [each.identifier for each in latest] == ["id-3", "id-4"]

    async def test_the_same_bytes_again_only_move_the_time_on(self, storage: SqlTransactions) -> None:
        await storage.write(lambda tx: tx.certificate_copies.put(a_copy()))
        moved = a_copy(fetched_at=NOON + MINUTE, source="gz", level="440100")
        await storage.write(lambda tx: tx.certificate_copies.put(moved))
        assert await storage.read(lambda tx: tx.certificate_copies.latest("business_licence", "0" * 18)) == [moved]

    @pytest.mark.parametrize(
        ("after", "moves"), [(timedelta(0), False), (MINUTE - SECOND, False), (MINUTE, True), (-SECOND, True)]
    )
    async def test_had_again_within_a_step_they_keep_their_time(
        self, storage: SqlTransactions, after: timedelta, moves: bool
    ) -> None:
        kept, again = a_copy(), a_copy(fetched_at=NOON + after, source="gz")
        for copy in (kept, again):
            await storage.write(
                lambda tx, copy=copy: tx.certificate_copies.replace("business_licence", "0" * 18, [copy], MINUTE)
            )
        latest = await storage.read(lambda tx: tx.certificate_copies.latest("business_licence", "0" * 18))
        assert latest == [again if moves else kept]

    async def test_other_bytes_take_their_place_at_once(self, storage: SqlTransactions) -> None:
        for copies in ([a_copy(1)], [a_copy(2)], [a_copy(2), a_copy(3)], [a_copy(3)]):
            await storage.write(
                lambda tx, copies=copies: tx.certificate_copies.replace("business_licence", "0" * 18, copies, MINUTE)
            )
            latest = await storage.read(lambda tx: tx.certificate_copies.latest("business_licence", "0" * 18))
            assert latest == copies

    async def test_forgotten_whole_and_nobody_elses(self, storage: SqlTransactions) -> None:
        for copy in (a_copy(1), a_copy(2, kind="property_certificate"), a_copy(3, holder_code="1" * 18)):
            await storage.write(lambda tx, copy=copy: tx.certificate_copies.put(copy))
        assert await storage.write(lambda tx: tx.certificate_copies.forget("0" * 18)) == 2
        assert await storage.write(lambda tx: tx.certificate_copies.forget("0" * 18)) == 0
        assert await storage.read(lambda tx: tx.certificate_copies.latest("business_licence", "0" * 18)) == []
        assert await storage.read(lambda tx: tx.certificate_copies.latest("business_licence", "1" * 18)) != []

    async def test_one_kind_is_forgotten_alone(self, storage: SqlTransactions) -> None:
        for copy in (a_copy(), a_copy(kind="resident_id"), a_copy(holder_code="1" * 18)):
            await storage.write(lambda tx, copy=copy: tx.certificate_copies.put(copy))
        assert await storage.write(lambda tx: tx.certificate_copies.forget("0" * 18, "business_licence")) == 1
        for kind, holder, left in (("resident_id", "0" * 18, 1), ("business_licence", "1" * 18, 1)):
            assert len(await storage.read(lambda tx, k=kind, h=holder: tx.certificate_copies.latest(k, h))) == left

    async def test_what_is_too_old_is_forgotten_whosever_it_is(self, storage: SqlTransactions) -> None:
        for copy in (
            a_copy(fetched_at=NOON - MINUTE),
            a_copy(holder_code="1" * 18, fetched_at=NOON),
            a_copy(kind="resident_id", fetched_at=NOON - MINUTE),
        ):
            await storage.write(lambda tx, copy=copy: tx.certificate_copies.put(copy))
        assert await removed(storage, Kept.COPIES, NOON, "business_licence") == 1
        assert await removed(storage, Kept.COPIES, NOON, "business_licence") == 0
        assert await storage.read(lambda tx: tx.certificate_copies.latest("business_licence", "1" * 18)) != []
        assert await storage.read(lambda tx: tx.certificate_copies.latest("resident_id", "0" * 18)) != []


class TestAskedHolders:
    async def test_they_are_known_by_application_and_kind_and_added_once(self, storage: SqlTransactions) -> None:
        await storage.write(lambda tx: tx.applications.add(an_application(), A_PARTY))
        await storage.write(lambda tx: tx.asked_holders.add("app_1", "design_qualification", "d" * 64, NOON))
        await storage.write(lambda tx: tx.asked_holders.add("app_1", "design_qualification", "e" * 64, NOON))
        assert await storage.read(lambda tx: tx.asked_holders.of("app_1", "design_qualification")) == {
            "d" * 64,
            "e" * 64,
        }
        assert await storage.read(lambda tx: tx.asked_holders.of("app_1", "construction_qualification")) == frozenset()
        with pytest.raises(IntegrityError):
            await storage.write(lambda tx: tx.asked_holders.add("app_1", "design_qualification", "d" * 64, NOON))


class TestNamedPersons:
    @staticmethod
    async def naming(storage: SqlTransactions, person: str, *actions: str) -> list[tuple[str | None, str, str]]:
        found = await storage.read(lambda tx: tx.named_persons.entries_naming(person, actions))
        assert {each.label for each in found} <= {"粤0001"}
        return sorted((each.entry.subject, each.kind, each.content_digest[0]) for each in found)

    async def test_entries_are_found_by_person_and_action_alone(self, storage: SqlTransactions) -> None:
        both, one, nobody = (OthersNamed(tuple(each * 64 for each in who), "粤0001") for who in ("ab", "a", ""))
        for _ in range(2):
            await storage.write(lambda tx: tx.named_persons.add("app_1", "right", "c" * 64, both))
        await storage.write(lambda tx: tx.named_persons.add("app_2", "right", "d" * 64, one))
        await storage.write(lambda tx: tx.named_persons.add("app_3", "right", "d" * 64, nobody))
        for subject in ("app_1", "app_2", "app_3"):
            for action in ("seen", "done"):
                entry = RecordEntry(action, NOON, "csg", subject)
                await storage.write(lambda tx, entry=entry: tx.records.append(entry))
        assert await self.naming(storage, "a" * 64, "seen") == [("app_1", "right", "c"), ("app_2", "right", "d")]
        assert len(await self.naming(storage, "a" * 64, "seen", "done")) == 4
        assert await self.naming(storage, "b" * 64, "seen") == [("app_1", "right", "c")]
        assert await self.naming(storage, "e" * 64, "seen", "done") == []
        assert await self.naming(storage, "a" * 64, "never") == []


async def test_what_a_reader_writes_is_discarded(storage: SqlTransactions) -> None:
    await storage.read(lambda tx: tx.applications.add(an_application(), A_PARTY))
    assert await storage.read(lambda tx: tx.applications.find("app_1")) is None
