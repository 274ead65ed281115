"""What this room needs of the unit of work."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from gateway.applications.ports import ApplicationRepository
from gateway.notices.model import Notice
from gateway.notices.preferences import Preference, SendBacklog, SendState, Waiting
from gateway.notices.words import Message
from gateway.records.ports import RecordAppender


class NoticeRepository(Protocol):
    """Notices, by the key of their fact."""

    def add(self, notice: Notice) -> bool:
        """Keep it, once: False where its fact has one already."""
        ...

    def known(self, keys: Collection[str]) -> set[str]:
        """Those of ``keys`` that have a notice."""
        ...

    def of_application(self, application_id: str, limit: int) -> Sequence[Notice]:
        """The newest first, at most ``limit``."""
        ...


class DeadlineLooks(Protocol):
    """When each open application is to be looked at next; one whose lifecycle changes is due at once.

    ``rules`` names the rules that a look was taken by: under others everything is due, once.
    """

    def due(self, at: datetime, rules: str, limit: int) -> Sequence[str]:
        """At most ``limit`` applications to be looked at, by their ids; nothing sealed is opened for it."""
        ...

    def hold(self, application_ids: Collection[str], at: datetime, rules: str) -> Sequence[str]:
        """Those that nobody looked at meanwhile and that did not close; nobody else does until this unit is over."""
        ...

    def put(self, again_at: Mapping[str, datetime], rules: str) -> None:
        """Look at each application again at its instant, or before when its lifecycle or the rules change."""
        ...

    def forget(self, application_id: str) -> None:
        """It is closed."""
        ...

    def adopt(self) -> int:
        """Take in open applications that are not here: an older release does not know of this; answers how many."""
        ...


class NoticeChannel(Protocol):
    """A way to somebody's post. It logs neither address nor text."""

    async def send(self, key: str, address: str, message: Message, at: datetime) -> None:
        """Hand ``message`` over; the same ``key`` is the same message.

        Raises ``PartnerUnavailable`` where it may be tried again, ``DeliveryRefused`` where that is of no use.
        """
        ...


class NoticeSends(Protocol):
    """How applicants want to be told, and the queue of what is to be sent; a notice joins it as it is added."""

    def choose(self, preference: Preference) -> None:
        """In place of what was chosen before."""
        ...

    def chosen(self, application_id: str) -> Preference | None: ...

    def forget(self, application_id: str) -> bool:
        """Remove how to reach the applicant, and what waits to be sent; False where nothing was chosen."""
        ...

    def any_due(self, at: datetime) -> bool: ...

    def claim(self, owner: str, at: datetime, lease: timedelta, limit: int) -> Sequence[Waiting]: ...

    def put_off(self, owner: str, key: str, due_at: datetime, at: datetime) -> None:
        """Let go of the lease; it is due again at ``due_at``."""
        ...

    def settle(self, owner: str, key: str, state: SendState, at: datetime) -> bool:
        """End it. False where ``owner`` holds it no more."""
        ...

    def backlog(self) -> SendBacklog: ...


class NoticesTransaction(Protocol):
    """The slice for notices."""

    @property
    def applications(self) -> ApplicationRepository: ...
    @property
    def notices(self) -> NoticeRepository: ...
    @property
    def deadline_looks(self) -> DeadlineLooks: ...
    @property
    def notice_sends(self) -> NoticeSends: ...
    @property
    def records(self) -> RecordAppender: ...
