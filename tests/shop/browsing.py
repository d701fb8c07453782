"""A browser on the storefront, without scripts: it keeps cookies, follows links and submits forms."""

import http.client
import re
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlencode

from tests.patience import PATIENCE_SECONDS
from tests.shop.process import Answer, ShopProcess


@dataclass
class Visitor:
    shop: ShopProcess
    language: str = "en"
    cookies: dict[str, str] = field(default_factory=dict)
    page: str = ""

    def open(self, path: str) -> Answer:
        """Open a page, following redirects."""
        return self._ask("GET", path)

    def send(self, path: str, **fields: str) -> Answer:
        """Submit a form of the open page with its hidden token."""
        return self.post(path, csrfmiddlewaretoken=self.token, **fields)

    def post(self, path: str, *, headers: dict[str, str] | None = None, **fields: str) -> Answer:
        form = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self._ask("POST", path, urlencode(fields).encode(), form)

    def sign_in(self, customer: str) -> Answer:
        self.open("/sign-in")
        return self.send("/account/sign-in", customer=customer)

    def chat_token(self, token: str | None = None) -> Answer:
        """Request the chat's token as the page's script does."""
        return self._ask("POST", "/account/chat-token", b"", {"X-CSRFToken": self.token if token is None else token})

    @property
    def token(self) -> str:
        found = re.search(r'data-csrf="([^"]+)"', self.page)
        assert found, self.page
        return found[1]

    @property
    def markup(self) -> str:
        """The page with each tag on one line, however the template wraps it."""
        return re.sub(r"<[^>]+>", lambda tag: re.sub(r"\s+(?=>)", "", re.sub(r"\s+", " ", tag[0])), self.page)

    @property
    def words(self) -> str:
        """The page's text as one line."""
        text = re.sub(r"<(script|head)\b.*?</\1>|<[^>]+>", " ", self.page, flags=re.S)
        return re.sub(r"\s+", " ", unescape(text).replace("\u00a0", " "))

    def _ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        answer = self._exchange(method, path, body, headers or {})
        if answer.status == 302:
            return self._ask("GET", answer.headers["location"])
        if answer.headers.get("content-type", "").startswith("text/html"):
            self.page = answer.text
        return answer

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        own = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "Accept-Language": self.language,
        }
        self.shop.is_as_seeded &= method == "GET"
        connection = http.client.HTTPConnection("127.0.0.1", self.shop.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, {**own, **headers})
            response = connection.getresponse()
            for name, value in response.getheaders():
                if name.lower() == "set-cookie":
                    self._keep(value)
            named = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, named, response.read().decode())
        finally:
            connection.close()

    def _keep(self, cookie: str) -> None:
        name, _, value = cookie.partition(";")[0].partition("=")
        self.cookies[name] = value
