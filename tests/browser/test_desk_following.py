"""The desk's script that follows a request being carried out, on a page of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.browser.waiting import wait_for
from tests.patience import PATIENCE_MS

pytestmark = pytest.mark.browser
SCRIPTS = Path(__file__).parents[2] / "supportbot/handoff/static/desk"
SITE = "http://desk.test"
OWN = "/desk/approvals/7/"
LATE_DECISION = f"{OWN}approve/"  # answers only POST
QUEUED = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Refund</title>
<section id="case" data-carried-out="queued" data-address="{OWN}">Being carried out</section> <a href="/desk/">Desk</a>
<script type="module">
  import {{ followRequest }} from "/carried_out.js";
  followRequest();
</script>"""
DONE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Refund</title><section id="case">Done</section>'


@pytest.fixture
def seen() -> list[str]:
    """The paths of requests for pages."""
    return []


@pytest.fixture
def page(browser: Browser, seen: list[str]) -> Iterator[Page]:
    """A page whose first look-up finds the request queued, and the later ones find it done."""
    answers = iter([QUEUED, DONE])

    def serve(route: Route, request: Request) -> None:
        path = request.url.removeprefix(SITE)
        if path.endswith(".js"):
            route.fulfill(body=(SCRIPTS / path.removeprefix("/")).read_text(), content_type="text/javascript")
            return
        if not seen:
            route.fulfill(body=QUEUED, content_type="text/html")
        elif path == LATE_DECISION:
            route.fulfill(status=405)
        else:
            route.fulfill(body=next(answers, DONE), content_type="text/html")
        seen.append(path)

    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.route(f"{SITE}/**", serve)
    yield page
    page.close()


@pytest.mark.one_in(2)
@pytest.mark.parametrize("shown_at", [OWN, LATE_DECISION])
def test_the_page_moves_on_with_its_request(page: Page, seen: list[str], shown_at: str) -> None:
    page.goto(f"{SITE}{shown_at}")
    expect(page.locator("#case")).to_have_text("Done", timeout=PATIENCE_MS)
    assert page.url == f"{SITE}{OWN}"
    assert seen == [shown_at, OWN, OWN, OWN]  # two look-ups, and the page itself


@pytest.mark.long
def test_the_page_stays_while_a_link_is_focused(page: Page, seen: list[str]) -> None:
    page.goto(f"{SITE}{OWN}")
    link = page.get_by_role("link", name="Desk")
    link.focus()
    wait_for(page, lambda: len(seen) == 4)  # the page and three look-ups, the last two of which find it done
    expect(page.locator("#case")).to_have_text("Being carried out")
    link.blur()
    expect(page.locator("#case")).to_have_text("Done", timeout=PATIENCE_MS)
