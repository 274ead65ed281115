"""What changes at the source reaches the application and the utility, once, on both databases."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.applications.model import IntakeKind
from gateway.certificates.verdicts import Verdict
from gateway.errors import Overloaded
from gateway.rechecks.model import Reason
from gateway.rechecks.pacing import UNSEEN_AGAIN
from schemas.partner_api import EndingRequest
from tests.support.ecertificates import AT, LIST_URI
from tests.support.licences import SECRETS, UTILITY, province
from tests.support.rechecks import (
    GOOD,
    LICENCE,
    LIMITS,
    POLL,
    PROPERTY,
    REVOKED,
    SUSPENDED,
    RechecksRoom,
    identifier,
    rechecks_room,
)


@pytest.fixture
def room(database_url: str) -> Iterator[RechecksRoom]:
    with rechecks_room(database_url) as made:
        yield made


def ordered(status: int) -> None:
    """What the status list says of every certificate from now on."""
    province().statuses[1] = status


class TestStageBoundaries:
    async def test_each_boundary_looks_at_every_certificate_and_tells_nothing_where_nothing_changed(
        self, room: RechecksRoom
    ) -> None:
        application_id = await room.apply()
        assert await room.waiting() == 0
        asked = len(room.licences.source.queries)
        await room.hear(application_id, "sign_up", "started")
        await room.hear(application_id, "sign_up", "completed")
        assert await room.waiting() == 2, "each certificate is asked for once, however many boundaries were passed"
        assert await room.work() == 2
        assert len(room.licences.source.queries) == asked + 2, "the source is asked, whatever copy is at hand"
        assert (await room.told(), await room.waiting()) == ([], 0)
        assert len(await room.licences.entries("certificate.rechecked")) == 2

    async def test_a_revocation_is_told_once_with_whose_turn_it_is_and_no_value(self, room: RechecksRoom) -> None:
        application_id = await room.apply()
        room.later(days=1)
        ordered(REVOKED)
        for stage, action in (("sign_up", "started"), ("sign_up", "completed"), ("construction", "started")):
            await room.hear(application_id, stage, action)
            await room.work()
        told = await room.told()
        assert sorted((each.kind, each.change, each.check) for each in told) == [
            (LICENCE, "revoked", "status.revoked"),
            (PROPERTY, "revoked", "status.revoked"),
        ]
        licence, _ = sorted(told, key=lambda each: each.kind)
        assert (licence.verdict, licence.found_by, licence.source) == ("invalid", "stage", "gd-platform")
        assert (licence.owner, bool(licence.remedy)) == ("政府", True)
        assert licence.as_of > AT + timedelta(days=1)
        said = "".join(str(event.data) for event in await room.events())
        assert not [secret for secret in SECRETS if secret in said]
        document = await room.document(application_id)
        assert (document.verdict, document.check, document.as_of) == (Verdict.INVALID, "status.revoked", licence.as_of)
        assert len(await room.licences.entries("certificate.changed")) == 2

    async def test_told_again_only_when_it_is_reinstated(self, room: RechecksRoom) -> None:
        application_id = await room.apply()
        for status in (SUSPENDED, SUSPENDED, GOOD, GOOD, SUSPENDED):
            room.later(days=1)
            ordered(status)
            await room.service.recheck(application_id, LICENCE)
        assert [each.change for each in await room.told()] == ["suspended", "reinstated", "suspended"]
        assert [event.sequence for event in await room.events()] == [2, 3, 4], "after application.submitted, no gap"

    async def test_a_new_version_is_told_and_what_the_application_rests_on_follows(self, room: RechecksRoom) -> None:
        application_id = await room.apply()
        before = await room.document(application_id)
        room.later(days=1)
        room.replace(LICENCE, ZZBS=identifier(LICENCE, "002"))
        await room.stage(application_id)
        await room.work()
        (told,) = await room.told()
        after = await room.document(application_id)
        assert (told.change, told.verdict, told.check) == ("new_version", "valid", None)
        assert (before.version, after.version) == ("001", "002")
        assert (told.identifier_digest, told.content_digest) == (after.identifier_digest, after.content_digest)
        assert told.identifier_digest != before.identifier_digest
        answer = await room.licences.ask(application_id, LICENCE)
        assert answer.verdict == "valid"

    async def test_what_the_source_has_no_more_is_told_as_transferred(self, room: RechecksRoom) -> None:
        application_id = await room.apply()
        room.later(days=1)
        room.licences.source.hold(PROPERTY)
        await room.stage(application_id)
        await room.work()
        (told,) = await room.told()
        assert (told.kind, told.change, told.check) == (PROPERTY, "transferred", "certificate.no_longer_held")
        room.replace(PROPERTY)
        room.later(days=1)
        await room.service.recheck(application_id, PROPERTY)
        assert [each.change for each in await room.told()] == ["transferred", "reinstated"]

    async def test_another_property_is_no_substitute_for_the_one_that_is_gone(self, room: RechecksRoom) -> None:
        application_id = await room.apply()
        room.later(days=1)
        room.replace(PROPERTY, ZZBS=identifier(PROPERTY, serial="20260000099"))
        await room.service.recheck(application_id, PROPERTY)
        assert [each.change for each in await room.told()] == ["transferred"]

    async def test_a_document_that_was_only_declared_is_nothing_to_look_at(self, room: RechecksRoom) -> None:
        room.licences.source.hold(PROPERTY)
        upload = [{"document": PROPERTY, "file_name": "房产证.pdf", "sha256": "ab" * 32}]
        application_id = (await room.licences.apply(declared=upload)).application.application_id
        await room.stage(application_id)
        assert await room.waiting() == 1
        assert (await room.service.recheck(application_id, PROPERTY)).document is None


class TestUnknown:
    async def test_a_source_that_is_down_decides_nothing_and_is_asked_again_later_and_later(
        self, room: RechecksRoom
    ) -> None:
        application_id = await room.apply()
        ordered(REVOKED)
        room.licences.source.down = {query.type_code for query in room.licences.source.queries}
        await room.stage(application_id)
        waits = []
        for _ in range(6):
            assert await room.work() == 2
            due_at = (await room.transactions.read(lambda tx: tx.recheck_queue.state())).oldest_due_at
            waits.append((due_at - room.clock()).total_seconds())
            room.later(seconds=2 * waits[-1])
        assert all(7.5 * 2**attempt <= wait <= 15 * 2**attempt for attempt, wait in enumerate(waits))
        assert await room.told() == []
        document = await room.document(application_id)
        assert document.verdict is Verdict.VALID
        looks = await room.transactions.read(lambda tx: tx.application_certificates.looks(application_id))
        assert {(look.verdict, look.check) for look in looks.values()} == {("indeterminate", "source.down")}
        assert (await room.transactions.read(lambda tx: tx.recheck_queue.state())).undecided == 2

        room.licences.source.down = set()
        room.later(hours=1)
        await room.work()
        assert {each.change for each in await room.told()} == {"revoked"}
        assert await room.waiting() == 0

    async def test_a_status_source_that_is_down_never_turns_into_revoked_nor_revoked_into_valid(
        self, room: RechecksRoom
    ) -> None:
        application_id = await room.apply()
        room.later(days=1)
        ordered(REVOKED)
        await room.service.recheck(application_id, LICENCE)
        room.later(days=20)
        room.licences.status.down.add(LIST_URI)
        concluded = await room.service.recheck(application_id, LICENCE)
        assert concluded.undecided is not None
        assert [each.change for each in await room.told()] == ["revoked"]
        assert (await room.document(application_id)).check == "status.revoked"

    async def test_a_seal_damaged_on_the_way_is_looked_at_again_and_not_told(self, room: RechecksRoom) -> None:
        application_id = await room.apply()
        room.later(days=1)
        whole = province().envelope()
        room.licences.source.hold(LICENCE, whole[:-8] + b"AAAAAAAA")
        await room.stage(application_id)
        await room.work()
        assert (await room.told(), await room.waiting()) == ([], 1)
        room.licences.source.hold(LICENCE, whole)
        room.later(minutes=5)
        await room.work()
        assert (await room.told(), await room.waiting()) == ([], 0)


class TestWhoseCertificates:
    async def test_without_the_applicants_authorisation_nobodys_certificates_are_looked_at(
        self, room: RechecksRoom
    ) -> None:
        application_id = await room.apply()
        await room.stage(application_id)
        await room.transactions.write(
            lambda tx: tx.authorisations.withdraw(
                tx.authorisations.of_application(application_id).authorisation_id, room.clock()
            )
        )
        asked = len(room.licences.source.queries)
        ordered(REVOKED)
        await room.work()
        assert len(room.licences.source.queries) == asked
        assert (await room.told(), await room.waiting()) == ([], 0)
        assert room.results[0][1] == "ended"

    async def test_withdrawn_while_it_was_looked_at_nothing_is_told(self, room: RechecksRoom) -> None:
        application_id = await room.apply()
        ordered(REVOKED)
        look = await room.service.look(application_id, LICENCE, room.later(days=1))
        await room.transactions.write(
            lambda tx: tx.authorisations.withdraw(
                tx.authorisations.of_application(application_id).authorisation_id, room.clock()
            )
        )
        await room.transactions.write(
            lambda tx: room.service.conclude(tx, application_id, LICENCE, look, Reason.SWEEP, "evt_x")
        )
        assert await room.told() == []

    async def test_a_closed_application_rests(self, room: RechecksRoom) -> None:
        application_id = await room.apply()
        await room.stage(application_id)
        ending = EndingRequest(event_id="end-1", claimed_at=room.later(minutes=1), reason="申请人未缴费")
        await room.licences.stages.end(UTILITY, application_id, ending)
        ordered(REVOKED)
        asked = len(room.licences.source.queries)
        await room.work()
        room.later(days=30)
        await room.sweeper().pass_once()
        room.feed.say(identifier(LICENCE), room.clock())
        await room.reader().read(room.feed)
        assert (await room.waiting(), len(room.licences.source.queries)) == (0, asked)

    async def test_copies_of_what_changed_are_dropped_in_the_same_commit(self, room: RechecksRoom) -> None:
        application_id = await room.apply()
        assert await room.licences.copies(LICENCE) == 1
        room.later(days=1)
        room.replace(LICENCE, ZZBS=identifier(LICENCE, "002"))
        await room.service.recheck(application_id, LICENCE)
        assert await room.licences.copies(LICENCE) == 0
        assert await room.licences.copies(PROPERTY) == 1
        room.licences.source.down = {query.type_code for query in room.licences.source.queries}
        answer = await room.licences.ask(application_id, LICENCE)
        assert answer.verdict == "indeterminate", "no answer rests on the older copy"

    async def test_two_applications_of_one_holder_are_each_told(self, room: RechecksRoom) -> None:
        first, second = await room.apply(), await room.apply()
        await room.reader().read(room.feed)
        room.later(days=1)
        ordered(SUSPENDED)
        room.feed.say(identifier(LICENCE), room.clock())
        assert await room.reader().read(room.feed) == 2
        await room.work()
        assert {(each.application_id, each.kind) for each in await room.told()} == {(first, LICENCE), (second, LICENCE)}


class TestTheQueue:
    async def test_two_workers_share_it_and_nothing_is_told_twice(self, room: RechecksRoom) -> None:
        applications = [await room.apply() for _ in range(6)]
        for application_id in applications:
            await room.stage(application_id)
        ordered(REVOKED)
        workers = [room.worker(owner) for owner in ("one", "two")]
        while any([await worker.pass_once() for worker in workers]):
            await asyncio.gather(*(worker.drain() for worker in workers))
        told = [(each.application_id, each.kind) for each in await room.told()]
        assert len(told) == len(set(told)) == 12

    async def test_a_dead_workers_lease_lapses_and_another_looks(self, room: RechecksRoom) -> None:
        application_id = await room.apply()
        await room.stage(application_id)
        ordered(REVOKED)
        now = room.clock()
        dead = await room.transactions.write(lambda tx: tx.recheck_queue.claim("dead", now, LIMITS.lease, 9))
        assert {claim.kind for claim in dead} == {LICENCE, PROPERTY}
        assert await room.work("heir") == 0
        room.later(seconds=LIMITS.lease.total_seconds() + 1)
        assert await room.work("heir") == 2
        assert len(await room.told()) == 2
        assert not await room.transactions.write(lambda tx: tx.recheck_queue.holds("dead", dead[0]))

    async def test_who_lost_the_lease_tells_nothing_even_if_they_looked_first(self, room: RechecksRoom) -> None:
        application_id = await room.apply()
        await room.stage(application_id)
        worker, reached, go_on = room.worker("slow"), asyncio.Event(), asyncio.Event()
        look = room.service.look

        async def slow(*args: object) -> object:
            found = await look(*args)  # type: ignore[arg-type]
            reached.set()
            await go_on.wait()
            return found

        room.service.look = slow  # type: ignore[method-assign,assignment]
        await worker.pass_once()
        await reached.wait()
        room.service.look = look  # type: ignore[method-assign]
        ordered(REVOKED)
        room.later(seconds=LIMITS.lease.total_seconds() + 1)
        assert await room.work("heir") == 2
        assert [each.change for each in await room.told()] == ["revoked", "revoked"]
        go_on.set()
        await worker.drain()
        assert len(await room.told()) == 2, "the older, better finding does not reinstate anything"
        assert ("business_licence", "lease_lost") in room.results

    async def test_a_commit_that_fails_tells_nothing_and_leaves_the_line(self, room: RechecksRoom) -> None:
        application_id = await room.apply()
        await room.stage(application_id)
        ordered(REVOKED)
        worker = room.worker()
        write = room.transactions.write

        async def lost(work: object) -> object:
            raise Overloaded(check="record.not_written", owner=None, remedy="")  # type: ignore[arg-type]

        assert await worker.pass_once() == 2
        room.transactions.write = lost
        await worker.drain()
        room.transactions.write = write
        assert await room.told() == []
        assert (await room.document(application_id)).verdict is Verdict.VALID
        room.later(seconds=LIMITS.lease.total_seconds() + 1)
        assert await room.work() == 2
        assert len(await room.told()) == 2

    async def test_asked_for_once_more_while_it_is_looked_at_it_is_looked_at_once_more(
        self, room: RechecksRoom
    ) -> None:
        application_id = await room.apply()
        await room.stage(application_id)
        claims = await room.transactions.write(lambda tx: tx.recheck_queue.claim("one", room.clock(), LIMITS.lease, 9))
        claim = next(each for each in claims if each.kind == LICENCE)
        at = room.later(seconds=3)
        await room.transactions.write(lambda tx: tx.recheck_queue.ask(application_id, LICENCE, Reason.FEED, at, at))
        await room.transactions.write(lambda tx: tx.recheck_queue.settle("one", claim, None))
        again = await room.transactions.write(lambda tx: tx.recheck_queue.claim("two", at, LIMITS.lease, 9))
        (once_more,) = [each for each in again if each.kind == LICENCE]
        assert (once_more.reason, once_more.asked_at, once_more.hinted_at) == (Reason.FEED, at, at)
        assert (once_more.attempt, once_more.generation) == (1, claim.generation + 1)

    async def test_a_cause_that_waits_is_not_forgotten_for_one_that_comes_later(self, room: RechecksRoom) -> None:
        application_id = await room.apply()
        first = room.clock()
        await room.transactions.write(
            lambda tx: tx.recheck_queue.ask(application_id, LICENCE, Reason.FEED, first, first)
        )
        later = room.later(minutes=1)
        await room.transactions.write(lambda tx: tx.recheck_queue.ask_at_stage(application_id, later))
        claims = await room.transactions.write(lambda tx: tx.recheck_queue.claim("one", later, LIMITS.lease, 9))
        assert [(each.kind, each.reason) for each in claims] == [(LICENCE, Reason.FEED), (PROPERTY, Reason.STAGE)]
        assert claims[0].asked_at == later, "evidence from before the later cause is too old"

    async def test_a_clock_that_ran_fast_and_was_put_back_stalls_nothing(self, room: RechecksRoom) -> None:
        application_id = await room.apply()
        room.later(days=3)
        await room.stage(application_id)
        await room.transactions.write(lambda tx: tx.recheck_queue.claim("dead", room.clock(), LIMITS.lease, 9))
        await room.sweeper().pass_once()
        room.clock.at = AT + timedelta(minutes=2)
        ordered(REVOKED)
        assert await room.work() == 2
        assert len(await room.told()) == 2


class TestTheFeed:
    async def test_it_begins_at_its_end_and_everything_open_is_looked_at(self, room: RechecksRoom) -> None:
        await room.apply()
        room.feed.say(identifier(LICENCE), AT - timedelta(days=9))
        assert await room.reader().read(room.feed) == 0
        assert await room.waiting() == 0
        assert await room.sweeper().pass_once() == 2, "what changed before the feed was first read is found"
        assert await room.reader().read(room.feed) is None, "it is not due again yet"

    async def test_a_hint_leads_to_a_look_and_is_not_believed(self, room: RechecksRoom) -> None:
        await room.apply()
        await room.reader().read(room.feed)
        room.later(minutes=5)
        room.feed.say(identifier(LICENCE), room.clock())
        room.feed.say(identifier(LICENCE, serial="20269999999"), room.clock())
        room.feed.say("not an identifier", room.clock())
        assert await room.reader().read(room.feed) == 1
        assert await room.work() == 1
        assert await room.told() == [], "the source says that it still holds"

    async def test_a_hint_at_any_version_finds_who_rests_on_the_certificate(self, room: RechecksRoom) -> None:
        await room.apply()
        await room.reader().read(room.feed)
        room.later(minutes=5)
        ordered(SUSPENDED)
        room.feed.say(identifier(LICENCE, "002"), room.clock())
        await room.reader().read(room.feed)
        await room.work()
        (told,) = await room.told()
        assert (told.change, told.found_by) == ("suspended", "feed")

    async def test_what_is_published_with_a_delay_is_looked_for_again(self, room: RechecksRoom) -> None:
        application_id = await room.apply()
        await room.reader().read(room.feed)
        room.later(minutes=5)
        room.feed.say(identifier(LICENCE), room.clock())
        await room.reader().read(room.feed)
        await room.work()
        assert (await room.told(), await room.waiting()) == ([], 1), "the list does not say so yet"
        ordered(REVOKED)
        room.later(seconds=UNSEEN_AGAIN[0].total_seconds() + 1)
        await room.work()
        assert [each.change for each in await room.told()] == ["revoked"]
        assert await room.waiting() == 0
        assert (await room.document(application_id)).check == "status.revoked"

    async def test_a_hint_that_never_shows_is_given_up_and_the_sweep_goes_on(self, room: RechecksRoom) -> None:
        await room.apply()
        await room.reader().read(room.feed)
        room.later(minutes=5)
        room.feed.say(identifier(LICENCE), room.clock() + timedelta(days=400))
        await room.reader().read(room.feed)
        looks = 0
        while await room.waiting():
            looks += await room.work()
            room.later(hours=7)
        assert looks == 1 + len(UNSEEN_AGAIN)
        assert await room.told() == []

    async def test_page_by_page_and_a_reader_that_dies_in_between_loses_nothing(self, room: RechecksRoom) -> None:
        await room.apply()
        await room.reader().read(room.feed)
        room.feed.page = 2
        room.later(minutes=5)
        for number in range(5):
            room.feed.say(identifier(LICENCE, serial=f"2026000010{number}"), room.clock())
        room.feed.say(identifier(PROPERTY), room.clock())
        reader = room.reader("dying")
        write, writes = room.transactions.write, 0

        async def dies(work: object) -> object:
            nonlocal writes
            writes += 1
            if writes > 2:  # the claim and the first page are committed
                raise KeyboardInterrupt
            return await write(work)

        room.transactions.write = dies
        with pytest.raises(KeyboardInterrupt):
            await reader.read(room.feed)
        room.transactions.write = write
        assert await room.waiting() == 0
        assert await room.reader("heir").read(room.feed) is None, "the lease is the dead one's for now"
        room.later(minutes=3)
        assert await room.reader("heir").read(room.feed) == 1
        assert room.feed.pulls[-3:] == ["2", "2", "4"], "the page that was not committed is pulled again"
        assert await room.waiting() == 1

    async def test_of_two_readers_one_reads(self, room: RechecksRoom) -> None:
        await room.apply()
        answers = await asyncio.gather(*(room.reader(str(owner)).read(room.feed) for owner in range(4)))
        assert sorted(str(answer) for answer in answers) == ["0", "None", "None", "None"]

    async def test_a_feed_that_is_down_is_pulled_again_and_its_lag_grows(self, room: RechecksRoom) -> None:
        await room.apply()
        await room.reader().read(room.feed)
        room.feed.down = True
        for _ in range(3):
            room.later(minutes=10)
            assert await room.reader().read(room.feed) is None
        (state,) = await room.transactions.read(lambda tx: tx.feed_positions.states())
        assert (state.failures, state.lag_s(room.clock())) == (3, 1800)
        ordered(REVOKED)
        room.feed.say(identifier(LICENCE), room.clock())
        room.feed.down = False
        room.later(minutes=10)
        assert await room.reader().read(room.feed) == 1
        (state,) = await room.transactions.read(lambda tx: tx.feed_positions.states())
        assert (state.failures, state.lag_s(room.clock())) == (0, 0)

    async def test_a_position_that_is_too_old_is_given_up_and_everything_open_is_looked_at(
        self, room: RechecksRoom
    ) -> None:
        await room.apply()
        await room.reader().read(room.feed)
        await room.sweeper().pass_once()
        await room.work()
        room.later(minutes=5)
        ordered(REVOKED)
        room.feed.say(identifier(LICENCE), room.clock())
        room.feed.kept_from = 1
        assert await room.reader().read(room.feed) == 0
        assert await room.sweeper().pass_once() == 2
        await room.work()
        assert {(each.change, each.found_by) for each in await room.told()} == {("revoked", "recheck")}
        room.later(minutes=5)
        await room.reader().read(room.feed)
        assert room.feed.pulls[-1] == "1", "it goes on from where the feed ended then"
        assert [each["facts"] for each in await room.licences.entries("feed.started")] == [
            {"source": "gd-platform"}
        ] * 2

    async def test_evidence_from_before_the_hint_is_too_old_to_decide_it(self, room: RechecksRoom) -> None:
        """A licence was just answered from a status list that is at hand for five minutes more."""
        application_id = await room.apply()
        await room.reader().read(room.feed)
        room.later(seconds=POLL.total_seconds() + 1)
        await room.licences.ask(application_id, LICENCE)
        ordered(REVOKED)
        room.feed.say(identifier(LICENCE), room.later(seconds=1))
        await room.reader().read(room.feed)
        await room.work()
        assert [each.change for each in await room.told()] == ["revoked"]


class TestTheSweep:
    async def test_what_was_not_looked_at_for_a_week_is(self, room: RechecksRoom) -> None:
        await room.apply()
        sweeper = room.sweeper()
        assert await sweeper.pass_once() == 0
        room.later(days=6, hours=23)
        assert await sweeper.pass_once() == 0
        room.later(hours=2)
        ordered(REVOKED)
        assert await sweeper.pass_once() == 2
        assert await sweeper.pass_once() == 0
        await room.work()
        assert {(each.change, each.found_by) for each in await room.told()} == {("revoked", "recheck")}
        room.later(days=8)
        ordered(GOOD)
        assert await sweeper.pass_once() == 2, "what is revoked may be reinstated"
        await room.work()
        assert [each.change for each in await room.told()][2:] == ["reinstated", "reinstated"]

    async def test_the_day_after_its_last_day_a_certificate_has_expired(self, room: RechecksRoom) -> None:
        room.licences.source.hold(LICENCE, province().envelope(ZZYXQJZRQ="2026-11-25"))
        application_id = await room.apply()
        assert (await room.document(application_id)).expires_on.isoformat() == "2026-11-25"
        sweeper = room.sweeper()
        room.later(days=2, hours=11)
        assert await sweeper.pass_once() == 0, "2026-11-25 23:00 in China"
        room.later(hours=1, minutes=1)
        assert await sweeper.pass_once() == 1
        assert await sweeper.pass_once() == 0, "asked for once"
        await room.work()
        (told,) = await room.told()
        assert (told.change, told.check, told.found_by) == ("expired", "validity.expired", "expiry")
        room.replace(LICENCE, ZZBS=identifier(LICENCE, "002"), ZZYXQJZRQ="2026-11-28")
        await room.service.recheck(application_id, LICENCE)
        room.later(days=4)
        assert await sweeper.pass_once() == 1, "the renewed one has a last day of its own"
        await room.work()
        assert [each.change for each in await room.told()] == ["expired", "new_version", "expired"]


async def test_a_certificate_that_was_reviewed_for_days_is_looked_at_as_soon_as_the_application_is_made(
    room: RechecksRoom,
) -> None:
    """Its age counts from when it was verified, not from when the application was sent."""
    application_id = await room.apply()
    document = await room.document(application_id)
    old = replace(document, as_of=room.clock() - timedelta(days=15))
    application = await room.transactions.read(lambda tx: tx.applications.find(application_id))
    party = await room.transactions.read(lambda tx: tx.applications.party(application_id))
    late = replace(application, application_id="app_late", documents=(old,), intake=IntakeKind.ONE_CERTIFICATE)
    await room.transactions.write(lambda tx: tx.applications.add(late, party))
    assert await room.sweeper().pass_once() == 1


async def test_no_licence_is_answered_on_what_was_fetched_before_its_utility_was_told(room: RechecksRoom) -> None:
    """Another process found the change; here a status list from before is at hand for five minutes."""
    application_id = await room.apply()
    await room.stage(application_id)
    room.later(minutes=1)
    assert (await room.licences.ask(application_id, LICENCE)).verdict == "valid"
    ordered(REVOKED)
    room.later(seconds=10)
    await room.elsewhere().recheck(application_id, LICENCE)
    assert [each.change for each in await room.told()] == ["revoked"]
    room.later(seconds=1)
    answer = await room.licences.ask(application_id, LICENCE)
    assert (answer.verdict, answer.failed_check and answer.failed_check.check) == ("invalid", "status.revoked")
