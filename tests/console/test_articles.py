"""Writing articles: saving, publishing, finding, archiving, comparing and restoring; and text kept after a refusal."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now
from selectolax.lexbor import LexborHTMLParser

from kb.access import Viewer
from kb.article_urls import help_path
from kb.indexing.sync import sync_article
from kb.models import Article, Collection, Revision, State, Synonyms
from kb.search import search
from kb.services import Change, create_article, publish, save_draft
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.models import Citation, Message
from supportbot.chat.services import start_conversation
from supportbot.console.text_diff import compare
from tests.console.conftest import Enter
from tests.pace import bounded
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
LISTED = "/admin/kb/article/"


def words(**more: str) -> dict[str, str]:
    return {"title": "Washing wool", "body": "Wash wool by hand.\n", "do": "save", **more}


def page(article: Article, step: str = "change") -> str:
    return f"{LISTED}{article.pk}/{step}/"


def read(answer: Any) -> LexborHTMLParser:
    return LexborHTMLParser(answer.content.decode())


@pytest.fixture
def editor(enter: Enter) -> Client:
    return enter("editor")


@pytest.fixture
def wool(workspace: Workspace) -> Article:
    article = create_article(Change(title="Washing wool", body="Wash wool by hand.\n"), external_id="wool")
    return publish(article.pk)


def test_a_new_article_is_a_draft(editor: Client) -> None:
    answer = editor.post(f"{LISTED}add/", words())
    article = Article.objects.get()
    assert answer.headers["Location"] == page(article)
    assert (article.state, article.title, article.external_id) == (State.DRAFT, "Washing wool", "washing-wool")
    revision = Revision.objects.get()
    assert revision.author is not None
    assert revision.author.username == "editor.of.wrenfell"
    assert search("wash wool", viewer=Viewer(), mode="lexical").passages == ()


def test_a_published_article_is_found_by_customers(editor: Client) -> None:
    editor.post(f"{LISTED}add/", words(do="publish"))
    article = Article.objects.get()
    assert article.is_live
    assert editor.get(page(article, "searchable")).json() == {
        "state": "live", "is_searchable": False, "passages": 1, "done": 0, "phrasings": 0,
    }  # fmt: skip
    assert [found.external_id for found in search("wash wool", viewer=Viewer(), mode="lexical").passages]
    sync_article(article.pk)
    assert editor.get(page(article, "searchable")).json()["is_searchable"] is True


def test_a_saved_draft_leaves_the_live_text_alone(editor: Client, wool: Article) -> None:
    editor.post(page(wool), words(body="Wash wool cold.\n", based_on="1"))
    wool.refresh_from_db()
    assert wool.live_revision is not None and wool.latest_revision is not None
    assert (wool.live_revision.body, wool.latest_revision.body) == ("Wash wool by hand.\n", "Wash wool cold.\n")
    tree = read(editor.get(page(wool)))
    assert [visible_text(tag) for tag in tree.css(".ed-h .tag")] == ["Published, revision 1", "Draft, revision 2"]


def based_on(tree: LexborHTMLParser) -> str:
    return tree.css_first("input[name=based_on]").attributes["value"] or ""


def test_a_colleagues_newer_text_is_not_overwritten(editor: Client, wool: Article) -> None:
    save_draft(wool.pk, Change(body="A colleague's words.\n"))
    answer = editor.post(page(wool), words(body="My words.\n", based_on="1"))
    tree = read(answer)
    assert answer.status_code == 409
    assert tree.css_first("#body").text() == "My words.\n"
    assert "Revision 2 has been saved in the meantime" in tree.css_first("[role=alert]").text()
    assert [row.body for row in Revision.objects.order_by("number")][-1] == "A colleague's words.\n"
    save_draft(wool.pk, Change(body="Words of yet another.\n"))
    again = editor.post(page(wool), words(body="My words.\n", based_on=based_on(tree)))
    assert "Revision 3 has been saved in the meantime" in read(again).css_first("[role=alert]").text()
    editor.post(page(wool), words(body="My words.\n", based_on=based_on(read(again))))
    assert [row.body for row in Revision.objects.order_by("number")][-1] == "My words.\n"  # as the refusal has advised


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"title": "  "}, "The title is empty."),
        ({"body": ""}, "The text is empty."),
        ({"body": "a\x00b"}, "NUL"),
        ({"locale": "klingonish"}, "The language “klingonish” is unknown."),
        ({"url": "javascript:alert(1)"}, "is not a web address"),
        ({"collection": "nonsense"}, "Choose a collection from the list."),
        ({"audience": "everybody"}, "The audience “everybody” is unknown."),
    ],
)
def test_invalid_text_is_reported_next_to_its_field(
    editor: Client, wool: Article, wrong: dict[str, str], said: str
) -> None:
    answer = editor.post(page(wool), words(**{"body": "Typed with care.\n", "based_on": "1", **wrong}))
    assert answer.status_code == 400
    html = answer.content.decode()
    assert said.replace("'", "&#x27;") in html
    assert "body" in wrong or "Typed with care." in html
    assert Revision.objects.count() == 1


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("name", "value"), [("url", "javascript:alert(1)"), ("locale", "klingonish"), ("category", "c" * 200)]
)
def test_an_error_is_linked_to_its_field(editor: Client, wool: Article, name: str, value: str) -> None:
    tree = LexborHTMLParser(editor.post(page(wool), words(based_on="1", **{name: value})).content.decode())
    field = tree.css_first(f"#{name}")
    assert field.attributes["aria-invalid"] == "true"
    assert tree.css_first(f"#{field.attributes['aria-describedby']}.err").text()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"external_id": "wo\0ol"}, "„ID“ enthält ein NUL-Zeichen. Entfernen Sie es."),
        ({"body": "Wash.\n\nWo\0ol."}, "„Text“ enthält ein NUL-Zeichen (Zeile 3). Entfernen Sie es."),
    ],
)
def test_a_nul_is_reported_in_the_readers_language(editor: Client, wrong: dict[str, str], told: str) -> None:
    User.objects.update(language="de")
    answer = editor.post(f"{LISTED}add/", words(**wrong))
    assert answer.status_code == 400 and told in answer.content.decode()


def test_a_collection_of_another_workspace_cannot_be_chosen(
    editor: Client, wool: Article, other_workspace: Workspace
) -> None:
    theirs = Collection._base_manager.create(workspace=other_workspace, slug="x", name="Theirs")
    answer = editor.post(page(wool), words(based_on="1", collection=str(theirs.pk)))
    assert answer.status_code == 400
    wool.refresh_from_db()
    assert wool.collection.name == "General"


def test_the_default_collection_is_offered_once_by_its_name(editor: Client) -> None:
    """It is created with the first article. Its name is stored, so it is the same in all languages."""
    User.objects.update(language="de")
    for _ in range(2):
        offered = [one.text(strip=True) for one in read(editor.get(f"{LISTED}add/")).css("#collection option")]
        assert offered == ["General"]
        editor.post(f"{LISTED}add/", words())
    assert list(Article.objects.values_list("collection__name", flat=True)) == ["General"] * 2


def test_archiving_hides_an_article_at_once(editor: Client, wool: Article) -> None:
    editor.post(page(wool), {"do": "archive"})
    wool.refresh_from_db()
    assert wool.state == State.ARCHIVED
    assert search("wash wool", viewer=Viewer(), mode="lexical").passages == ()
    assert Revision.objects.count() == 1


def test_restoring_an_old_revision_creates_a_draft(editor: Client, wool: Article) -> None:
    save_draft(wool.pk, Change(body="Wash wool cold.\n"))
    publish(wool.pk)
    editor.post(page(wool, "revisions/restore"), {"r": "1"})
    wool.refresh_from_db()
    assert wool.live_revision is not None and wool.latest_revision is not None
    assert (wool.latest_revision.number, wool.latest_revision.body) == (3, "Wash wool by hand.\n")
    assert wool.live_revision.number == 2
    tree = read(editor.get(page(wool, "revisions") + "?r=1"))
    assert (tree.css_first(".diff del").text(), tree.css_first(".diff ins").text()) == ("cold", "by hand")


def test_the_preview_matches_the_help_page(editor: Client, client: Client, wool: Article) -> None:
    body = "# Wool\n\n**Cold** <b onclick=x>water</b> and [a link](javascript:x)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    shown = editor.post(reverse("admin:article-preview"), {"title": "Washing wool", "body": body})
    save_draft(wool.pk, Change(body=body))
    publish(wool.pk)
    wool.refresh_from_db()
    public = read(client.get(help_path(wool))).css_first("main").html or ""
    inside = read(shown).css_first("article").html or ""
    inside = inside[inside.index("</h2>") + 5 : inside.index("</article>")]
    assert "<b onclick" not in inside
    assert inside.strip() in public


def test_the_preview_of_a_very_long_text_is_cut_with_a_note(editor: Client) -> None:
    body = "word " * 30_000
    tree = read(editor.post(reverse("admin:article-preview"), {"title": "Long", "body": body}))
    assert len(tree.css_first("article").text()) < 100_100
    assert "The preview ends here" in tree.css_first(".notice").text()


@pytest.mark.parametrize(("role", "status"), [("agent", 403), ("supervisor", 403), ("editor", 302), ("admin", 302)])
def test_only_permitted_writers_can_write(enter: Enter, wool: Article, role: str, status: int) -> None:
    client = enter(role)
    for step, data in (("change", words(based_on="1", body="New.\n")), ("revisions/restore", {"r": "1"})):
        assert client.post(page(wool, step), data).status_code == status
    assert client.get(page(wool)).status_code == 200
    assert Revision.objects.count() == (1 if status == 403 else 3)


def test_selected_articles_are_published_and_archived_together(editor: Client, wool: Article) -> None:
    draft = create_article(Change(title="Drying wool", body="Dry it flat.\n"))
    ticked = {"_selected_action": [str(wool.pk), str(draft.pk)], "index": "0"}
    editor.post(LISTED, {"action": "publish_ticked", **ticked})
    assert set(Article.objects.values_list("state", flat=True)) == {State.LIVE}
    editor.post(LISTED, {"action": "archive_ticked", **ticked})
    assert set(Article.objects.values_list("state", flat=True)) == {State.ARCHIVED}


def test_a_bulk_action_without_a_selection_asks_for_one(editor: Client, wool: Article) -> None:
    answer = editor.post("/admin/kb/article/?q=wool", {"action": "archive_ticked"}, follow=True)
    assert answer.redirect_chain == [("/admin/kb/article/?q=wool", 302)]
    assert "Select one or more rows" in answer.content.decode()
    wool.refresh_from_db()
    assert wool.is_live


@pytest.mark.long
def test_the_list_can_be_filtered_by_state_and_searched(editor: Client, wool: Article) -> None:
    create_article(Change(title="Drying felt", body="Dry it flat.\n"))

    def titles(query: str) -> set[str]:
        return {link.text() for link in read(editor.get(f"{LISTED}?{query}")).css("#result_list a.t")}

    assert titles("") == {"Washing wool", "Drying felt"}
    assert titles("state=live") == titles("q=by+hand") == {"Washing wool"}
    assert titles("state=draft") == {"Drying felt"}
    assert titles("state=open") == titles("q=nowhere") == set()
    save_draft(wool.pk, Change(body="Wash wool cold.\n"))
    assert titles("state=open") == {"Washing wool"}


@pytest.mark.long
def test_a_page_of_fifty_articles_takes_as_many_queries_as_one(
    editor: Client, wool: Article, django_assert_max_num_queries: Any
) -> None:
    for number in range(49):
        create_article(Change(title=f"Article {number}", body="Words.\n"))
    with django_assert_max_num_queries(15):
        assert len(read(editor.get(LISTED)).css("#result_list tbody tr")) == 50


def test_only_an_empty_collection_can_be_deleted(editor: Client, wool: Article) -> None:
    empty = Collection.objects.create(slug="empty", name="Empty")
    for shelf, status in ((wool.collection, 403), (empty, 302)):
        answer = editor.post(f"/admin/kb/collection/{shelf.pk}/delete/", {"post": "yes"})
        assert answer.status_code == status
    assert [shelf.name for shelf in Collection.objects.all()] == ["General"]


def test_a_diff_folds_unchanged_lines_and_marks_changed_words() -> None:
    lines = [f"line {number}" for number in range(20)]
    rows = compare("\n".join(lines), "\n".join([*lines[:10], "line ten", *lines[11:], "more"]))
    assert [row.skipped for row in rows if row.skipped] == [8, 5]
    changed = next(row for row in rows if row.old.kind == "del")
    assert [piece.text for piece in changed.new.pieces if piece.is_changed] == ["ten"]
    assert rows[-1].new.pieces[0].text == "more"
    assert [row.old.kind for row in compare("a", "a")] == ["same"]


def test_texts_that_share_only_blank_lines_are_compared_quickly() -> None:
    old, new = ("\n\n".join(f"{word} {number} of it" for number in range(1_000)) for word in ("line", "row"))
    with bounded(40):  # comparing every blank line takes more than a minute
        rows = compare(old, new)
    assert [row.old.kind for row in rows[:3]] == ["del", "same", "del"]
    assert [piece.text for piece in rows[0].new.pieces if piece.is_changed] == ["row"]


def test_the_list_counts_the_answers_of_a_month_that_cite_an_article(
    editor: Client, wool: Article, alice: Customer
) -> None:
    def told() -> list[str]:
        return [cell.text() for cell in read(editor.get("/admin/kb/article/?o=-6")).css("tbody .field-answers")]

    def answer(*, quotes: int, days_ago: int) -> None:
        at = now() - timedelta(days=days_ago)
        said = Message.objects.create(
            conversation=start_conversation(alice.pk), seq=9, source="assistant", text="x", created_at=at
        )
        for place in range(quotes):
            Citation.objects.create(
                message=said, position=place, article_id=wool.pk, revision=1, start=0, end=1, quote="x"
            )

    assert told() == ["none yet"]
    answer(quotes=2, days_ago=1)
    answer(quotes=1, days_ago=29)
    answer(quotes=1, days_ago=31)
    assert told() == ["2"]


def test_a_text_for_a_wider_audience_is_published_in_one_step_or_not_saved(
    editor: Client, client: Client, wool: Article
) -> None:
    Article.objects.update(audience="internal")
    told = words(body="Everybody may read this.\n", audience="public")
    refused = editor.post(page(wool), told)
    assert refused.status_code == 400
    assert "Publish the text first, or together with the change of readers" in read(refused).text()
    assert "Everybody may read this." in read(refused).css_first("textarea[name=body]").text()
    wool.refresh_from_db()
    assert (wool.audience, wool.latest_revision_id) == ("internal", wool.live_revision_id)
    assert editor.post(page(wool), told | {"do": "publish"}).status_code == 302
    assert "Everybody may read this." in client.get(help_path(wool)).content.decode()
    assert (
        editor.post(page(wool), words(body="Of the team.\n", audience="internal")).status_code == 302
    )  # an audience with fewer readers


def test_synonyms_are_separated_by_lines_or_commas(enter: Enter) -> None:
    admin = enter("admin")
    for typed, words in [("jumper, sweater,", ["jumper", "sweater"]), ("bow tie\r\nnecktie", ["bow tie", "necktie"])]:
        admin.post("/admin/kb/synonyms/add/", {"words": typed})
        assert Synonyms.objects.filter(words=words).exists(), typed


def test_an_empty_list_leads_writers_to_the_next_step(enter: Enter) -> None:
    def steps(role: str, address: str) -> list[str]:
        page = LexborHTMLParser(enter(role).get(address).content.decode())
        return [str(one.attributes["href"]) for one in page.css(".empty a.btn")]

    editor = ["/admin/kb/article/add/", "/admin/import/", "/admin/kb/source/add/"]
    assert steps("editor", "/admin/kb/article/") == editor
    assert steps("agent", "/admin/kb/article/") == []
    assert steps("admin", "/admin/kb/synonyms/") == ["/admin/kb/synonyms/add/"]
