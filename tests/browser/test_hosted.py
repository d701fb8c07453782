"""The hosted chat page in a real browser: the identity is carried over once, and the content security policy works."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import APIRequestContext, Browser, Error, Frame, Page, Response, expect

from tests.browser.conftest import check_for_everybody
from tests.browser.waiting import wait_for
from tests.patience import PATIENCE_MS

pytestmark = pytest.mark.browser


def is_redeeming(response: Response) -> bool:
    return response.url.endswith("/api/v1/widget/codes/redeem") and response.request.method == "POST"


@pytest.fixture
def code_url(page: Page, demo: dict[str, Any]) -> str:
    """The address of the hosted page that the shop gets for a signed-in customer."""
    shop, base = demo["urls"]["shop"], demo["urls"]["base"]
    request: APIRequestContext = page.request
    token = request.post(f"{shop}/api/token", data={"customer": demo["customers"][0]["id"]}).json()["token"]
    asked = {"channel": demo["channel"], "token": token}
    answer = request.post(f"{base}/api/v1/widget/codes", data=asked, headers={"Origin": shop})
    assert answer.status == 201, answer.text()
    return str(answer.json()["url"])


def test_the_identity_is_carried_over_once(page: Page, code_url: str, demo: dict[str, Any]) -> None:
    with page.expect_response(is_redeeming) as first:
        page.goto(code_url)
    assert first.value.status == 201
    customer = demo["customers"][0]
    me = page.request.get("/api/v1/me", headers={"Authorization": f"Bearer {first.value.json()['token']}"}).json()
    assert (me["is_verified"], me["name"]) == (True, customer["name"])
    expect(page).to_have_url(code_url.partition("#")[0])
    expect(page.get_by_role("textbox")).to_be_visible()
    check_for_everybody(page)
    with page.expect_response(is_redeeming) as second:
        page.goto("about:blank")
        page.goto(code_url)
    assert second.value.status == 401


def test_no_text_becomes_markup_or_script(browser: Browser, demo: dict[str, Any]) -> None:
    page = browser.new_page(base_url=demo["urls"]["base"])
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"/chat/{demo['channel']}/")
    with pytest.raises(Error, match="TrustedHTML"):
        page.evaluate("document.body.innerHTML = '<b>x</b>'")
    with pytest.raises(Error, match="TrustedScript"):
        page.evaluate("document.body.setAttribute('onclick', 'window.ran = true')")
    page.close()


@pytest.fixture
def stranger() -> Iterator[str]:
    """The origin of an unknown page on this machine: Chromium does not let remote pages frame local ones."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(Path(__file__).parent / "nothing"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


FRAME = """address => new Promise(loaded => {
    const made = document.createElement("iframe");
    made.onload = () => loaded();
    made.src = address;
    document.body.append(made);
})"""


def framed(browser: Browser, place: str, address: str) -> Frame:
    """Show an address in a frame of the page at `place`; a refused frame shows an error."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(place)
    page.evaluate(FRAME, address)
    return page.frames[-1]


def test_a_strangers_page_cannot_frame_it(browser: Browser, demo: dict[str, Any], stranger: str) -> None:
    address = f"{demo['urls']['base']}/chat/{demo['channel']}/"
    title = "Chat with Wrenfell"
    own = framed(browser, f"{demo['urls']['base']}/livez", address)
    expect(own.locator("h1", has_text=title)).to_have_count(1)
    strangers = framed(browser, stranger, address)
    wait_for(strangers.page, lambda: strangers.url == "chrome-error://chromewebdata/")
    expect(strangers.locator("h1", has_text=title)).to_have_count(0)


@pytest.mark.long
def test_the_page_of_a_missing_chat_is_accessible(page: Page) -> None:
    page.goto("/chat/pk_nothing/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Chat not found")
    check_for_everybody(page)


@pytest.mark.long
@pytest.mark.parametrize("high", [844, 390])
def test_imprint_and_privacy_are_under_the_chat_on_a_narrow_screen(
    new_page: Callable[..., Page], demo: dict[str, Any], high: int
) -> None:
    address = f"/chat/{demo['channel']}/"
    shown = {"channel": {"key": demo["channel"]}, "workspace": {"imprint_url": "https://shop.example/imprint"}}
    html = render_to_string("widget/chat.html", {**shown, "language": "en", "direction": "ltr", "title": "Chat"})
    # Without the animation that moves it into place.
    page = new_page(viewport={"width": 390, "height": high}, reduced_motion="reduce")
    page.route(f"**{address}", lambda route: route.fulfill(response=route.fetch(), body=html))
    page.goto(address)
    expect(page.get_by_role("textbox")).to_be_in_viewport(ratio=1)
    link = page.get_by_role("link", name="Imprint")
    link.click(trial=True)  # nothing covers it
    chat, line = page.locator("dialog").bounding_box(), link.bounding_box()
    assert chat is not None and line is not None
    assert chat["height"] > high * 0.9 and chat["y"] + chat["height"] <= line["y"]
    assert line["y"] + line["height"] <= high
    check_for_everybody(page)
