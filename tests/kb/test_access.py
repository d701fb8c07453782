"""The predicate and the queryset agree, for every viewer and every article."""

from itertools import product

import pytest

from kb.access import Viewer, may_read, readable
from kb.models import Article, Audience, State
from kb.services import Change, archive, create_article, publish
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope

pytestmark = pytest.mark.django_db


def one_of_each() -> list[Article]:
    rows = []
    for audience, state in product(Audience.values, State.values):
        row = create_article(Change(title=f"{audience} {state}", body="x", audience=audience))
        if state != State.DRAFT:
            publish(row.pk)
        if state == State.ARCHIVED:
            archive(row.pk)
        rows.append(Article.objects.get(pk=row.pk))
    return rows


@pytest.mark.parametrize("audience", Audience.values)
def test_predicate_and_query_agree(workspace: Workspace, other_workspace: Workspace, audience: str) -> None:
    rows = one_of_each()
    with workspace_scope(other_workspace.pk):
        one_of_each()
    viewer = Viewer(audience)
    assert {row.pk for row in rows if may_read(viewer, row)} == set(readable(viewer).values_list("pk", flat=True))


def test_an_audience_reads_its_own_and_those_before_it(workspace: Workspace) -> None:
    one_of_each()
    read = {who: set(readable(Viewer(who)).values_list("audience", flat=True)) for who in Audience.values}
    assert read == {
        "public": {"public"},
        "signed_in": {"public", "signed_in"},
        "internal": {"public", "signed_in", "internal"},
    }


def test_an_unknown_audience_is_refused() -> None:
    with pytest.raises(ValueError, match="everyone"):
        Viewer("everyone")
