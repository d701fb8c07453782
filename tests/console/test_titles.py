"""A tab says what its page is about, in the console's own words and not in those of the framework. That no page has
a title of the framework is proven by the walk through all pages (`test_strangers_walk.py`).
"""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.functional import Promise
from selectolax.lexbor import LexborHTMLParser

from supportbot.console.base import ScopedAdmin
from supportbot.console.templatetags.console import TITLES
from tests.console.conftest import Enter, Sample
from tests.console.test_strangers_walk import registered, title_in

pytestmark = pytest.mark.django_db


def title_of(client: Client, address: str) -> str | None:
    """Return the title of a page; None for a response without one, such as a file."""
    answer = client.get(address, follow=True)
    if answer.status_code != 200 or not answer.headers["Content-Type"].startswith("text/html"):
        return None
    return title_in(answer.content.decode())


@pytest.mark.long
def test_lists_rows_and_new_rows_are_named_consistently(enter: Enter, sample: Sample) -> None:
    client, seen = enter("admin"), 0
    for model, pages in registered():
        if not isinstance(pages, ScopedAdmin):
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        listed = title_of(client, reverse(f"{name}_changelist"))
        assert listed is None or listed == f"{pages.many} | SupportBot" or not listed.startswith(str(pages.many))
        seen += listed == f"{pages.many} | SupportBot"
    assert seen > 10
    row = sample.synonyms
    change = reverse("admin:kb_synonyms_change", args=[row.pk])
    assert title_of(client, change) == f"{row}: Synonyms | SupportBot"
    assert title_of(client, reverse("admin:kb_synonyms_add")) == "New synonyms | SupportBot"
    assert title_of(client, reverse("admin:kb_synonyms_delete", args=[row.pk])) == f"{row}: Delete | SupportBot"
    assert title_of(client, reverse("admin:kb_synonyms_history", args=[row.pk])) == f"{row}: History | SupportBot"


@pytest.mark.long
def test_titles_of_an_actions_pages_name_the_action_and_the_content(enter: Enter, sample: Sample) -> None:
    client, row = enter("admin"), sample.definition
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
    page = reverse(f"{name}_change", args=[row.pk])
    assert title_of(client, page) == f"{row.name}: Actions | SupportBot"
    part = page.replace("change/", "part/guards/")
    assert title_of(client, part) == f"Guards: {row.name} | SupportBot"
    assert title_of(client, reverse(f"{name}_add")) == "New action: Actions | SupportBot"


def test_a_new_connection_has_a_title_at_its_first_step(enter: Enter, sample: Sample) -> None:
    client = enter("admin")
    assert title_of(client, reverse("admin:actions_connection_add")) == "New connection | SupportBot"
    listed = client.get(reverse("admin:actions_connection_changelist")).content.decode()
    heads = [" ".join(one.text().split()) for one in LexborHTMLParser(listed).css("thead th")]
    assert any(head.startswith("Address") for head in heads) and not any("url" in head.lower() for head in heads)


def test_every_column_of_a_list_has_a_heading_that_is_translated() -> None:
    """A column that shows a field as it is has the field's name in English, which `TITLES` translates."""
    seen = set()
    for model, pages in registered():
        if not isinstance(pages, ScopedAdmin):
            continue
        for column in pages.list_display:
            name = "" if hasattr(pages, str(column)) else model._meta.get_field(str(column)).verbose_name
            assert not name or isinstance(name, Promise) or name in TITLES, (pages, column)
            seen.add(name)
    assert {"name", "description", "role", "collection"} <= seen
