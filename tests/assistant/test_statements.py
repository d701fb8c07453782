"""The statements for the context of a turn: the customer waits for each round trip."""

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


@pytest.mark.parametrize(("searches", "statements"), [(False, 3), (True, 9)], ids=["alone", "with a search"])
def test_the_context_of_a_visitors_question_takes_few_statements(
    workspace: Workspace, returns_article: Article, settings: Settings, searches: bool, statements: int
) -> None:
    settings.KB_RETRIEVAL = searches
    settings.OPENAI_MODEL = "remote"  # which reads the passages itself
    visitor = Customer.objects.create(workspace=workspace)
    claim = say(start_conversation(visitor.pk), "Within how many days can I return unused items?")
    build_context(claim)  # reads the release and the words' lexemes, which are kept
    with CaptureQueriesContext(connection) as ran:
        context = build_context(claim)
    assert bool(context.passages) == searches
    assert len(ran.captured_queries) == statements, [query["sql"] for query in ran.captured_queries]
