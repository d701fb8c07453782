"""The REST API of the knowledge base, as a program with an API key uses it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now
from openapi_spec_validator import validate

from kb import categories
from kb.models import Article, Plan, Revision, State
from kb.tasks import sweep
from supportbot.accounts.api_keys import issue_api_key
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.team_members import add_member
from supportbot.console.tasks import carry_out_plans

pytestmark = pytest.mark.django_db

ARTICLE = {"title": "Delivery abroad", "body": "## Costs\n\nA parcel to Norway costs 12 euros and takes five days."}


class Program:
    """A program with an API key."""

    def __init__(self, key: str) -> None:
        self._client = Client(headers={"Authorization": f"Bearer {key}"})

    def get(self, path: str, **query: object) -> Any:
        return self._client.get(f"/api/v1/{path}", query)

    def post(self, path: str, data: object = None) -> Any:
        return self._client.post(f"/api/v1/{path}", data or {}, content_type="application/json")

    def put(self, path: str, data: object) -> Any:
        return self._client.put(f"/api/v1/{path}", data, content_type="application/json")

    def delete(self, path: str) -> Any:
        return self._client.delete(f"/api/v1/{path}")

    def patch(self, path: str, data: object) -> Any:
        return self._client.patch(f"/api/v1/{path}", data, content_type="application/json")


def program(workspace: Workspace, *scopes: str) -> Program:
    with workspace_scope(workspace.pk):
        return Program(issue_api_key(workspace, "tests", scopes=scopes or ("kb:read", "kb:write")).plain)


@pytest.fixture
def editor(workspace: Workspace) -> Program:
    return program(workspace)


def test_an_article_is_created_published_found_changed_and_archived(editor: Program) -> None:
    new = editor.post("articles", ARTICLE)
    assert new.status_code == 201
    path = f"articles/{new.json()['id']}"
    assert (new.json()["state"], new.json()["external_id"]) == ("draft", "delivery-abroad")
    assert editor.get("search", q="Norway").json()["passages"] == []
    live = editor.post(f"{path}/publish").json()
    assert (live["state"], live["live_revision"]) == ("live", 1)
    assert live["address"] == "/help/wrenfell/delivery-abroad/"
    sweep()
    found = editor.get("search", q="what does a parcel to Norway cost", limit=1).json()
    assert set(found) == {"query", "took_ms", "confidence", "answerable", "passages"}
    [passage] = found["passages"]
    assert (passage["external_id"], passage["revision"], passage["title"]) == ("delivery-abroad", 1, "Delivery abroad")
    assert ARTICLE["body"][passage["start"] : passage["end"]] == passage["text"]
    changed = editor.patch(path, {"body": "A parcel to Norway costs 14 euros.", "based_on": 1}).json()
    assert (changed["live_revision"], changed["latest_revision"], changed["body"][-9:]) == (1, 2, "14 euros.")
    revisions = editor.get(f"{path}/revisions").json()["results"]
    assert [row["number"] for row in revisions] == [2, 1]
    assert editor.post(f"{path}/archive").json()["state"] == "archived"
    assert editor.get("search", q="Norway").json()["passages"] == []


def test_invalid_input_names_its_field_and_stores_nothing(editor: Program) -> None:
    cases: list[tuple[dict[str, object], str]] = [
        ({"body": "x"}, "title"),
        ({"title": "x"}, "body"),
        ({"title": "x", "body": " \n"}, "body"),
        ({"title": "x", "body": "a\x00b"}, "body"),
        ({"title": "x", "body": "x", "colour": "red"}, "colour"),
        ({"title": "x", "body": "x", "audience": "friends"}, "audience"),
        ({"title": "x", "body": "x", "url": "javascript:alert(1)"}, "url"),
        ({"title": "x", "body": "x", "locale": "klingon please"}, "locale"),
        ({"title": "x", "body": "x", "locale": "xx"}, "locale"),
        ({"title": "x", "body": "x", "based_on": 1}, "based_on"),
    ]
    for data, field in cases:
        answer = editor.post("articles", data)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, [field]), data
    answer = editor.post("articles", {"title": "x", "body": "x", "collection": "01a21034-bcd1-7ad8-b61b-198f911c3582"})
    assert (answer.status_code, list(answer.json()["fields"])) == (404, ["collection"])
    assert not Article.objects.exists()


def test_an_action_on_an_article_takes_no_fields_and_its_body_is_an_object(editor: Program) -> None:
    new = editor.post("articles", ARTICLE).json()
    for step in ("publish", "archive"):
        answer = editor.post(f"articles/{new['id']}/{step}", {"at": "noon"})
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["at"])
    assert Article.objects.get().state == State.DRAFT
    listed = editor._client.post("/api/v1/articles", "[1]", content_type="application/json")
    assert (listed.status_code, listed.json()["fields"]) == (
        400, {"_": ["Send a JSON object with named fields."]},
    )  # fmt: skip


def test_a_lone_surrogate_is_refused(editor: Program, workspace: Workspace) -> None:
    answer = editor._client.post(
        "/api/v1/articles", '{"title": "x", "body": "a\\ud800b"}', content_type="application/json"
    )
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["body"])


def test_unknown_search_fields_are_named(editor: Program) -> None:
    assert list(editor.get("search", q="x", colour="red").json()["fields"]) == ["colour"]
    assert list(editor.get("search").json()["fields"]) == ["q"]
    assert list(editor.get("search", q="x", limit=0).json()["fields"]) == ["limit"]
    assert list(editor.get("articles", colour="red").json()["fields"]) == ["colour"]


def test_a_taken_external_id_and_a_stale_save_are_conflicts(editor: Program) -> None:
    new = editor.post("articles", {**ARTICLE, "external_id": "abroad"}).json()
    taken = editor.post("articles", {**ARTICLE, "external_id": "abroad"})
    assert (taken.status_code, taken.json()["code"]) == (409, "article_exists")
    editor.patch(f"articles/{new['id']}", {"body": "Second."})
    stale = editor.patch(f"articles/{new['id']}", {"body": "Third.", "based_on": 1})
    assert (stale.status_code, stale.json()["code"]) == (409, "article_changed")
    assert (list(taken.json()["fields"]), list(stale.json()["fields"])) == (["external_id"], ["based_on"])
    assert (Article.objects.count(), Revision.objects.count()) == (1, 2)


def test_read_access_does_not_grant_write_access(workspace: Workspace, editor: Program) -> None:
    reader = program(workspace, "kb:read")
    new = editor.post("articles", ARTICLE).json()
    assert reader.get("articles").status_code == 200
    for refused in (
        reader.post("articles", ARTICLE),
        reader.patch(f"articles/{new['id']}", {"title": "Mine"}),
        reader.post(f"articles/{new['id']}/publish"),
        reader.post(f"articles/{new['id']}/archive"),
        reader.post("collections", {"name": "Mine"}),
        program(workspace, "tickets:read").get("articles"),
        program(workspace, "tickets:read").get("search", q="x"),
    ):
        assert refused.status_code == 403
    assert Client().get("/api/v1/articles").status_code == 401
    assert Article.objects.get().state == State.DRAFT


def test_another_workspace_sees_nothing(editor: Program, other_workspace: Workspace, mallory: User) -> None:
    stranger = program(other_workspace)
    new = editor.post("articles", ARTICLE).json()
    path = f"articles/{new['id']}"
    editor.post(f"{path}/publish")
    assert stranger.get("articles").json()["results"] == []
    assert stranger.get("collections").json()["results"] == []
    assert stranger.get("search", q="Norway").json()["passages"] == []
    refused = [stranger.get(path), stranger.get(f"{path}/revisions"), stranger.patch(path, {"body": "Stolen."})]
    refused += [stranger.post(f"{path}/publish"), stranger.post(f"{path}/archive")]
    assert {answer.status_code for answer in refused} == {404}
    foreign = stranger.post("articles", {**ARTICLE, "collection": new["collection"]})
    assert list(foreign.json()["fields"]) == ["collection"]
    assert (Article.objects.get().state, Revision.objects.count()) == (State.LIVE, 1)


def test_lists_are_paginated_and_can_be_filtered(editor: Program) -> None:
    ids = [editor.post("articles", {**ARTICLE, "title": f"Number {n}"}).json()["id"] for n in range(3)]
    editor.post(f"articles/{ids[0]}/publish")
    page = editor.get("articles", limit=2).json()
    assert set(page) == {"results", "next"}
    assert [row["id"] for row in page["results"]] == [ids[2], ids[1]]
    assert "body" not in page["results"][0]
    rest = editor._client.get(page["next"]).json()
    assert ([row["id"] for row in rest["results"]], rest["next"]) == ([ids[0]], None)
    assert [row["id"] for row in editor.get("articles", state="live").json()["results"]] == [ids[0]]


@pytest.mark.long
def test_a_list_takes_a_constant_number_of_queries(
    editor: Program, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    for number in range(12):
        editor.post("articles", {**ARTICLE, "title": f"Number {number}"})
    with django_assert_max_num_queries(8):
        assert len(editor.get("articles").json()["results"]) == 12


def test_collections_are_created_once(editor: Program) -> None:
    first = editor.post("collections", {"name": "Returns & refunds"})
    assert (first.status_code, first.json()["slug"]) == (201, "returns-refunds")
    again = editor.post("collections", {"name": "returns & refunds"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    new = editor.post("articles", {**ARTICLE, "collection": first.json()["id"]}).json()
    assert new["collection"] == first.json()["id"]


@pytest.mark.long
def test_the_schema_describes_the_knowledge_base(client: Client, db: None) -> None:
    schema = client.get("/api/v1/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    document = schema.json()
    validate(document)
    assert {"/api/v1/articles", "/api/v1/articles/{article_id}/publish", "/api/v1/search"} <= set(document["paths"])


@pytest.mark.parametrize("value", ["x\x00", "\x00", "\u00fc\x00"])
def test_a_nul_in_a_query_is_refused(editor: Program, value: str) -> None:
    for name in ("external_id", "locale", "state", "audience", "collection", "limit"):
        assert editor.get("articles", **{name: value}).status_code == 400, name
    assert editor.get("collections", cursor=value).status_code < 500
    for name in ("q", "locale", "mode"):
        assert editor.get("search", **{"q": "x", name: value}).status_code == 400
    assert editor.post("collections", {"name": value}).status_code == 400


@pytest.mark.parametrize("path", ["search", "articles"])
def test_an_invalid_language_is_refused(editor: Program, path: str) -> None:
    query = {"q": "parcel"} if path == "search" else {}
    refused = editor.get(path, **query, locale="!!")
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["locale"])
    assert editor.get(path, **query, locale="de_AT").status_code == 200


@pytest.mark.long
def test_address_source_owner_reviewer_and_next_check_are_set_and_cleared(
    workspace: Workspace, editor: Program, client: Client, bob: User
) -> None:
    with workspace_scope(workspace.pk):
        hanna = User.objects.create_user("hanna", password="correct horse", is_staff=True)
        add_member(workspace, hanna, "editor")
    source = editor.post("articles", ARTICLE | {"external_id": "norway"}).json()
    assert (source["slug"], source["former_slugs"], source["translation_of"], source["plans"]) == ("", [], None, [])
    editor.post(f"articles/{source['id']}/publish")
    given = {"slug": "Versand/Norwegen", "translation_of": source["id"], "check_by": "2031-01-31"}
    people = {"owner": "hanna", "reviewer": "hanna"}
    made = editor.post("articles", {"title": "Versand", "body": "12 Euro.", "locale": "de", **given, **people})
    assert made.status_code == 201
    path, shown = f"articles/{made.json()['id']}", made.json()
    assert {name: shown[name] for name in (*given, *people)} == given | people | {"slug": "versand/norwegen"}
    assert shown["older_than_source"] is False
    editor.post(f"{path}/publish")
    renamed = editor.patch(path, {"slug": "nach-norwegen", "reviewer": None}).json()
    assert renamed["former_slugs"] == ["versand/norwegen"]
    assert client.get("/help/wrenfell/versand/norwegen/")["Location"] == "/help/wrenfell/nach-norwegen/"
    editor.patch(f"articles/{source['id']}", {"body": "14 euros."})
    editor.post(f"articles/{source['id']}/publish")
    stale = editor.get(path).json()
    assert (stale["older_than_source"], stale["owner"], stale["reviewer"]) == (True, "hanna", None)

    for wrong, field in (
        ({"slug": "norway"}, "slug"),
        ({"slug": source["id"]}, "slug"),
        ({"translation_of": made.json()["id"]}, "translation_of"),
        ({"owner": "bob"}, "owner"),  # an agent may not write articles
        ({"reviewer": "nobody"}, "reviewer"),
        ({"check_by": "soon"}, "check_by"),
    ):
        refused = editor.patch(path, {"body": "Another text.", **wrong})
        assert refused.status_code == 400 and list(refused.json()["fields"]) == [field], refused.json()
    gone = dict.fromkeys(("translation_of", "owner", "check_by")) | {"slug": ""}
    after = editor.patch(path, gone).json()
    assert {name: after[name] for name in gone} == gone
    assert (after["latest_revision"], after["body"]) == (1, "12 Euro."), "a refusal saves nothing"


@pytest.mark.long
def test_publishing_and_archiving_are_planned_and_cancelled(workspace: Workspace, editor: Program) -> None:
    made = editor.post("articles", ARTICLE).json()
    path = f"articles/{made['id']}"
    soon, later = "2041-01-31T09:00:00Z", "2041-02-28T09:00:00Z"
    assert editor.put(f"{path}/plans/publish", {"at": soon}).status_code == 200
    shown = editor.put(f"{path}/plans/archive", {"at": later}).json()
    assert [(plan["step"], plan["at"], plan["problem"]) for plan in shown["plans"]] == [
        ("publish", soon, ""),
        ("archive", later, ""),
    ]
    late = {"at": "9999-12-31T23:59:00Z"}
    for bad in ({"at": "2021-01-31T09:00:00Z"}, late, {"at": "soon"}, {}, {"at": soon, "by": "me"}):
        assert editor.put(f"{path}/plans/publish", bad).status_code == 400
    reader = program(workspace, "kb:read")
    assert reader.put(f"{path}/plans/publish", {"at": later}).status_code == 403
    assert reader.delete(f"{path}/plans/publish").status_code == 403
    assert editor.put(f"{path}/plans/delete", {"at": later}).status_code == 404
    assert editor.get(path).json() == shown
    with workspace_scope(workspace.pk):
        Plan.objects.filter(step="publish").update(at=now())
    carry_out_plans()
    assert [editor.get(path).json()[name] for name in ("state", "live_revision")] == ["live", 1]
    assert editor.put(f"{path}/plans/publish", {"at": soon}).status_code == 400, "the text is already published"
    assert [editor.delete(f"{path}/plans/archive").status_code for _ in range(2)] == [204, 204]
    assert editor.get(path).json()["plans"] == []


def test_another_workspace_can_neither_see_nor_plan_nor_link(
    workspace: Workspace, other_workspace: Workspace, editor: Program
) -> None:
    made = editor.post("articles", ARTICLE).json()
    stranger = program(other_workspace)
    own = stranger.post("articles", ARTICLE).json()
    for step in ("publish", "archive"):
        assert stranger.put(f"articles/{made['id']}/plans/{step}", {"at": "2041-01-31T09:00:00Z"}).status_code == 404
        assert stranger.delete(f"articles/{made['id']}/plans/{step}").status_code == 404
    refused = stranger.patch(f"articles/{own['id']}", {"translation_of": made["id"]})
    assert refused.status_code == 400 and editor.get(f"articles/{made['id']}").json() == made


def test_categories_are_created_ordered_renamed_and_deleted(editor: Program, client: Client) -> None:
    returns = editor.post("categories", {"name": " Returns ", "icon": "undo"})
    assert (returns.status_code, returns.json()["name"], returns.json()["icon"]) == (201, "Returns", "undo")
    path = f"categories/{returns.json()['id']}"
    editor.post("articles", {**ARTICLE, "category": "Delivery"})
    listed = editor.get("categories").json()
    assert ([row["name"] for row in listed["results"]], listed["next"]) == (["Delivery", "Returns"], None)
    ordered = editor.put("categories/order", {"order": [returns.json()["id"]]})
    assert [row["name"] for row in ordered.json()["results"]] == ["Returns", "Delivery"]

    words = {"de": {"name": "Rückgabe"}}
    changed = editor.patch(path, {"name": "Returns & refunds", "description": "Send it back", "translations": words})
    assert (changed.status_code, changed.json()) == (200, editor.get(path).json())
    assert changed.json() == {
        "id": returns.json()["id"], "name": "Returns & refunds", "former_names": ["Returns"],
        "description": "Send it back", "icon": "undo",
        "translations": {"de": {"name": "Rückgabe", "description": ""}},
    }  # fmt: skip
    assert editor.delete(path).status_code == 204
    assert editor.get(path).status_code == 404


def test_a_category_with_articles_cannot_be_deleted_and_renaming_it_renames_theirs(editor: Program) -> None:
    article = editor.post("articles", {**ARTICLE, "category": "Delivery"}).json()
    [row] = editor.get("categories").json()["results"]
    refused = editor.delete(f"categories/{row['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "category_in_use")
    assert editor.get("categories").json()["results"] == [row]
    editor.patch(f"categories/{row['id']}", {"name": "Shipping"})
    assert editor.get(f"articles/{article['id']}").json()["category"] == "Shipping"


@pytest.mark.long
def test_a_change_of_a_category_keeps_another_change_made_meanwhile(
    editor: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    article = editor.post("articles", {**ARTICLE, "category": "Delivery"}).json()
    [row] = editor.get("categories").json()["results"]
    path, lock = f"categories/{row['id']}", categories._lock

    def renamed_meanwhile() -> None:
        monkeypatch.setattr(categories, "_lock", lock)
        assert editor.patch(path, {"name": "Shipping"}).status_code == 200
        lock()

    monkeypatch.setattr(categories, "_lock", renamed_meanwhile)
    changed = editor.patch(path, {"description": "By post"}).json()
    assert (changed["name"], changed["former_names"], changed["description"]) == ("Shipping", ["Delivery"], "By post")
    assert editor.get(path).json() == changed
    assert editor.get(f"articles/{article['id']}").json()["category"] == "Shipping"


def test_invalid_categories_are_refused_and_change_nothing(editor: Program, workspace: Workspace) -> None:
    row = editor.post("categories", {"name": "Returns"}).json()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"name": "returns"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "A", "icon": "rocket"}, "icon"),
        ({"name": "A", "description": "x" * 201}, "description"),
        ({"name": "A", "position": 1}, "position"),
        ({"name": "A", "translations": {"de": {"title": "B"}}}, "translations.de.title"),
        ({"name": "A", "translations": {"in German": {"name": "B"}}}, "translations"),
    ]
    for data, field in cases:
        answer = editor.post("categories", data)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, [field]), data
    for order in ([], ["x"], [row["id"], "01a21034-bcd1-7ad8-b61b-198f911c3582"]):
        assert editor.put("categories/order", {"order": order}).status_code in (400, 404)
    assert editor.get("categories").json()["results"] == [row]


def test_categories_need_the_right_and_stay_in_their_workspace(
    editor: Program, workspace: Workspace, other_workspace: Workspace
) -> None:
    row = editor.post("categories", {"name": "Returns"}).json()
    path, reader, stranger = f"categories/{row['id']}", program(workspace, "kb:read"), program(other_workspace)
    assert reader.get("categories").json()["results"] == [reader.get(path).json()] == [row]
    for refused in (
        reader.post("categories", {"name": "A"}), reader.patch(path, {"name": "A"}), reader.delete(path),
        reader.put("categories/order", {"order": [row["id"]]}),
    ):  # fmt: skip
        assert refused.status_code == 403
    assert stranger.get("categories").json()["results"] == []
    for missing in (
        stranger.get(path), stranger.patch(path, {"name": "A"}), stranger.delete(path),
        stranger.put("categories/order", {"order": [row["id"]]}),
    ):  # fmt: skip
        assert missing.status_code == 404
    assert editor.get("categories").json()["results"] == [row]
