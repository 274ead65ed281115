"""Forms of our own pages: ``application/x-www-form-urlencoded``, tied to the visit, and done once."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from gateway.errors import Owner
from gateway.http.errors import RequestInProgress
from gateway.http.idempotency import Claim, Idempotency
from gateway.http.services import services_of
from gateway.ids import random_bytes
from gateway.portal.errors import FormMalformed, FormNotOwn
from gateway.portal.visits import is_own, visit_of

TOKEN_FIELD: Final = "form_token"  # noqa: S105 - the name of a field
ONCE_FIELD: Final = "once"
MOST_FIELDS: Final = 200
_ONCE_LENGTH: Final = range(8, 65)
_ELSEWHERE: Final = "application/vnd.bandian.elsewhere"
_LOOKS_AGAIN_S: Final = 0.25
_PATIENCE: Final = 60
"""How often the second click looks whether the first is done: together as long as sources may take."""


def new_once() -> str:
    """What makes one rendered form one deed, however often it is sent."""
    return base64.urlsafe_b64encode(random_bytes()).rstrip(b"=").decode()


@dataclass(frozen=True)
class Form:
    """A form that is ours. Values are as they were typed, with the space around them taken off."""

    values: dict[str, list[str]]
    path: str

    def text(self, name: str, default: str = "") -> str:
        """The one value of ``name``. Raises ``FormMalformed`` for several."""
        found = self.values.get(name, [])
        if len(found) > 1:
            raise _malformed()
        return found[0] if found else default

    def all(self, name: str) -> list[str]:
        """Every value of ``name`` (check boxes)."""
        return self.values.get(name, [])

    async def once(self, request: Request, subject: str, work: Callable[[], Awaitable[Response]]) -> Response:
        """Do ``work`` once for this rendered form of ``subject``: sent twice, or in two tabs, it answers the same.

        What ``work`` sends elsewhere (303) counts as done, too. Raises ``FormMalformed`` for a form without its mark,
        ``RequestInProgress`` where the first is still at work after some seconds.
        """

        async def kept(told: Idempotency, scope: str, content: str) -> Response:
            return await told.answer(scope, content, sent)

        async def sent() -> Response:
            answer = await work()
            # Only a success is kept, and only its body: the way to go on is kept as one.
            return sent_to(answer.headers["location"]) if answer.status_code == 303 else answer

        return await self._once(request, subject, kept)

    async def once_with(self, request: Request, subject: str, work: Callable[[Claim], Awaitable[Response]]) -> Response:
        """The same for ``work`` that commits the claim with its deed, answering ``sent_to`` where it leads.

        See ``Idempotency.answer_with``.
        """

        async def kept(told: Idempotency, scope: str, content: str) -> Response:
            return await told.answer_with(scope, content, work)

        return await self._once(request, subject, kept)

    async def _once(
        self, request: Request, subject: str, kept: Callable[[Idempotency, str, str], Awaitable[Response]]
    ) -> Response:
        mark = self.text(ONCE_FIELD)
        if len(mark) not in _ONCE_LENGTH:
            raise _malformed()
        scope = sha256("\0".join(("form", subject, self.path, mark)).encode()).hexdigest()
        content = sha256(repr(sorted(self.values.items())).encode()).hexdigest()
        idempotency = services_of(request.app).get(Idempotency)
        for _ in range(_PATIENCE):
            try:
                return _sent_on(await kept(idempotency, scope, content))
            except RequestInProgress:
                await asyncio.sleep(_LOOKS_AGAIN_S)
        return _sent_on(await kept(idempotency, scope, content))


def sent_to(address: str) -> Response:
    """What is kept of a form that leads to ``address``; whoever sent it is sent on (303)."""
    return Response(address, media_type=_ELSEWHERE)


async def own_form(request: Request) -> Form:
    """The form of a POST. Raises ``FormMalformed``, and ``FormNotOwn`` for one that this browser was not given."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise _malformed()
    body = await request.body()
    try:
        values = parse_qs(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise _malformed() from None
    form = Form({name: [value.strip() for value in some] for name, some in values.items()}, request.url.path)
    if not is_own(request, visit_of(request), form.text(TOKEN_FIELD)):
        raise FormNotOwn(
            check="form.token", owner=Owner.APPLICANT, remedy="页面打开过久或来自别处：请返回上一页，刷新后重新提交"
        )
    return form


OwnForm = Annotated[Form, Depends(own_form)]


def _sent_on(answer: Response) -> Response:
    if answer.media_type != _ELSEWHERE:
        return answer
    return RedirectResponse(bytes(answer.body).decode(), 303)


def _malformed() -> FormMalformed:
    return FormMalformed(check="form.malformed", owner=Owner.APPLICANT, remedy="请返回上一页重新填写并提交")
