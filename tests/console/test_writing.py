"""The requests of the editor's script: articles to link to, and pasted pages as Markdown."""

import pytest

from kb.services import Change, create_article, publish
from tests.console.conftest import Enter

pytestmark = pytest.mark.django_db
PASTED = """<html><body><!--StartFragment--><h2 class="MsoNormal" style="x">Prices</h2><p>See <b>all</b>
<a href="https://shop.example/a">here</a>.</p><table><tr><th>Size</th></tr><tr><td>M</td></tr></table>
<script>alert(1)</script></body></html>"""


def test_articles_are_found_by_their_titles_and_pasted_pages_become_markdown(enter: Enter) -> None:
    for title, facts in (("Gift cards", {}), ("Gift cards inside", {"audience": "internal"}), ("Returns", {})):
        publish(create_article(Change(title=title, body="Text.", **facts)).pk)
    create_article(Change(title="Gift cards, a draft", body="Text."))
    editor = enter("editor")
    found = editor.get("/admin/kb/article/pick/", {"q": "cards  GIFT"}).json()["articles"]
    assert found == [{"title": "Gift cards", "address": "/help/wrenfell/gift-cards/"}]
    markdown = editor.post("/admin/kb/article/paste/", {"html": PASTED}).json()["markdown"]
    assert "## Prices" in markdown and "**all** [here](https://shop.example/a)" in markdown and "| M |" in markdown
    assert "alert" not in markdown and "Mso" not in markdown
    assert editor.post("/admin/kb/article/paste/", {"html": "<p></p>"}).json() == {"markdown": ""}
    assert enter("agent").post("/admin/kb/article/paste/", {"html": PASTED}).status_code == 403
