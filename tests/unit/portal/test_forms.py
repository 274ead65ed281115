"""Forms: only ours, only from our pages, only what a form can be."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import GatewayError
from gateway.portal.errors import FormMalformed, FormNotOwn
from gateway.portal.forms import own_form
from gateway.portal.router import local_path
from gateway.portal.visits import COOKIE, Visit, visit_of

SECRET = "a" * 43
FORM = b"application/x-www-form-urlencoded"


def request(body: bytes, media_type: bytes = FORM, cookie: str | None = SECRET, site: bytes | None = None) -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", media_type)]
    if cookie is not None:
        headers.append((b"cookie", f"{COOKIE}={cookie}".encode()))
    if site is not None:
        headers.append((b"sec-fetch-site", site))
    scope = {"type": "http", "method": "POST", "path": "/x", "query_string": b"", "headers": headers}
    return Request(scope, receive)


def token(secret: str = SECRET) -> str:
    return Visit(secret, begun=False).form_token


async def test_a_form_of_ours_is_read() -> None:
    form = await own_form(request(f"form_token={token()}&a=+x+&b=1&b=2&c=".encode(), site=b"same-origin"))
    assert (form.text("a"), form.all("b"), form.text("c"), form.text("d", "none")) == ("x", ["1", "2"], "", "none")
    with pytest.raises(FormMalformed):
        form.text("b")


@pytest.mark.parametrize(
    "asked",
    [
        request(b"a=1"),
        request(f"form_token={token('b' * 43)}".encode()),
        request(f"form_token={token()}".encode(), cookie=None),
        request(f"form_token={token()}".encode(), cookie="short"),
        request(f"form_token={token()}".encode(), site=b"cross-site"),
        request(f"form_token={token()}".encode(), site=b"same-site"),
        request("form_token=é".encode("latin-1").replace(b"\xe9", b"%C3%A9")),
    ],
    ids=["none", "another's", "no visit", "no secret", "cross-site", "sibling", "not ascii"],
)
async def test_a_form_that_is_not_ours_is_refused(asked: Request) -> None:
    with pytest.raises(FormNotOwn):
        await own_form(asked)


@pytest.mark.parametrize("media_type", [b"text/plain", b"application/json", b"multipart/form-data; boundary=x", b""])
async def test_only_forms_are_read(media_type: bytes) -> None:
    with pytest.raises(FormMalformed):
        await own_form(request(f"form_token={token()}".encode(), media_type))


@given(st.binary(max_size=400))
async def test_rubbish_is_refused_and_nothing_else_happens(body: bytes) -> None:
    with pytest.raises(GatewayError):
        await own_form(request(body))


@given(st.text(max_size=60))
def test_the_way_back_stays_here(told: str) -> None:
    path = local_path(told)
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))


def test_the_way_back_is_kept() -> None:
    assert local_path("/apply/steps") == "/apply/steps"
    assert local_path("/a?b=//c") == "/a"


def test_a_visit_that_begins_is_handed_over_as_any_other_cookie() -> None:
    begun, expected, told = visit_of(a_request()), Response(), Response()
    begun.hand_over(told)
    expected.set_cookie(COOKIE, begun.secret, httponly=True, secure=True, samesite="lax", path="/")
    assert begun.begun
    assert told.raw_headers == expected.raw_headers
    again = visit_of(a_request(f"{COOKIE}={begun.secret}"))
    assert (again.begun, again.form_token) == (False, begun.form_token)
    assert begun.form_token == hmac.new(begun.secret.encode(), b"form", "sha256").hexdigest()
    assert len({visit_of(a_request()).secret for _ in range(600)}) == 600


def a_request(cookie: str = "") -> Request:
    return Request({"type": "http", "headers": [(b"cookie", cookie.encode())] if cookie else []})
