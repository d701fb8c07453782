"""The requests of the editor's script: it looks up articles to link to, and converts pasted pages to Markdown."""

import base64

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from kb.models import Picture
from kb.services import Change, create_article, publish
from tests.console.conftest import Enter
from tests.console.test_firststeps import png

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
    assert editor.post("/admin/kb/article/paste/", {"html": "<p></p>"}).json() == {"markdown": "", "left_out": 0}
    assert enter("agent").post("/admin/kb/article/paste/", {"html": PASTED}).status_code == 403


WORD = """<html><body><!--StartFragment--><p class=MsoNormal><b>Terms<o:p></o:p></b></p>
<p class=MsoListParagraphCxSpFirst style='text-indent:-18.0pt;mso-list:l0 level1 lfo1'><![if !supportLists]><span
style='font-family:Symbol'><span style='mso-list:Ignore'>·<span>&nbsp;&nbsp; </span></span></span><![endif]>Paid within
7 days: 2 %</p>
<p class=MsoListParagraphCxSpLast style='mso-list:l0 level2 lfo1'><![if !supportLists]><span
style='mso-list:Ignore'>o<span>&nbsp; </span></span><![endif]>Machines: <b>1 %</b></p>
<p class=MsoNormal>First steps:</p>
<p class=MsoListParagraph style='mso-list:l1 level1 lfo2'><span style='mso-list:Ignore'>1.</span>Write.</p>
<p class=MsoListParagraph style='mso-list:l1 level1 lfo2'><span style='mso-list:Ignore'>2)</span>Call.</p>
<!--EndFragment--></body></html>"""
IN_MARKDOWN = """**Terms**

- Paid within 7 days: 2 %
    - Machines: **1 %**

First steps:

1. Write.
2. Call."""
GOOGLE = """<b style="font-weight:normal;" id="docs-internal-guid-7"><p dir="ltr"><span
style="font-weight:400;white-space:pre-wrap;">Wash </span><span style="font-weight:700;">by hand</span></p></b>"""


def labelled(label: str, text: str, level: int = 1) -> str:
    span = f"<span style='mso-list:Ignore'>{label}<span>&nbsp;&nbsp; </span></span>"
    return f"<p style='mso-list:l0 level{level} lfo1'>{span}{text}</p>\n"


LABELS = [("3.1.", "Refunds."), ("§ 5", "Costs."), ("Step 2:", "Write."), ("a)", "By post."), ("IV.", "Fees.")]
LEGAL = "".join(labelled(*one) for one in LABELS) + labelled("4.", "Else.")
LEGAL_IN_MARKDOWN = "\n\n".join(" ".join(one) for one in LABELS) + "\n\n4. Else."
DEEP = "".join(
    [
        *("<p>First:</p>", labelled("·", "two", 2), labelled("§", "three", 3), labelled("o", "two again", 2)),
        *("<p>Then:</p>", labelled("1)", "four", 4), labelled("·", "one", 1), labelled("·", "three", 3)),
    ]
)
DEEP_IN_MARKDOWN = "First:\n\n- two\n    - three\n- two again\n\nThen:\n\n1. four\n- one\n    - three"
FOREIGN = "<p>Two</p><p data-list-item='true'>Three</p>"
BOLD = "<p><span style='font-weight:bold'>Wash <span style='font-weight:700'>by hand</span></span></p>"


@pytest.mark.parametrize(
    ("pasted", "expected"),
    [
        (WORD, IN_MARKDOWN),
        (LEGAL, LEGAL_IN_MARKDOWN),
        (DEEP, DEEP_IN_MARKDOWN),
        (FOREIGN, "Two\n\nThree"),
        (GOOGLE, "Wash **by hand**"),
        (BOLD, "**Wash by hand**"),
    ],
)
def test_lists_of_word_and_bold_text_of_google_documents_are_kept(enter: Enter, pasted: str, expected: str) -> None:
    answer = enter("editor").post("/admin/kb/article/paste/", {"html": pasted}).json()
    assert answer == {"markdown": expected, "left_out": 0}


def data_url(picture: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def test_pictures_inside_pasted_text_are_stored_and_others_are_counted(enter: Enter) -> None:
    editor = enter("editor")
    html = (
        f"<p>Press this <img alt='The button' src='{data_url(png(width=20, height=20))}'> once.</p>"
        "<p><img alt='From Word' src='file:///C:/clip_image001.png'>"
        "<img alt='A drawing' src='data:image/svg+xml;base64,PHN2Zz4='>"
        "<img alt='Torn' src='data:image/png;base64,iVBO'></p>"
    )
    file = SimpleUploadedFile("pasted.html", html.encode())
    answer = editor.post("/admin/kb/article/paste/", {"html": file}).json()
    picture = Picture.objects.get()
    assert f"Press this ![The button](/help/wrenfell/pictures/{picture.digest}.png) once." in answer["markdown"]
    assert answer["left_out"] == 3
    assert "data:" not in answer["markdown"] and "file:" not in answer["markdown"]


def test_an_agent_stores_no_picture_by_pasting(enter: Enter) -> None:
    html = f"<p>Text <img alt='x' src='{data_url(png(width=20, height=20))}'></p>"
    assert enter("agent").post("/admin/kb/article/paste/", {"html": html}).status_code == 403
    assert not Picture.objects.exists()
