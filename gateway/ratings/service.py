"""好差评: given once when the service has ended, told to the utility; a bad one is answered (整改反馈).

The record holds level and reasons, and that a text was written; the text rests sealed, and the utility gets it only
where the applicant says so.
"""

from collections.abc import Sequence
from typing import Final

from gateway.applications.errors import ApplicationUnknown
from gateway.applications.model import GridConnectionApplication
from gateway.applications.rule_book import RulesNow
from gateway.clock import Clock
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.delivery.ports import ChannelKind, EventDraft
from gateway.errors import Owner
from gateway.ids import MakeId
from gateway.ratings.errors import FollowUpNotOpen, RatingGiven, RatingUnknown
from gateway.ratings.model import Rating, RatingRules, answer_by, require_rateable, require_tags
from gateway.ratings.ports import RatingsTransaction
from gateway.records.entries import Fact, RecordEntry
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from schemas.events import EventType
from schemas.ratings import RatingRequest, RatingView, ServiceRated

GIVEN: Final = "rating.given"
ANSWERED: Final = "rating.answered"


class RatingService:
    """好差评."""

    def __init__(
        self,
        transactions: Transactions[RatingsTransaction],
        rules_now: RulesNow,
        rules: RatingRules,
        clock: Clock,
        make_id: MakeId,
        digests: KeyedDigest,
    ) -> None:
        self._transactions = transactions
        self._rules_now = rules_now
        self._rules = rules
        self._clock = clock
        self._make_id = make_id
        self._digests = digests

    async def standing(self, application_id: str, holder_digest: str) -> RatingView | None:
        """What this holder said, and what was answered; None where nothing was said and it still can be.

        Raises ``ApplicationUnknown``, ``RatingNotOpen``.
        """
        now = self._clock()

        def read(tx: RatingsTransaction) -> RatingView | None:
            application = _own(tx.applications.find(application_id), holder_digest)
            given = tx.ratings.find(application_id)
            if given is None:
                require_rateable(application.lifecycle, self._rules, now)
            return rating_view(given) if given else None

        return await self._transactions.read(read)

    async def rate(self, application_id: str, holder_digest: str, request: RatingRequest) -> RatingView:
        """Rate the service. What is refused is recorded.

        Raises ``ApplicationUnknown``, ``RatingMalformed``, ``RatingNotOpen``, ``RatingGiven``.
        """
        now = self._clock()
        event_id = self._make_id("evt")
        due = answer_by(request.level, self._rules_now().calendar, self._rules, now)

        def rate(tx: RatingsTransaction) -> Rating:
            application = _own(tx.applications.find_for_change(application_id), holder_digest)
            require_tags(request.level, request.tags)
            if tx.ratings.find(application_id) is not None:
                raise RatingGiven(check="rating.given", owner=Owner.APPLICANT, remedy="每次服务评价一次，评价不能更改")
            require_rateable(application.lifecycle, self._rules, now)
            facts: dict[str, Fact] = {
                "utility": application.utility,
                "level": request.level.value,
                "tags": [tag.value for tag in request.tags],
                "with_text": request.text is not None,
                "answer_by": due.isoformat() if due else None,
            }
            given = Rating(
                application_id=application_id,
                utility=application.utility,
                region=application.region,
                level=request.level,
                tags=tuple(request.tags),
                rated_at=now,
                record_id=tx.records.append(RecordEntry(GIVEN, now, "applicant", application_id, facts=facts)),
                text=request.text,
                answer_by=due,
            )
            tx.ratings.add(given)
            self._tell(tx, given, event_id, shared=request.share_text)
            return given

        async with refusals_recorded(self._transactions, GIVEN, self._clock, "applicant", application_id, {}):
            return rating_view(await self._transactions.write(rate))

    async def answer(self, application_id: str, text: str, actor: str, utility: str | None = None) -> RatingView:
        """Answer a bad rating, once: the same again is answered as it stands. ``utility`` may answer its own alone.

        Raises ``RatingUnknown``, ``FollowUpNotOpen``.
        """
        now = self._clock()

        def answer(tx: RatingsTransaction) -> Rating:
            given = tx.ratings.find(application_id)
            if given is None or utility not in (None, given.utility):
                raise RatingUnknown(check="rating.unknown", owner=Owner.CALLER, remedy="请核对申请编号")
            if given.answer == text:
                return given
            if given.answer_by is None or not tx.ratings.answer(application_id, text, actor, now):
                raise FollowUpNotOpen(
                    check="rating.follow_up", owner=Owner.CALLER, remedy="该评价无需整改反馈，或已反馈；反馈不能更改"
                )
            facts: dict[str, Fact] = {
                "utility": given.utility,
                "overdue": given.overdue_at(now),
                "answer_digest": self._digests.commitment(Use.REASON, f"{application_id}/rating", text),
            }
            tx.records.append(RecordEntry(ANSWERED, now, actor, application_id, facts=facts))
            return tx.ratings.find(application_id) or given

        async with refusals_recorded(self._transactions, ANSWERED, self._clock, actor, application_id, {}):
            return rating_view(await self._transactions.write(answer))

    async def waiting(self, limit: int) -> Sequence[Rating]:
        """Bad ratings that wait for their answer, the soonest due first."""
        return await self._transactions.read(lambda tx: tx.ratings.waiting(limit))

    def _tell(self, tx: RatingsTransaction, given: Rating, event_id: str, *, shared: bool) -> None:
        data = ServiceRated(
            application_id=given.application_id,
            level=given.level,
            tags=list(given.tags),
            text=given.text if shared else None,
            rated_at=given.rated_at,
            answer_by=given.answer_by,
        )
        tx.outbox.append(
            EventDraft(
                event_id,
                given.utility,
                ChannelKind.WEBHOOK,
                EventType.SERVICE_RATED,
                given.application_id,
                given.rated_at,
                data.model_dump(mode="json"),
            )
        )


def rating_view(given: Rating) -> RatingView:
    """A rating for its applicant."""
    return RatingView(
        application_id=given.application_id,
        level=given.level,
        tags=list(given.tags),
        text=given.text,
        rated_at=given.rated_at,
        answer_by=given.answer_by,
        answer=given.answer,
        answered_at=given.answered_at,
        record_id=given.record_id,
    )


def _own(application: GridConnectionApplication | None, holder_digest: str) -> GridConnectionApplication:
    if application is None or application.holder_digest != holder_digest:
        raise ApplicationUnknown(check="application.unknown", owner=Owner.APPLICANT, remedy="请核对申请编号")
    return application
