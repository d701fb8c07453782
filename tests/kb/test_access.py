"""The predicate, the queryset and the SQL condition agree for every viewer and every article."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from django.test import Client

from kb.access import Surface, Viewer, condition_on_articles, may_read, readable
from kb.models import Article, Audience, State
from kb.search import search
from kb.services import Change, archive, create_article, publish
from supportbot import sql
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from tests.rest import service

pytestmark = pytest.mark.django_db


def one_of_each(*states: str) -> list[Article]:
    articles = []
    for audience, state, on_help, for_assistant in product(Audience.values, states, (True, False), (True, False)):
        switches = {"on_help_pages": on_help, "for_assistant": for_assistant}
        row = create_article(Change(title=f"{audience} {state}", body="x", audience=audience, **switches))
        if state != State.DRAFT:
            publish(row.pk)
        if state == State.ARCHIVED:
            archive(row.pk)
        articles.append(Article.objects.get(pk=row.pk))
    return articles


def test_predicate_and_query_agree(workspace: Workspace, other_workspace: Workspace) -> None:
    articles = one_of_each(*State.values)
    with workspace_scope(other_workspace.pk):
        one_of_each(State.LIVE)
    for audience, surface in product(Audience.values, Surface):
        viewer = Viewer(audience, surface=surface)
        may = {article.pk for article in articles if may_read(viewer, article)}
        assert set(readable(viewer).values_list("pk", flat=True)) == may, viewer
        assert by_statement(workspace, viewer) == may, viewer
        left_out = next(iter(may))
        without = replace(viewer, without=frozenset({left_out}))
        assert {article.pk for article in articles if may_read(without, article)} == may - {left_out}, viewer
        assert set(readable(without).values_list("pk", flat=True)) == may - {left_out}, viewer
        assert by_statement(workspace, without) == may - {left_out}, viewer
    # An audience reads its own articles and those of the audiences before it.
    read = {who: set(readable(Viewer(who)).values_list("audience", flat=True)) for who in Audience.values}
    assert read == {
        "public": {"public"},
        "signed_in": {"public", "signed_in"},
        "internal": {"public", "signed_in", "internal"},
    }


def by_statement(workspace: Workspace, viewer: Viewer) -> set[Any]:
    condition, parameters = condition_on_articles(workspace.pk, viewer)
    return {key for (key,) in sql.fetch(f"SELECT a.id FROM kb_article a WHERE {condition}", parameters)}


def test_an_unknown_audience_is_refused() -> None:
    with pytest.raises(ValueError, match="everyone"):
        Viewer("everyone")


def test_search_pages_and_rest_obey_the_switches(client: Client, workspace: Workspace) -> None:
    program = service(workspace, "kb:read", "kb:write")
    both, help_only, assistant_only = (
        publish(create_article(Change(title=f"Gift cards {name}", body="Gift cards last two years.", **facts)).pk)
        for name, facts in (
            ("both", {}),
            ("help", {"for_assistant": False}),
            ("assistant", {"on_help_pages": False}),
        )
    )

    def found(**asked: str) -> set[str]:
        answer = program.get("/api/v1/search", {"q": "gift cards", **asked})
        return {passage["title"].removeprefix("Gift cards ") for passage in answer.json()["passages"]}

    assert found() == {"both", "assistant"}
    assert found(surface="help_pages") == {"both", "help"}
    assert found(surface="all") == {"both", "help", "assistant"}
    addresses = {one.article_id: one.url for one in search("gift cards", viewer=Viewer()).passages}
    assert addresses == {both.pk: f"/help/{workspace.slug}/gift-cards-both/", assistant_only.pk: ""}
    page = client.get(f"/help/{workspace.slug}/", {"q": "gift cards"}).content.decode()
    assert "gift-cards-help/" in page
    assert "gift-cards-assistant" not in page
    assert client.get(f"/help/{workspace.slug}/gift-cards-assistant/").status_code == 404

    address = f"/api/v1/articles/{help_only.pk}"
    changed = program.patch(address, {"on_help_pages": False, "for_assistant": True}, format="json").json()
    assert (changed["on_help_pages"], changed["for_assistant"], changed["address"]) == (False, True, "")
    assert found() == {"both", "assistant", "help"}
    refused = program.patch(address, {"body": "Other.", "on_help_pages": True}, format="json")
    assert set(refused.json()["fields"]) == {"on_help_pages"}, "its readers would see the live text"
