"""Every page of the console, as a stranger and as every role. The tests visit everything that is registered, so a new
admin class is covered automatically.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from selectolax.lexbor import LexborHTMLParser

from kb.collections import writers_of
from kb.models import Article, Collection
from supportbot.accounts.models import Membership, User, Workspace
from supportbot.accounts.principals import ROLE_SCOPES
from supportbot.accounts.scope import workspace_scope
from supportbot.console.base import Scoped
from supportbot.console.permissions import CONSOLE_RIGHTS, RIGHTS
from tests.console.conftest import ROLES, SECRET, Enter, Sample

pytestmark = pytest.mark.django_db
INLINE = re.compile(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:|\sx-[a-z]+[=:]")
# The framework's titles.
FRAMEWORK = re.compile(r"Select .* to (change|view)|Change history|Cannot delete|(^|: )(Change|View) ")
FORM = "application/x-www-form-urlencoded"
OPEN = {
    "login",
    "logout",
    "session",
    "admin_password_reset",
    "password_reset_done",
    "password_reset_confirm",
    "password_reset_complete",
}


def test_pages_ask_whether_the_person_is_still_logged_in_to_their_workspace(
    enter: Enter, workspace: Workspace, other_workspace: Workspace
) -> None:
    client, address = enter("editor"), reverse("admin:session")
    shown = LexborHTMLParser(client.get(reverse("admin:index")).content.decode()).css_first("#session").attributes
    now = client.get(address)
    assert now.json()["workspace"] == shown["data-workspace"] == str(workspace.pk)
    assert now.json()["user"] == shown["data-user"] == client.session["_auth_user_id"]
    assert shown["data-check"] == address
    assert "no-store" in now.headers["Cache-Control"]
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    sent = {"title": "Wool", "body": "Wash it.", "csrfmiddlewaretoken": strict.get(address).json()["token"]}
    assert strict.post(reverse("admin:kb_article_add"), sent).status_code == 302
    with workspace_scope(other_workspace.pk):
        Membership.objects.create(
            workspace=other_workspace, user=User.objects.get(pk=client.session["_auth_user_id"]), role="editor"
        )
    client.post(reverse("admin:switch"), {"workspace": str(other_workspace.pk)})
    assert client.get(address).json()["workspace"] == str(other_workspace.pk)
    client.logout()
    assert client.get(address).json() == {"user": "", "workspace": "", "token": ""}


# Pages that use another word for their model than its class name.
NAMED_OTHERWISE = {"model-test": "modelconnection"}
# Pages about objects that the sample does not contain, so no id leads anywhere.
WITHOUT_A_ROW = {
    "setup",
    "improve-broken",
    "improve-contradiction",
    "improve-group",
    "trace",
    "view_on_site",
    "search-model-test",
    "search-model-delete",
    "answer-case",
    "finding-case",
    "evals_result_label",
}


def registered() -> list[tuple[type[Model], Any]]:
    assert get_resolver().url_patterns  # the console's classes are registered with its addresses
    return list(admin.site._registry.items())


def console_pages() -> Iterator[URLPattern]:
    """Yield every address below /admin/."""
    for entry in get_resolver().url_patterns:
        if str(entry.pattern) == "admin/":
            yield from _flat(entry)


def _flat(entry: URLPattern | URLResolver) -> Iterator[URLPattern]:
    if isinstance(entry, URLPattern):
        yield entry
        return
    for inner in entry.url_patterns:
        yield from _flat(inner)


def addresses(sample: Sample) -> list[str]:
    """Return every address: those that take an id with the ids of the sample's rows, and those that take none."""
    found = set()
    for page in console_pages():
        name, fields = page.name or "", list(page.pattern.converters)
        if page.name in OPEN or not name:
            continue
        if not fields:
            found.add(_address(name, []))
            continue
        for row in _rows_for(name, sample):
            found.add(_address(name, [_value(field, row) for field in fields]))
    return sorted(address for address in found if address)


def _rows_for(name: str, sample: Sample) -> list[Any]:
    """Return the rows of the model that the page's name contains; a page that names no model gets all rows."""
    words = re.split("[_-]", name)
    for is_own in (
        lambda meta: name.startswith(f"{meta.app_label}_{meta.model_name}_"),
        lambda meta: meta.model_name in words,  # such as channel-key-add
        lambda meta: meta.model_name == NAMED_OTHERWISE.get(name),
    ):
        own = [row for row in sample.rows() if is_own(type(row)._meta)]
        if own:
            return own
    return [sample.article] if name in WITHOUT_A_ROW else sample.rows()


def _address(name: str, values: list[Any]) -> str:
    for full in (f"admin:{name}", name):
        try:
            return reverse(full, args=values)
        except Exception:  # noqa: BLE001  # not an address of this form
            continue
    return ""


def _value(field: str, row: Any) -> Any:
    return {"kid": "1", "slug": "basics", "content_type_id": 1, "app_label": "kb", "url": "x"}.get(field, row.pk)


def test_every_class_derives_from_the_scoped_base() -> None:
    for model, pages in registered():
        assert isinstance(pages, Scoped), model
        assert pages.view_right in RIGHTS, model
        assert pages.change_right in RIGHTS | {""}, model


TYPED = {"name": "taken", "title": "taken", "body": "taken", "role": "editor", "post": "yes", "r": "1"}


def test_a_stranger_sees_and_changes_nothing_anywhere(stranger: Client, sample: Sample) -> None:
    """One walk for both, since it takes seconds."""
    before, seen = stored(sample), addresses(sample)
    assert len(seen) > 100
    for address in seen:
        posted = ("publish", "archive") if "article" in address else ("publish",)
        answers = [stranger.get(address), *(stranger.post(address, {**TYPED, "do": do}) for do in posted)]
        for answer in answers:
            assert answer.status_code < 500, (address, answer.status_code)
            assert SECRET not in answer.content.decode(errors="replace"), address
            assert SECRET not in str(answer.headers), address
    assert stored(sample) == before
    assert all(before)


@pytest.mark.parametrize("step", [20, pytest.param(1, marks=pytest.mark.long)])
def test_searches_and_filters_reveal_nothing_to_a_stranger(stranger: Client, sample: Sample, step: int) -> None:
    """Searches, filters over relations, autocompletes and choices only return a stranger's own rows."""
    for model, _ in registered()[::step]:
        app, name = model._meta.app_label, model._meta.model_name
        listed = reverse(f"admin:{app}_{name}_changelist")
        for query in (
            f"q={SECRET[:-1]}",
            "workspace__name__startswith=X",
            f"workspace__id__exact={sample.workspace.pk}",
        ):
            assert SECRET not in stranger.get(f"{listed}?{query}", follow=True).content.decode(), (listed, query)
        for field in model._meta.get_fields():
            asked = {"app_label": app, "model_name": name, "field_name": field.name, "term": ""}
            assert SECRET not in stranger.get(reverse("admin:autocomplete"), asked).content.decode(), (model, field)


def stored(sample: Sample) -> list[Any]:
    with_all = [type(row)._base_manager.filter(pk=row.pk).values().first() for row in sample.rows()]
    return [{key: value for key, value in (row or {}).items() if key != "last_used_at"} for row in with_all]


def _without_what_was_asked(html: str) -> str:
    return html.replace(f"What is a {SECRET}?", "")


def test_a_strangers_own_pages_refuse_ids_of_other_workspaces(
    stranger: Client, sample: Sample, other_workspace: Workspace
) -> None:
    """A stranger's own forms, selections, questions and look-ups, filled with ids of other workspaces."""
    before = stored(sample)
    article, lists, person = str(sample.article.pk), "admin:kb_article_changelist", str(sample.membership.user_id)
    words = {"title": "Mine", "body": "Mine.", "audience": "public", "collection": str(sample.collection.pk)}
    for address, sent in (
        (reverse("admin:kb_article_add"), {**words, "do": "publish"}),
        (reverse(lists), {"action": "archive_ticked", "_selected_action": article, "index": "0"}),
        (reverse(lists), {"action": "archive_ticked", "_selected_action": article, "index": "0", "select_across": "1"}),
        (reverse("admin:ask"), {"question": f"What is a {SECRET}?", "article": article, "title": "x", "body": "x"}),
        (reverse("admin:import-state"), {"article": article}),
        (reverse("admin:switch"), {"workspace": str(sample.workspace.pk), "next": reverse(lists)}),
        (reverse("admin:kb_collection_add"), {"name": "Mine", "writers": person}),
        (
            reverse("admin:accounts_apikey_add"),
            {"name": "x", "scopes": "kb:read", "user": person},
        ),
    ):
        answer = stranger.post(address, sent, follow=True)
        assert answer.status_code < 500, address
        assert SECRET not in _without_what_was_asked(answer.content.decode()), address
        assert article not in answer.content.decode().replace(f'value="{article}"', ""), address
    with workspace_scope(other_workspace.pk):
        assert not Article.objects.exists()
        assert [writers_of(shelf) for shelf in Collection.objects.filter(name="Mine")] in ([], [[]])
    assert stored(sample) == before
    assert stranger.get(reverse("admin:index")).context["workspace"] == other_workspace


def test_filters_and_orders_cannot_query_hidden_fields(stranger: Client, enter: Enter, sample: Sample) -> None:
    """A response that depends on hidden rows is a leak in itself."""
    for client in (stranger, enter("editor")):
        for query in (
            f"collection__id__exact={sample.collection.pk}",
            "collection__workspace__name__startswith=X",
            "latest_revision__author__password__startswith=pbkdf2",
            "workspace__apikeys__digest__startswith=a",
        ):
            answer = client.get(f"{reverse('admin:kb_article_changelist')}?{query}")
            assert answer.status_code in (200, 302, 400), query
            assert answer.status_code != 200 or query.startswith("collection__id"), query
    listed = stranger.get(f"{reverse('admin:kb_article_changelist')}?collection__id__exact={sample.collection.pk}")
    assert SECRET not in listed.content.decode()


@pytest.mark.long
def test_each_role_opens_the_pages_of_its_rights_and_each_is_complete(enter: Enter, sample: Sample) -> None:
    """One walk for both, since it takes seconds. Other roles do not try addresses where an admin finds no page."""
    seen = addresses(sample)
    for role in sorted(ROLES, key=lambda role: role != "admin"):
        client = enter(role)
        answers = {address: client.get(address) for address in seen}
        assert_pages_of_rights(role, sample, {address: answer.status_code for address, answer in answers.items()})
        titles = [title for address, answer in answers.items() if (title := complete(address, answer)) is not None]
        assert len(titles) > (60 if role == "admin" else 5), role
        wrong = [title for title in titles if FRAMEWORK.search(title) or title.startswith(("|", "None", ":"))]
        assert wrong == [], role
        if role == "admin":
            seen = [address for address, answer in answers.items() if answer.status_code not in (404, 405)]


def assert_pages_of_rights(role: str, sample: Sample, statuses: dict[str, int]) -> None:
    assert max(statuses.values()) < 500, statuses
    for model, pages in registered():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        row = next((row for row in sample.rows() if type(row) is model), None)
        changed = [] if row is None else [reverse(f"{name}_change", args=[row.pk])]
        for address in (reverse(f"{name}_changelist"), *changed):
            assert statuses[address] == (200 if _holds(role, pages.view_right) else 403), (role, address)


def complete(address: str, answer: Any) -> str | None:
    """Return the title of a page; None for a redirect, for example. Assert that the page follows the CSP, has no inline
    scripts or styles, and one main element and one heading.
    """
    if answer.status_code != 200 or not answer.headers["Content-Type"].startswith("text/html"):
        return None
    html = answer.content.decode()
    assert "unsafe" not in answer.headers["Content-Security-Policy"], address
    assert not INLINE.search(html), address
    if "<html" in html:
        assert len(re.findall(r"<main\b", html)) == len(re.findall(r"<h1\b", html)) == 1, address
    return title_in(html)


def title_in(html: str) -> str | None:
    found = LexborHTMLParser(html).css_first("title")
    return None if found is None else " ".join(found.text().split())


# Each page reads some of these parameters and ignores the others.
NONSENSE = (
    {"title": "\x00", "name": "\x00", "body": "\x00", "r": "-1", "role": "king", "action": "drop", "workspace": "\x00"},
    {
        "title": "\ud83d",
        "username": "\ud83d",
        "question": "\ud83d",
        "collection": "x",
        "based_on": "9" * 30,
        "article": "x",
        "_selected_action": "nonsense",
        "action": "publish_ticked",
        "index": "x",
        "do": "save",
        "post": "yes",
    },
)
QUERIES = (
    "q=%00",
    "p=99999999999999999999",
    "o=9.-9.x",
    "e=1",
    "state=nonsense&r=x&days=-1&outcome=x",
    "title=%00&q=%ff",
)
HUGE = "x" * 3_000_000  # below the server's limit for bodies, above the limit of any text


def one_of_each(sample: Sample) -> list[str]:
    """Return one address of every page, with a valid id where one is needed."""
    found: dict[str, str] = {}
    for page in console_pages():
        name, fields = page.name or "", list(page.pattern.converters)
        if not name or page.name in OPEN:
            continue
        row = next(
            (row for row in sample.rows() if type(row).__name__.lower() in re.split("[_-]", name)), sample.article
        )
        found[name] = _address(name, [_value(field, row) for field in fields])
    return sorted(filter(None, found.values()))


@pytest.mark.long
def test_no_page_fails_on_invalid_input(enter: Enter, sample: Sample) -> None:
    client = enter("admin")
    seen = one_of_each(sample)
    assert len(seen) > 50
    for address in seen:
        for data in NONSENSE:
            sent = {key: value.encode("utf-8", "surrogatepass").decode("latin-1") for key, value in data.items()}
            assert client.post(address, sent).status_code < 500, (address, data)
        is_list = address.count("/") == 4  # such as /admin/kb/article/; other pages accept it directly
        for query in QUERIES if is_list else ("&".join(QUERIES),):
            assert client.get(f"{address}?{query}").status_code < 500, (address, query)


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("model", "query"),
    [
        ("kb_article", "locale=%00"),
        ("kb_article", "audience=%00"),
        ("chat_conversation", "mode=%00"),
        ("llm_llmcall", "provider=%00"),
        ("accounts_channel", "locale=%00"),
    ],
)
def test_an_impossible_filter_value_leads_to_the_unfiltered_list(
    enter: Enter, sample: Sample, model: str, query: str
) -> None:
    address = reverse(f"admin:{model}_changelist")
    answer = enter("admin").get(f"{address}?{query}", follow=True)
    assert (answer.status_code, answer.redirect_chain[-1][0]) == (200, f"{address}?e=1")
    assert SECRET in answer.content.decode()


def test_the_history_of_an_invalid_id_is_not_found(enter: Enter) -> None:
    assert enter("admin").get("/admin/kb/article/abc/history/").status_code == 404


@pytest.mark.long
def test_no_page_fails_on_overlong_input(enter: Enter, sample: Sample) -> None:
    client = enter("admin")
    for address in (
        reverse("admin:kb_article_add"),
        reverse("admin:kb_article_change", args=[sample.article.pk]),
        reverse("admin:article-preview"),
        reverse("admin:ask"),
        reverse("admin:kb_collection_add"),
        reverse("admin:accounts_channel_add"),
    ):
        sent = {"title": "Long", "body": HUGE, "question": HUGE, "name": HUGE, "greeting": HUGE}
        for data in (sent, {**sent, "body": HUGE * 2}):
            assert client.post(address, urlencode(data), FORM).status_code < 500, address
    assert Article.objects.count() == 1


def test_a_person_without_a_workspace_is_sent_to_the_login_page(client: Client, db: None) -> None:
    for superuser in (False, True):
        user = User.objects.create_user(f"nobody{superuser}", password="x", is_staff=True, is_superuser=superuser)
        client.force_login(user)
        answer = client.get(reverse("admin:index"))
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(reverse("admin:login"))


def test_a_form_sent_after_logging_out_is_reported_and_returned_to(enter: Enter, sample: Sample) -> None:
    client = enter("admin")
    page = reverse("admin:accounts_channel_change", args=[sample.channel.pk])
    client.logout()
    new_key = reverse("admin:channel-key-add", args=[sample.channel.pk])  # accepts only forms
    answer = client.post(new_key, headers={"referer": f"http://testserver{page}"}, follow=True)
    assert answer.status_code == 200
    assert "so nothing was saved" in answer.content.decode()
    user = User.objects.get(username="admin.of.wrenfell")
    sent = {"username": user.username, "password": "correct horse", "next": answer.context["next"]}
    assert client.post(answer.request["PATH_INFO"], sent).headers["Location"] == page
    assert sample.channel.identity_keys.count() == 1
    client.logout()
    lost = client.post(new_key, headers={"referer": "https://evil.example/"})
    assert lost.headers["Location"] == f"{reverse('admin:login')}?next=%2Fadmin%2F&lost=1"


def test_a_removed_member_loses_access_at_once(enter: Enter, sample: Sample, workspace: Workspace) -> None:
    client = enter("admin")
    listed = reverse("admin:kb_article_changelist")
    assert SECRET in client.get(listed).content.decode()
    Membership.objects.filter(user__username="admin.of.wrenfell").delete()
    assert client.get(listed).status_code == 302


def _holds(role: str, right: str) -> bool:
    return right in ROLE_SCOPES[role] or role in CONSOLE_RIGHTS.get(right, ())
