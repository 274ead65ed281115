"""A visit: a random secret in a cookie from the first page on. What ties a form to the browser that it was given to.

The form token is derived from the visit's secret, so another site can neither read nor guess it (OWASP: signed
double submit); a browser that says that a form comes from elsewhere (Fetch Metadata) is believed as well.
"""

import base64
import hmac
import re
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.ids import random_bytes

COOKIE: Final = "__Host-bandian_visit"
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Visit:
    """``begun`` now: then the answer hands the secret over."""

    secret: str
    begun: bool

    @property
    def form_token(self) -> str:
        """What every form of this visit carries, hexadecimal."""
        return hmac.digest(self.secret.encode(), b"form", "sha256").hex()

    def hand_over(self, response: Response) -> None:
        """Set the cookie where the visit begins with this answer; it ends with the browser."""
        if self.begun:  # said by ourselves: Python's own cookies take as long as a row that is read
            cookie = f"{COOKIE}={self.secret}; HttpOnly; Path=/; SameSite=lax; Secure"
            response.raw_headers.append((b"set-cookie", cookie.encode()))


def visit_of(request: Request) -> Visit:
    """The visit that this browser is on, or a new one."""
    kept = request.cookies.get(COOKIE, "")
    return Visit(kept, begun=False) if _SECRET.fullmatch(kept) else Visit(_new_secret(), begun=True)


def _new_secret() -> str:
    """256 random bits, as ``_SECRET`` has them."""
    return base64.urlsafe_b64encode(random_bytes() + random_bytes()).rstrip(b"=").decode()


def is_own(request: Request, visit: Visit, token: str) -> bool:
    """Whether a form with ``token`` was given to this browser by us and comes from one of our pages."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    return not visit.begun and hmac.compare_digest(visit.form_token.encode(), token.encode())
