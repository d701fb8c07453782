"""Pictures in articles: re-encoded, and shown with the article to its readers only."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from selectolax.lexbor import LexborHTMLParser

from kb.models import Article, Picture
from kb.rendering import render_markdown
from kb.services import Change, archive, create_article, publish, save_draft
from supportbot.accounts.models import Workspace
from tests.console.conftest import Enter
from tests.console.test_firststeps import png

pytestmark = pytest.mark.django_db


def upload(who: Client, content: bytes) -> Any:
    return who.post("/admin/kb/article/picture/", {"picture": SimpleUploadedFile("a.png", content)})


def test_a_picture_is_re_encoded_and_stored_once_and_other_files_are_refused(enter: Enter) -> None:
    editor = enter("editor")
    hidden = png() + b"<script>alert(1)</script>"
    path = upload(editor, hidden).json()["address"]
    assert upload(editor, png()).json()["address"] == path, "the same picture is stored once"
    for data, said in (
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG drawing"),
        (b"%PDF-1.7", "not a PNG, JPEG, WebP or GIF"),
        (b"\x89PNG\r\n\x1a\nshort", "damaged"),
        (png() + b"x" * 21_000_000, "larger than 20 MB"),
    ):
        refused = upload(editor, data)
        assert refused.status_code == 400 and said in refused.json()["message"]
    assert Picture.objects.count() == 1
    assert upload(enter("agent"), png()).status_code == 403
    assert b"script" not in bytes(Picture.objects.get().content)


def test_a_picture_is_shown_with_its_article_and_to_its_readers_only(
    enter: Enter, client: Client, stranger: Client, workspace: Workspace
) -> None:
    editor = enter("editor")
    path = upload(editor, png()).json()["address"]

    def shown(who: Client) -> int:
        return who.get(path).status_code

    assert (shown(editor), shown(client), shown(stranger)) == (200, 404, 404), "no article has it yet"
    body = f"Press it.\n\n![The red button]({path})\n\n![x](https://else.example/a.png) ![y](/admin/logo.png)\n"
    article = create_article(Change(title="Reset", body=body))
    assert shown(client) == 404
    publish(article.pk)
    answer = client.get(path)
    assert (answer.status_code, answer["Content-Type"], answer["X-Content-Type-Options"]) == (
        200,
        "image/png",
        "nosniff",
    )
    page = LexborHTMLParser(client.get("/help/wrenfell/reset/").content.decode())
    assert [(one.attributes["src"], one.attributes["alt"]) for one in page.css("article img")] == [
        (path, "The red button")
    ]
    preview = editor.post("/admin/kb/article/preview/", {"title": "Reset", "body": body}).content.decode()
    assert len(LexborHTMLParser(preview).css("img")) == 1
    assert "<img" not in render_markdown(body), "showing an answer requests no picture"
    save_draft(article.pk, Change(audience="internal"))
    assert (shown(client), shown(editor)) == (404, 200)
    save_draft(article.pk, Change(audience="public"))
    assert shown(client) == 200
    archive(article.pk)
    assert shown(client) == 404 and Article.objects.get(pk=article.pk)
    plain = create_article(Change(title="Plain", body="No picture."))
    publish(plain.pk)
    save_draft(plain.pk, Change(body=body))
    assert shown(client) == 404, "pictures of a draft are shown to nobody"
    publish(plain.pk)
    assert shown(client) == 200
