"""A shop's page with the widget, and a scripted platform: no server, no database.

The page has a different origin than the widget, and a strict content security policy. The platform records
what it receives.
"""

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, Page, Route, WebSocketRoute, expect

from supportbot.formats import has_twelve_hours
from supportbot.widget.assets import edition
from tests.browser.slowness import later, slow_down
from tests.browser.waiting import until, wait_for
from tests.patience import PATIENCE_MS

SHOP: Final = "https://shop.test"
PLATFORM: Final = "https://support.test"
POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        f"script-src {PLATFORM}",
        f"connect-src {PLATFORM} {PLATFORM.replace('https', 'wss')}",
        "style-src 'none'",
        "img-src 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
CONVERSATION: Final = "0199c0de-0000-7000-8000-000000000001"
NOTICE: Final = (
    "You are talking to an AI assistant. It answers from our help pages. A person can take over at any time."
)
BRANDING: Final = {
    "accent": "#1f5b45",
    "light": {"accent": "#1f5b45", "on-accent": "#ffffff", "accent-solid": "#1f5b45", "accent-ink": "#1d523f"},
    "dark": {"accent": "#1f5b45", "on-accent": "#ffffff", "accent-solid": "#40705d", "accent-ink": "#97b3a7"},
}
LIMITS: Final = {"message_characters": 4000, "frame_bytes": 16384, "messages_per_minute": 20}


def message_id(number: int) -> str:
    return f"0199c0de-0000-7000-8000-{number:012d}"


def _lines(block: dict[str, Any], values: dict[str, Any]) -> str:
    filled = [(field["title"], values.get(field["name"])) for field in block["fields"]]
    lines = [(title, ", ".join(value) if isinstance(value, list) else value) for title, value in filled if value]
    return "\n".join(f"{title}: {value}" for title, value in lines)


@dataclass
class Platform:
    """A platform that answers ticket requests and REST, sends frames over the socket, and records what it gets."""

    config: dict[str, Any] = field(default_factory=dict)
    tickets: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    frames: list[dict[str, Any]] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    conversations: list[dict[str, Any]] = field(default_factory=list)
    is_reachable: bool = True
    acknowledges: bool = True
    greets: bool = True
    turn: dict[str, Any] | None = None
    socket: WebSocketRoute | None = None
    answer: Callable[[dict[str, Any]], None] | None = None
    fetched: list[str] = field(default_factory=list)
    page: Page | None = None

    # --- What a test sends as the platform:

    def event(self, event: str, payload: Mapping[str, Any], *, at: datetime | None = None) -> dict[str, Any]:
        """Append an event to the log, and send it over the socket, if there is one."""
        before = self.log[-1]["seq"] if self.log else 0
        entry = {
            "seq": before + 1,
            "prev_seq": before,
            "event": event,
            "payload": dict(payload),
            "created_at": (at or datetime.now(UTC)).isoformat(),
        }
        self.log.append(entry)
        self.say({"type": "event", **entry})
        return entry

    def say(self, frame: Mapping[str, Any]) -> None:
        if self.socket is not None:
            later(self.socket.send, json.dumps(frame))

    def hang_up(self, code: int = 1012) -> None:
        socket, self.socket = self.socket, None
        if socket is not None:
            later(socket.close, code=code)

    def greet(self) -> None:
        """Send the delayed welcome."""
        self._welcome(self.frames_of("hello")[-1].get("last_seq", 0))

    def frames_of(self, kind: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["type"] == kind]

    def wait_for_frames(self, kind: str, times: int = 1) -> list[dict[str, Any]]:
        """Return the frames of this kind, once there are at least `times`."""
        assert self.page is not None
        return wait_for(self.page, lambda: (found := self.frames_of(kind))[times - 1 :] and found, f"{times} {kind}")

    def catch_up(self) -> None:
        """Return once everything sent until now has arrived, in both directions."""
        assert self.page is not None
        arrived: list[bool] = []
        self.page.evaluate("1")
        later(arrived.append, True)
        wait_for(self.page, lambda: arrived)
        self.page.evaluate("1")

    def cut_off(self) -> None:
        """Break the connection and refuse new ones; return once the page has noticed."""
        assert self.page is not None
        self.is_reachable = False
        self.hang_up()
        until(self.page, "SupportBot.state.connection !== 'open'")

    # --- How the platform answers:

    def serve(self, page: Page) -> None:
        self.page, context = page, page.context
        context.route(f"{PLATFORM}/**", lambda route: later(self._http, route))
        context.route_web_socket(f"{PLATFORM.replace('https', 'wss')}/ws/v1/chat/", self._socket)

    def _http(self, route: Route) -> None:
        address = urlsplit(route.request.url)
        if address.path.startswith("/widget/"):
            self._script(route, address.path.removeprefix("/widget/"))
        elif not self.is_reachable:
            route.abort()
        else:
            self._rest(route, address.path.removeprefix("/api/v1/"), parse_qs(address.query))

    def _script(self, route: Route, name: str) -> None:
        today = edition()
        file = name.rpartition("/")[2]
        asset = today.loader if file == "v1.js" else today.files[file]
        self.fetched.append(name)
        headers = {"Content-Type": "text/javascript", "Access-Control-Allow-Origin": "*"}
        route.fulfill(body=asset.body, headers=headers)

    def _rest(self, route: Route, path: str, query: dict[str, list[str]]) -> None:
        request = route.request
        self.requests.append((request.method, path, request.headers.get("authorization", "")))
        if self.refusals:
            status, refusal = self.refusals.pop(0)
            self._json(route, refusal, status)
        elif path == "widget/tickets":
            self._json(route, self._ticket(request.post_data_json), 201)
        elif path == "widget/codes":
            self._json(route, {"url": f"{PLATFORM}/chat/pk_test/#code=c_1"})
        elif path == "conversations":
            self._json(route, {"results": self.conversations, "next": None}, 204 if request.method == "DELETE" else 200)
        elif path.endswith("/events"):
            after = int(query["after"][0])
            self._json(route, {"results": [e for e in self.log if e["seq"] > after], "next": None, "head": 0})
        elif path.endswith("/transcript"):
            route.fulfill(body="chat", headers={"Content-Type": "text/plain", "Access-Control-Allow-Origin": "*"})
        else:
            self._json(route, {}, 204)

    def _json(self, route: Route, body: Any, status: int = 200) -> None:
        headers = {"Content-Type": "application/json", "Access-Control-Allow-Origin": SHOP}
        route.fulfill(status=status, body="" if status == 204 else json.dumps(body), headers=headers)

    def _ticket(self, asked: Any) -> dict[str, Any]:
        self.tickets.append(asked)
        known = {"visitor": "vs_1"} if "token" not in asked and "visitor" not in asked else {}
        return {
            "ticket": f"st_{len(self.tickets)}",
            "expires_at": (datetime.now(UTC) + timedelta(seconds=60)).isoformat(),
            "ws_url": f"{PLATFORM.replace('https', 'wss')}/ws/v1/chat/",
            "conversation": asked.get("conversation", CONVERSATION),
            "config": {
                "channel": "Wrenfell",
                "locale": "en",
                "hour12": has_twelve_hours(self.config.get("locale", "en")),
                "greeting": "",
                "notice": NOTICE,
                "limits": LIMITS,
                "suggestions": [],
                "look": BRANDING,
                "is_ended": False,
                "name": "",
                "privacy_url": "",
                **self.config,
            },
            **known,
        }

    def _socket(self, socket: WebSocketRoute) -> None:
        if not self.is_reachable:
            socket.close(code=1013)
            return
        socket.on_message(lambda text: later(self._frame, socket, json.loads(text)))

    def _frame(self, socket: WebSocketRoute, frame: dict[str, Any]) -> None:
        self.frames.append(frame)
        match frame["type"]:
            case "hello":
                self.socket = socket
                if self.greets:
                    self._welcome(frame.get("last_seq", 0))
            case "message" if self.acknowledges:
                self._store(frame)
            case "choose" | "submit" if self.acknowledges:
                self._store({**frame, "text": self._words_of(frame)})
            case "ping":
                self.say({"type": "head", "seq": self.log[-1]["seq"] if self.log else 0})
            case "logout":
                self.hang_up(4401)
        if self.answer is not None and frame["type"] != "hello":
            self.answer(frame)

    def _welcome(self, last_seq: int) -> None:
        head = self.log[-1]["seq"] if self.log else 0
        welcome = {"type": "welcome", "protocol": 1, "conversation": CONVERSATION, "seq": head}
        notice = self.config.get("notice", NOTICE)
        self.say({**welcome, "notice": notice, "limits": LIMITS, **({"turn": self.turn} if self.turn else {})})
        for entry in self.log:
            if entry["seq"] > last_seq:
                self.say({"type": "event", **entry})

    def _store(self, frame: dict[str, Any]) -> None:
        known = [e for e in self.log if e["payload"].get("client_id") == frame["client_id"]]
        entry = known[0] if known else None
        if entry is None:
            facts = {"message": message_id(900 + len(self.log)), "source": "customer", "text": frame["text"]}
            entry = self.event("message", {**facts, "client_id": frame["client_id"]})
        self.say({"type": "ack", "client_id": frame["client_id"], "seq": entry["seq"]})

    def _words_of(self, frame: dict[str, Any]) -> str:
        """Return the text of a reply to a block."""
        message, _, place = frame["block"].rpartition(":")
        [final] = [
            one["payload"]
            for one in self.log
            if one["payload"].get("message") == message and "blocks" in one["payload"]
        ]
        block = final["blocks"][int(place)]
        if frame["type"] == "choose":
            return str(next(option["label"] for option in block["options"] if option["id"] == frame["option"]))
        values = frame["values"]
        return "\n\n".join(_lines(block, one) for one in (values if isinstance(values, list) else [values]))

    # --- Scenarios shared by tests:

    def starts(self, number: int, attempt: int = 1) -> str:
        message = message_id(number)
        self.event("assistant.started", {"message": message, "attempt": attempt})
        return message

    def streams(self, message: str, *pieces: str, attempt: int = 1, index: int = 0) -> None:
        for place, piece in enumerate(pieces):
            delta = {"type": "delta", "message": message, "attempt": attempt, "index": index + place, "text": piece}
            self.say(delta)

    def ends(self, message: str, text: str, **more: Any) -> None:
        facts = {"message": message, "text": text, "citations": [], "abstained": False, "offers_human": False}
        self.event("assistant.final", {**facts, "by": "model", **more})

    def proposes(self, number: int = 500, **more: Any) -> str:
        request = message_id(number)
        expires = (datetime.now(UTC) + timedelta(minutes=15)).isoformat()
        rows = {"For": "Alder merino base layer, M", "Order": "WF-20418", "Reason": "Arrived damaged"}
        facts = {
            "request": request,
            "action": "refund_order",
            "title": "Refund €69.00",
            "summary": "Refund €69.00 for order WF-20418.",
            "button": "Refund €69.00",
            "rows": [{"label": label, "value": value} for label, value in {**rows, "To": "Visa ending 4417"}.items()],
            "arguments": {"order_id": "WF-20418", "amount": "69.00", "currency": "EUR"},
            "digest": "d" * 64,
            "expires_at": expires,
            "needs_approval": False,
        }
        self.event("action.proposed", {**facts, **more})
        return request

    def step(self, state: str, request: str, **more: Any) -> None:
        facts = {"request": request, "action": "refund_order", "title": "Refund €69.00"}
        self.event(f"action.{state}", {**facts, **more})


SOURCES: Final = [
    {
        "article": message_id(1),
        "title": "Returns and refunds",
        "url": f"{PLATFORM}/help/wrenfell/returns/?revision=1#passage",
        "revision": 1,
        "start": 10,
        "end": 90,
        "quote": "Items must be unused and complete. Trying boots on indoors is fine.",
    },
    {
        "article": message_id(2),
        "title": "Exchanging a size",
        "url": f"{PLATFORM}/help/wrenfell/exchange/?revision=1#passage",
        "revision": 1,
        "start": 0,
        "end": 60,
        "quote": "Boots can be exchanged once for another size within 30 days.",
    },
]


def shop_html(tag: str, *, language: str = "en", head: str = "", start: str = "", body: str = "") -> str:
    return f"""<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>Shop</title>
<meta name="viewport" content="width=device-width, initial-scale=1">{head}</head>
<body>{start}<main><h1>Boots</h1><p>Made for wet days. <a href="/cart">Cart</a></p>{body}</main>{tag}</body></html>"""


def script_tag(**attributes: str) -> str:
    data = {"channel": "pk_test", **attributes}
    shown = " ".join(f'data-{name.replace("_", "-")}="{value}"' for name, value in data.items())
    return f'<script async src="{PLATFORM}/widget/v1.js" {shown}></script>'


def open_shop(page: Page, platform: Platform, tag: str | None = None, **page_options: str) -> None:
    """Open the shop's page with the widget; every address of the shop shows it."""
    html = shop_html(script_tag() if tag is None else tag, **page_options)
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
    page.context.route(f"{SHOP}/**", lambda route: later(route.fulfill, body=html, headers=headers))
    platform.serve(page)
    page.goto(f"{SHOP}/")


Shop = tuple[Page, Platform]


@contextmanager
def visit(browser: Browser, tag: str | None = None, *, before: str = "", **options: Any) -> Iterator[Shop]:
    """Open the shop in a new browser context. A script error, or anything the page's policy blocks, fails the test.

    `before` runs in the page before any of its scripts. Options of the page are `language`, `head`, `start` and `body`;
    the others are the browser context's.
    """
    problems: list[str] = []
    page_options = {name: options.pop(name) for name in ("language", "head", "start", "body") if name in options}
    platform = options.pop("platform", None) or Platform()
    context = browser.new_context(**{"locale": "en-GB", "timezone_id": "Europe/Berlin", **options})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if "Content Security" in said.text else None)
    page.add_init_script(_LISTENING + before)
    slow_down(page)
    open_shop(page, platform, tag, **page_options)
    yield page, platform
    context.close()
    assert problems == []


# Records every event of the widget, with its name and detail.
_LISTENING: Final = """
window.heard = [];
const NAMES = "ready open close message message:sent stream:start stream:end action:proposed action:confirmed " +
  "action:result handoff:requested handoff:joined handoff:ended unread rating identity:error connection error";
const hear = (name) => document.addEventListener(`supportbot:${name}`, (event) => heard.push([name, event.detail]));
for (const name of NAMES.split(" ")) hear(name);
"""


def widget_events(page: Page, name: str) -> list[Any]:
    """Return the details of the widget's events of this name so far."""
    details: list[Any] = page.evaluate("name => window.heard.filter(([n]) => n === name).map(([, d]) => d)", name)
    return details


def write(page: Page, text: str) -> None:
    field = page.get_by_role("textbox", name="Message")
    field.fill(text)
    field.press("Enter")


def deliver(page: Page, platform: Platform, text: str) -> None:
    """Write a message, and return once the platform has it, so that its next frames follow the message."""
    before = len(platform.frames_of("message"))
    write(page, text)
    platform.wait_for_frames("message", before + 1)


def open_chat(page: Page) -> None:
    page.get_by_role("button", name="Open chat").click()
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()


def token(subject: str, *, lives_seconds: int = 3600) -> str:
    """Return a token like those of a merchant's server; the widget does not check the signature."""
    claims = json.dumps({"sub": subject, "exp": int(time.time()) + lives_seconds}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.{'s' * 43}"
