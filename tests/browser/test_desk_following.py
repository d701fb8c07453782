"""The desk's script that follows a request being carried out, on a page of its own."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Request, Route, expect

from tests.patience import PATIENCE_MS

pytestmark = pytest.mark.browser
SCRIPTS = Path(__file__).parents[2] / "supportbot/handoff/static/desk"
SITE = "http://desk.test"
OWN = "/desk/approvals/7/"
LATE_DECISION = f"{OWN}approve/"  # answers only POST
QUEUED = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Refund</title>
<section id="case" data-carried-out="queued" data-address="{OWN}">Being carried out</section>
<script type="module">
  import {{ followRequest }} from "/carried_out.js";
  followRequest();
</script>"""
DONE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Refund</title><section id="case">Done</section>'


@pytest.mark.one_in(2)
@pytest.mark.parametrize("shown_at", [OWN, LATE_DECISION])
def test_the_page_moves_on_with_its_request(browser: Browser, shown_at: str) -> None:
    answers = iter([QUEUED, DONE])  # what the look-ups find; the last page opened is the newest state, too

    def serve(route: Route, request: Request) -> None:
        path = request.url.removeprefix(SITE)
        if path.endswith(".js"):
            route.fulfill(body=(SCRIPTS / path.removeprefix("/")).read_text(), content_type="text/javascript")
        elif not seen:
            route.fulfill(body=QUEUED, content_type="text/html")
        elif path == LATE_DECISION:
            route.fulfill(status=405)
        else:
            route.fulfill(body=next(answers, DONE), content_type="text/html")
        seen.append(path)

    seen: list[str] = []
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.route(f"{SITE}/**", serve)
    page.goto(f"{SITE}{shown_at}")
    expect(page.locator("#case")).to_have_text("Done", timeout=PATIENCE_MS)
    assert page.url == f"{SITE}{OWN}"
    assert [path for path in seen if not path.endswith(".js")] == [shown_at, OWN, OWN, OWN]
    page.close()
