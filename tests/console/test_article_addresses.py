"""Changed addresses of help pages, outdated translations, and broken links."""

from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from selectolax.lexbor import LexborHTMLParser

from kb.errors import ArticleExists
from kb.help_centre.slugs import rename
from kb.models import Article
from kb.services import Change, archive, create_article, publish, save_draft
from supportbot.accounts.models import Workspace
from supportbot.console.articles.editor import help_page_fields
from tests.console.conftest import Enter

pytestmark = pytest.mark.django_db


def published(external_id: str, locale: str = "en", body: str = "Text.") -> Article:
    article = create_article(Change(title=external_id.title(), body=body, locale=locale), external_id=external_id)
    return publish(article.pk)


def form(article: Article, **more: Any) -> dict[str, Any]:
    newest = article.latest_revision
    assert newest is not None
    typed = {"title": newest.title, "body": newest.body, "locale": article.locale, "do": "save", "slug": ""}
    return typed | {"translation_of": ""} | more


@pytest.mark.long
def test_former_addresses_redirect_and_are_never_reused(enter: Enter, client: Client) -> None:
    returns, other, editor = published("returns"), published("other"), enter("editor")
    page, help_pages = f"/admin/kb/article/{returns.pk}/change/", "/help/wrenfell"
    for slug in ("Send it back", "policies/returns"):
        told = editor.post(page, form(returns, slug=slug), follow=True).content.decode()
        assert "Saved. The text is unchanged." in told
    assert client.get(f"{help_pages}/policies/returns/").status_code == 200
    for former in ("returns", "send-it-back"):
        moved = client.get(f"{help_pages}/{former}/?r=1&start=0&end=4")
        assert (moved.status_code, moved["Location"]) == (302, f"{help_pages}/policies/returns/?r=1&start=0&end=4")
    assert "policies/returns" in client.get(f"{help_pages}/sitemap.xml").content.decode()
    for taken in ("send-it-back", "policies/returns", "returns", str(returns.pk)):
        refused = editor.post(f"/admin/kb/article/{other.pk}/change/", form(other, slug=taken))
        assert refused.status_code == 400 and b'id="slug-error"' in refused.content
    assert editor.post(page, form(returns, slug="send-it-back")).status_code == 302, "back to a former address"
    assert client.get(f"{help_pages}/policies/returns/")["Location"] == f"{help_pages}/send-it-back/"
    archive(returns.pk)
    assert client.get(f"{help_pages}/policies/returns/").status_code == 404


@pytest.mark.long
def test_an_address_that_is_an_id_or_belongs_to_another_page_is_refused(enter: Enter) -> None:
    returns, other, editor = published("returns"), published("other"), enter("editor")
    for taken in (returns.pk.hex, "0190B3E0-0000-7000-8000-000000000000", "answer", "?!"):
        refused = editor.post(f"/admin/kb/article/{other.pk}/change/", form(other, slug=taken))
        assert refused.status_code == 400 and b'id="slug-error"' in refused.content


def test_an_address_that_is_taken_meanwhile_is_refused_with_a_message(
    enter: Enter, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    returns, other, editor = published("returns"), published("other"), enter("editor")
    check, page = help_page_fields.check_free_slug, f"/admin/kb/article/{other.pk}/change/"

    def overtaken(value: str, *, article: Article | None) -> str:
        slug = check(value, article=article)
        Article.objects.filter(pk=returns.pk).update(slug=slug)
        return slug

    monkeypatch.setattr(help_page_fields, "check_free_slug", overtaken)
    refused = editor.post(page, form(other, slug="send-back", body="Another text."))
    assert refused.status_code == 400 and b'id="slug-error"' in refused.content
    other.refresh_from_db()
    assert other.slug == "" and other.revisions.count() == 1, "nothing was saved"


def test_an_id_that_redirects_elsewhere_is_refused_and_a_generated_one_is_the_next_free(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    returns = published("returns")
    with transaction.atomic():
        rename(returns, "send-back"), rename(returns, "give-back")
    for taken in ("returns", "give-back", "send-back", str(returns.pk)):
        with pytest.raises(ArticleExists):
            create_article(Change(title="Mine", body="Text."), external_id=taken)
    made = [create_article(Change(title="Give back", body="Text.")).external_id for _ in range(2)]
    assert all(one.startswith("give-back-") for one in made) and len(set(made)) == 2
    monkeypatch.setattr("kb.services.leads_elsewhere", lambda external_id: False)
    assert create_article(Change(title="Returns", body="Text.")).external_id.startswith("returns-"), "taken meanwhile"


def test_a_translation_is_linked_and_outdated_once_its_source_changes(enter: Enter, client: Client) -> None:
    source, german, editor = published("returns"), published("rueckgabe", "de"), enter("editor")
    page, listed = f"/admin/kb/article/{german.pk}/change/", "/admin/kb/article/?state=older"
    for wrong in ("nothing", "rueckgabe", "noth\x00ing"):
        assert editor.post(page, form(german, translation_of=wrong)).status_code == 400
    assert editor.post(page, form(german, translation_of="returns")).status_code == 302
    shown = LexborHTMLParser(client.get("/help/wrenfell/returns/").content.decode())
    [alternate] = shown.css("link[rel=alternate][hreflang=de]")
    assert str(alternate.attributes["href"]).endswith("/help/wrenfell/rueckgabe/")
    assert [one.text() for one in shown.css("article a[hreflang=de]")] == ["Deutsch"]
    assert str(german.pk) not in editor.get(listed).content.decode()
    save_draft(source.pk, Change(body="Another text."))
    assert str(german.pk) not in editor.get(listed).content.decode(), "nobody reads the draft"
    publish(source.pk)
    assert str(german.pk) in editor.get(listed).content.decode()
    assert "Older than its source" in editor.get(page).content.decode()
    changed = form(german, body="Ein neuer Text.", translation_of="returns", do="publish")
    assert editor.post(page, changed).status_code == 302
    assert str(german.pk) not in editor.get(listed).content.decode()


def test_the_source_of_a_translation_is_found_by_its_title(enter: Enter, stranger: Client) -> None:
    source, german = published("returns"), published("returns-de", "de")
    save_draft(source.pk, Change(title="Sending things back"))
    archive(published("returns-old").pk)
    editor, address = enter("editor"), "/admin/kb/article/sources/"

    def found(words: str, who: Client = editor, **more: Any) -> list[str]:
        answer = who.get(address, {"q": words, "article": str(german.pk), **more})
        return [one["id"] for one in answer.json()["articles"]]

    assert editor.get(address, {"q": "BACK  things"}).json()["articles"] == [
        {"id": "returns", "title": "Sending things back", "locale": "en"}
    ]
    assert found("back") == found("returns") == found("") == ["returns"], "found by title, by id, and without words"
    assert found("returns-old") == [] == found("back", article=str(source.pk)), (
        "neither archived articles nor the article itself"
    )
    for wrong in ("x", "0190b3e0-0000-7000-8000-000000000000"):
        assert editor.get(address, {"article": wrong}).status_code == 404
    assert stranger.get(address, {"article": str(german.pk)}).status_code == 404
    assert stranger.get(address).json() == {"articles": []}


def test_links_to_pages_that_do_not_exist_are_listed(enter: Enter) -> None:
    published("there")
    gone = published("gone")
    archive(gone.pk)
    links = (
        "[a](/help/wrenfell/there/#x) [b](/help/wrenfell/gone/) [c](/help/wrenfell/never) [d](https://else.example/x)"
    )
    published("linking", body=f"{links} [e](/help/other/never/) [f](http://[broken) [g](/help/wrenfell/)")
    shown = LexborHTMLParser(enter("agent").get("/admin/kb/article/links/").content.decode())
    assert [one.text() for one in shown.css("td code")] == ["/help/wrenfell/gone/", "/help/wrenfell/never"]
