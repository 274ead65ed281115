"""An officer's browser without a browser: sign-in through the mock provider, cookies kept by hand, forms filled in.

Cookies are kept by hand because ours are ``Secure``, and an HTTP client does not send such over loopback HTTP.
"""

import re
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import httpx

HTML = {"accept": "text/html"}


@dataclass
class OfficerBrowser:
    """``gateway`` is where the console is; ``http`` follows no redirect."""

    gateway: str
    http: httpx.AsyncClient
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str) -> httpx.Response:
        return self._kept(await self.http.get(self._url(path), headers=self._headers()))

    async def post(self, path: str, page: str | None = None, **values: str | list[str]) -> httpx.Response:
        """Send the form of ``page`` (by default of ``path``) with ``values`` to ``path``."""
        shown = (await self.get(page or path)).text
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', shown))
        answer = await self.http.post(self._url(path), data={**hidden, **values}, headers=self._headers())
        return self._kept(answer)

    async def sign_in(self, subject: str) -> httpx.Response:
        """The whole road; answers what the callback answered."""
        return await self.get(await self.callback(subject))

    async def callback(self, subject: str) -> str:
        """Where the provider sends the browser back to."""
        sent = await self.get("/console/sign-in/go")
        page = await self.http.get(sent.headers["location"])
        action = re.search(r'action="([^"]+)"', page.text)
        assert action is not None, page.text
        back = await self.http.post(str(page.url.join(action[1])), data={"subject": subject})
        parts = urlsplit(back.headers["location"])
        return f"{parts.path}?{parts.query}"

    def _url(self, path: str) -> str:
        return self.gateway + path

    def _headers(self) -> dict[str, str]:
        return {**HTML, "cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def _kept(self, answer: httpx.Response) -> httpx.Response:
        for line in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer
