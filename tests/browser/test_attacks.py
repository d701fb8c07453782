"""Markup that must never become active in the widget, on the help pages or on the desk, in a real browser. The rows are
those of tests/attacks; several of them share a page. The shop has no policy here, so anything active would run.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from kb.rendering import render_article
from tests.attacks.corpus import rows
from tests.browser import shoppage
from tests.browser.deskpage import Customer, get, is_live
from tests.browser.shoppage import Platform, message_id, open_chat, visit
from tests.patience import PATIENCE_MS

pytestmark = pytest.mark.browser
LAX = "default-src * data: blob: 'unsafe-inline' 'unsafe-eval'"
AT_ONCE = 10  # a page with all of them would be laid out again for each piece of text, which takes three times as long
ACTIVE = "script,iframe,object,embed,base,meta,link,img,video,audio,math,form,source,frame,applet,[srcdoc],[background]"


def payloads() -> list[str]:
    """Return every hostile text, without NUL and lone surrogates, which a log cannot store."""
    texts = [entry.values[0].raw["payload"] for entry in rows("xss")]
    texts += [entry.values[0].raw["model_text"].replace("|SPLIT|", "") for entry in rows("markdown_exfil")]
    return [text.encode("utf-8", "ignore").decode().replace("\0", "") for text in texts if text.strip()]


def batches() -> list[list[str]]:
    found = payloads()
    return [found[at : at + AT_ONCE] for at in range(0, len(found), AT_ONCE)]


@dataclass
class Watch:
    """A record of everything on a page that no text may cause."""

    page: Page
    own: tuple[str, ...]
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("dialog", self._dialog)
        self.page.context.on("request", self._request)
        self.page.on("framenavigated", self._navigation)
        self.page.context.on("page", lambda page: self.seen.append(f"opened {page.url}"))

    def _dialog(self, dialog: Any) -> None:
        self.seen.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def _navigation(self, frame: Any) -> None:
        if urlsplit(frame.url).netloc not in self.own:
            self.seen.append(f"went to {frame.url}")

    def _request(self, request: Any) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https") and address.netloc not in self.own:
            self.seen.append(f"asked {request.url}")

    def saw_nothing(self) -> None:
        """Assert that nothing ran."""
        self.page.wait_for_timeout(150)  # scripts that start automatically have started by then
        assert self.page.evaluate("window.__pwned") is None
        assert self.seen == []


@contextmanager
def watched(page: Page, *own: str) -> Iterator[Watch]:
    watch = Watch(page, tuple(urlsplit(address).netloc for address in own))
    yield watch
    watch.saw_nothing()


def speak(platform: Platform, number: int, text: str) -> None:
    """Put text into every place that shows other people's words."""
    places = {"article": message_id(1), "url": "https://support.test/help/", "revision": 1, "start": 0, "end": 1}
    for source, author in (("customer", {}), ("agent", {"author": text}), ("system", {})):
        facts = {"message": message_id(10 * number + 1), "source": source, "text": text, **author}
        platform.event("message", facts)
    message = platform.starts(10 * number + 2)
    platform.say({"type": "status", "message": message, "text": text})
    platform.streams(message, *(text[at : at + 9] for at in range(0, len(text), 9)))
    platform.ends(message, f"{text} [1]", citations=[{**places, "title": text, "quote": text}])
    for place, url in enumerate((text, f"javascript:{text}"), start=5):
        message = platform.starts(10 * number + place)
        platform.ends(message, "See [1]", citations=[{**places, "title": "x", "quote": text, "url": url}])
    shown = [{"label": text, "value": text}]
    request = platform.proposes(10 * number + 4, title=text, summary=text, button=text, rows=shown)
    platform.step("refused", request, title=text, reason={"code": "x", "text": text}, receipt={"reference": text})


@pytest.mark.one_in(3)
@pytest.mark.parametrize("number", range(len(batches())))
def test_nothing_runs_in_the_widget(browser: Browser, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shoppage, "POLICY", LAX)
    with visit(browser) as (page, platform):
        open_chat(page)
        with watched(page, shoppage.SHOP, shoppage.PLATFORM):
            for place, text in enumerate(batches()[number], start=1):
                speak(platform, place, text)
            last = {"message": message_id(9), "source": "agent", "author": "Bob", "text": "The end."}
            platform.event("message", last)
            drawn = "document.querySelector('support-bot').shadowRoot.textContent.includes('The end.')"
            page.wait_for_function(drawn, timeout=PATIENCE_MS)
            check_shadow(page)


def check_shadow(page: Page) -> None:
    """Assert that nothing the widget rendered loads, sends, has a handler, or links outside the web."""
    found = page.evaluate(
        """active => {
          const root = document.querySelector("support-bot").shadowRoot;
          if (!root) return ["the root is closed"];
          const all = [...root.querySelectorAll("*")];
          const named = all.flatMap((node) => [...node.attributes].map((a) => [node.localName, a.name, a.value]));
          const leads = ([, name, value]) => /href|action/.test(name) && !/^(https?:|mailto:|#|\\/)/i.test(value);
          return [
            ...[...root.querySelectorAll(active)].map((node) => node.outerHTML.slice(0, 200)),
            ...named.filter(([, name]) => /^on|^srcset$|^src$/.test(name)).map(String),
            ...named.filter(leads).map(String),
          ];
        }""",
        ACTIVE,
    )
    assert [entry for entry in found if "<form" not in entry] == []


def test_nothing_runs_on_a_help_page(browser: Browser) -> None:
    """The rendered articles, on a page without any policy."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto("about:blank")
    articles = [
        render_article(text, f"## {text}\n\n{text}\n\n| {text} |\n|---|\n| {text} |").html for text in payloads()
    ]
    with watched(page):
        page.evaluate("html => { document.body.innerHTML = html }", "".join(articles))
        page.evaluate(
            """() => document.querySelectorAll("body *").forEach((node) => {
              for (const name of ["mouseover", "focus", "click", "toggle", "animationstart"]) {
                if (node.localName !== "a" || name !== "click") node.dispatchEvent(new Event(name));
              }
            })"""
        )
        assert page.evaluate("active => document.body.querySelectorAll(active).length", ACTIVE) == 0
    page.close()


def test_nothing_runs_on_the_desk(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    """A customer's words and reason on the agent's page, as rendered and as updated."""
    base, customer = demo["urls"]["base"], Customer(demo, "cus_1009")
    first, *others = joined(payloads()[:300])
    customer.ask_for_a_person(first[:900])  # from here on no assistant answers
    for text in others[:8]:
        customer.say(text)
    [ticket] = [row for row in get(f"{base}/api/v1/tickets?state=waiting", demo["api_key"])["results"]
                if row["conversation"] == customer.conversation]  # fmt: skip
    page = new_page()
    log_in(page, "daniel")
    with watched(page, base):
        for path in ("/desk/", f"/desk/tickets/{ticket['id']}/"):
            page.goto(path)
            is_live(page)
        customer.say(f"{first}\nThe end.")
        expect(page.locator("#thread").get_by_text("The end.")).to_be_visible()
        assert page.locator("main").locator("img, iframe, script, [onerror], [onload], [onfocus]").count() == 0


def joined(texts: list[str]) -> list[str]:
    """Return the texts in as few messages as possible."""
    messages = [""]
    for text in texts:
        if len(messages[-1]) + len(text) > 3_900:
            messages.append("")
        messages[-1] += f"{text[:3_900]}\n"
    return [message for message in messages if message.strip()]
