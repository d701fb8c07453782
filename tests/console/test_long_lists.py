"""Lists that have grown for years: their later pages and filters."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now

from bench.grown import PAGES
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import MAX_LANGUAGES, languages_in_use
from supportbot.chat.services import start_conversation
from supportbot.console.conversations.conversation_pages import ConversationAdmin
from supportbot.console.model_calls import LLMCallAdmin
from supportbot.ids import uuid7
from supportbot.llm.models import LLMCall
from tests.console.conftest import Enter, Sample

pytestmark = pytest.mark.django_db


@pytest.mark.long
def test_a_later_page_of_a_list_continues_after_the_previous_one(
    enter: Enter, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ConversationAdmin, "list_per_page", 2)
    rows = [sample.conversation, *(start_conversation(sample.customer.pk) for _ in range(4))]
    for hours, row in enumerate(rows):
        Conversation.objects.filter(pk=row.pk).update(last_event_at=now() - timedelta(hours=hours))
    client, listed = enter("admin"), reverse("admin:chat_conversation_changelist")
    pages = [client.get(listed, {"p": page}).context["cl"].result_list for page in (1, 2, 3)]
    assert [row.pk for page in pages for row in page] == [row.pk for row in rows]


def test_calls_are_filtered_by_existing_providers(enter: Enter, sample: Sample) -> None:
    LLMCall.objects.create(purpose="answer", provider="other", model="Zebra", duration_ms=9, outcome="done")
    client, listed = enter("admin"), reverse("admin:llm_llmcall_changelist")
    [choices] = [one for one in client.get(listed).context["cl"].filter_specs if one.title == "provider"]
    assert choices.lookup_choices == [("other", "other"), ("p", "p")]
    shown = client.get(listed, {"provider": "other"})
    assert [call.model for call in shown.context["cl"].result_list] == ["Zebra"]


def test_calls_are_found_by_model_and_by_conversation_without_reading_all(enter: Enter, sample: Sample) -> None:
    other = LLMCall.objects.create(
        purpose="answer", provider="other", model="Zebra", duration_ms=9, outcome="done", conversation_id=uuid7()
    )
    client, listed = enter("admin"), reverse("admin:llm_llmcall_changelist")

    def found(query: str) -> list[LLMCall]:
        return list(client.get(listed, {"q": query}).context["cl"].result_list)

    assert found("ebr") == [other] and found("nothing") == []
    with CaptureQueriesContext(connection) as queries:
        assert found(f" {other.conversation_id}") == [other]
    searches = [one["sql"] for one in queries if "conversation_id" in one["sql"].partition("WHERE")[2]]
    assert searches and not any("LIKE" in sql for sql in searches)


def test_conversations_are_filtered_by_page_language_with_one_look_up_per_language(
    enter: Enter, sample: Sample, other_workspace: Workspace
) -> None:
    for locale in ("fr", "de", "fr", "en-US", "EN-gb"):
        Conversation.objects.filter(pk=start_conversation(sample.customer.pk).pk).update(locale=locale)
    with workspace_scope(other_workspace.pk):
        start_conversation(Customer.objects.create().pk, locale="it")
    client, listed = enter("admin"), reverse("admin:chat_conversation_changelist")
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(listed)
    [choices] = [one for one in answer.context["cl"].filter_specs if one.title == "page's language"]
    assert list(choices.lookup_choices) == ["de", "en", "fr"]  # a language once, whatever its regions
    looks = [one["sql"] for one in queries if re.search(r'SELECT (DISTINCT )?(\S+\.)?"?locale"?\s', one["sql"])]
    assert len(looks) == 1 and "LIMIT" in looks[0]
    for value, found in (("de", {"de"}), ("en", {"en", "en-US", "EN-gb"}), ("en-GB", {"en", "en-US", "EN-gb"})):
        shown = client.get(listed, {"locale": value})
        assert {row.locale for row in shown.context["cl"].result_list} == found
    [choices] = [one for one in shown.context["cl"].filter_specs if one.title == "page's language"]
    chosen = [choice["display"] for choice in choices.choices(shown.context["cl"]) if choice["selected"]]
    assert chosen == ["English"]  # also for a link from a version that listed regions
    assert not client.get(listed, {"locale": "it"}).context["cl"].result_list


def test_all_regions_of_a_language_are_skipped_to_find_the_next_one(enter: Enter, sample: Sample) -> None:
    regions = [f"en-{first}{second}" for first in "ABCDEFGH" for second in "ABCDEFGH"]
    assert len(regions) > MAX_LANGUAGES
    rows = [Conversation(customer=sample.customer, locale=locale) for locale in (*regions, "enm", "fr-CA", "zh-TW")]
    Conversation.objects.bulk_create(rows)
    assert languages_in_use() == ["en", "enm", "fr", "zh"]
    shown = enter("admin").get(reverse("admin:chat_conversation_changelist"), {"locale": "en"}).context["cl"]
    assert shown.result_count == len(regions) + 1


def test_a_list_with_many_pages_links_to_a_few_of_them(
    enter: Enter, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LLMCallAdmin, "list_per_page", 1)
    for _ in range(59):
        LLMCall.objects.create(purpose="answer", provider="p", model="m", duration_ms=9, outcome="done")
    answer = enter("admin").get(reverse("admin:llm_llmcall_changelist"), {"p": 30})
    [pages] = re.findall(r'<nav class="pages".*?</nav>', answer.text, re.DOTALL)
    linked = [int(page) for page in re.findall(r'href="\?p=(\d+)"', pages)]
    assert {1, 29, 31, 60} <= set(linked) and len(linked) < 15


@pytest.mark.long
def test_every_page_that_the_benchmark_measures_is_there(enter: Enter, sample: Sample) -> None:
    admin = enter("admin")
    statuses = {name: admin.get(page.format(late=1)).status_code for name, page in PAGES.items()}
    assert {name: status for name, status in statuses.items() if status != 200} == {}
