"""Database statements for the context of a turn: the customer waits for each round trip."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from kb.models import Article
from supportbot.accounts.models import Customer, Workspace
from supportbot.assistant.context import build_context
from supportbot.chat.services import start_conversation
from tests.assistant.conftest import say

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("searches", "statements"), [(False, 3), (True, 7)], ids=["alone", "with a search"])
@pytest.mark.parametrize(("external_id", "more"), [("", 0), ("cus_1", 1)], ids=["a visitor's", "a customer's"])
def test_the_context_of_a_question_takes_few_statements(
    workspace: Workspace,
    returns_article: Article,
    settings: Settings,
    searches: bool,
    statements: int,
    external_id: str,
    more: int,
) -> None:
    """A visitor's context takes a fixed number; a customer's takes one more, to look for open requests."""
    settings.KB_RETRIEVAL = searches
    settings.OPENAI_MODEL = "remote"  # a search that reads the passages itself
    asking = Customer.objects.create(workspace=workspace, external_id=external_id or None)
    claim = say(start_conversation(asking.pk), "Within how many days can I return unused items?")
    build_context(claim)  # reads the release and the words' lexemes, which are cached
    with CaptureQueriesContext(connection) as ran:
        context = build_context(claim)
    assert bool(context.passages) == searches
    assert len(ran.captured_queries) == statements + more, [query["sql"] for query in ran.captured_queries]
