"""A form is open twice, in two tabs or by two people: what was saved first is not lost without a word."""

import json
from collections.abc import Callable
from decimal import Decimal
from io import BytesIO
from ipaddress import ip_network
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image
from selectolax.lexbor import LexborHTMLParser

from kb.collections import set_writers, writers_of
from kb.models import Article
from kb.services import Change, save_draft
from supportbot.accounts.logos import logo_path
from supportbot.accounts.models import Channel, User
from supportbot.evals.models import Case
from supportbot.handoff.desk.canned_replies import save_reply
from supportbot.handoff.models import CannedReply
from supportbot.llm.models import EmbeddingConnection
from supportbot.values_saved_meanwhile import SEALED
from tests.console.conftest import SECRET, Enter, Sample, person
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
Row = Callable[[Sample], Any]


@pytest.fixture
def admin(enter: Enter) -> Client:
    return enter("admin")


def page_of(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def fields_of(answer: Any) -> dict[str, Any]:
    """Return the fields of the form of a row as a browser would send them."""
    found: dict[str, Any] = {}
    for field in LexborHTMLParser(answer.content.decode()).css(
        "form.card [name], #h-settings ~ form [name], #editor [name]"
    ):
        about = field.attributes
        name, value = about["name"] or "", about.get("value") or ""
        if about.get("type") in ("checkbox", "radio"):
            if "checked" in about:
                found.setdefault(name, []).append(value if "value" in about else "on")
        elif field.tag == "select":
            chosen = field.css_first("option[selected]")
            found[name] = (chosen.attributes.get("value") or "") if chosen else ""
        elif field.tag == "textarea":
            found[name] = field.text().removeprefix("\n")
        elif field.tag == "input" and about.get("type") != "file":
            found[name] = value
    return {name: value[0] if len(value) == 1 else value for name, value in found.items()}


def errors_of(answer: Any) -> list[str]:
    return [visible_text(one) for one in LexborHTMLParser(answer.content.decode()).css("form .err, form .error")]


MINE = {"40.00": "50.00"}
FORMS: list[Any] = [
    pytest.param(lambda one: one.workspace, "site_url", "https://a.example/1", "imprint_url", "https://b.example/i"),
    pytest.param(lambda one: one.channel, "assistant_name", "Robin", "privacy_url", "https://b.example/p"),
    pytest.param(lambda one: one.policy, "max_per_order", "40.00", "window_days", "20"),
    pytest.param(lambda one: one.category, "description", "One line", "icon", "book"),
    pytest.param(lambda one: one.membership, "name", "Ann One", "email", "two@example.com"),
    pytest.param(lambda one: one.webhook, "name", "Stock", "includes_customer", "on"),
    pytest.param(lambda one: one.connection, "test_path", "/one", "base_url", f"https://10.0.0.8/{SECRET}/2"),
    pytest.param(lambda one: one.model, "temperature", "0.5", "max_output_tokens", "300"),
    pytest.param(lambda one: one.source, "name", "Help pages", "schedule", "weekly"),
]
IDS = ("workspace", "channel", "rules", "category", "member", "webhook", "connection", "model", "source")


@pytest.mark.parametrize(("row", "first", "its_value", "second", "other_value"), FORMS, ids=IDS)
def test_changes_of_different_fields_are_both_kept(
    admin: Client, sample: Sample, row: Row, first: str, its_value: str, second: str, other_value: str, settings: Any
) -> None:
    settings.PRIVATE_NETWORKS = (ip_network("10.0.0.8/32"),)
    page = page_of(row(sample))
    here, there = (fields_of(admin.get(page)) for _ in range(2))
    assert admin.post(page, {**here, first: its_value}).status_code == 302
    assert admin.post(page, {**there, second: other_value}).status_code == 302
    now = fields_of(admin.get(page))
    assert (now[first], now[second]) == (its_value, other_value)


@pytest.mark.parametrize(("row", "field", "value", "_second", "_value"), FORMS, ids=IDS)
def test_a_field_changed_by_two_is_shown_again_and_then_saved(
    admin: Client, sample: Sample, row: Row, field: str, value: str, _second: str, _value: str, settings: Any
) -> None:
    settings.PRIVATE_NETWORKS = (ip_network("10.0.0.8/32"),)
    page, mine = page_of(row(sample)), MINE.get(value, f"{value}2")
    here, there = (fields_of(admin.get(page)) for _ in range(2))
    assert admin.post(page, {**here, field: value}).status_code == 302
    refused = admin.post(page, {**there, field: mine})
    assert refused.status_code in (200, 400)
    assert errors_of(refused) == [
        f"Changed in the meantime to “{value}”. If you save again, your entry replaces this value."
    ]
    assert fields_of(admin.get(page))[field] == value
    again = fields_of(refused)
    assert again[field] == mine
    assert admin.post(page, again).status_code == 302
    assert fields_of(admin.get(page))[field] == mine


@pytest.fixture
def operator(admin: Client) -> Client:
    User.objects.filter(pk=admin.session["_auth_user_id"]).update(is_superuser=True)
    return admin


def test_a_search_models_connection_is_changed_in_two_tabs(operator: Client, settings: Any) -> None:
    settings.PRIVATE_NETWORKS = (ip_network("10.0.0.8/32"),)
    row = EmbeddingConnection.objects.create(name="ours", base_url="https://10.0.0.8/v1", model="m", currency="EUR")
    page = reverse("admin:search-model-connection", args=[row.pk])
    here, there = (fields_of(operator.get(page)) for _ in range(2))
    assert operator.post(page, {**here, "input_price": "2.5", "name": "theirs"}).status_code == 302
    refused = operator.post(page, {**there, "name": "mine"})
    assert errors_of(refused) == [
        "Changed in the meantime to “theirs”. If you save again, your entry replaces this value."
    ]
    saved = operator.post(page, fields_of(refused), follow=True)
    row.refresh_from_db()
    assert (row.name, row.input_price, row.key) == ("mine", Decimal("2.5"), "")
    saved = operator.post(page, {**there, "name": "mine", "model": "n"}, follow=True)
    row.refresh_from_db()
    assert (row.input_price, row.model) == (Decimal("2.5"), "n")
    assert "Changed in the meantime, and kept: Input price." in saved.content.decode()


def test_boxes_ticked_by_two_are_both_kept(admin: Client, sample: Sample) -> None:
    ann, ben = (person(sample.workspace, "editor", name) for name in ("ann", "ben"))
    page = page_of(sample.collection)
    there = fields_of(admin.get(page))
    set_writers(sample.collection, [ann])
    assert admin.post(page, {**there, "name": "Shelf"}).status_code == 302
    assert list(writers_of(sample.collection)) == [ann]
    refused = admin.post(page, {**there, "writers": [str(ben.pk)]})
    assert errors_of(refused) == [
        "Changed in the meantime to “ann”. If you save again, your entry replaces this value."
    ]
    assert list(writers_of(sample.collection)) == [ann]


def test_events_of_a_webhook_changed_by_two_are_named_without_markup(
    admin: Client, sample: Sample, settings: Any
) -> None:
    settings.PRIVATE_NETWORKS = (ip_network("10.0.0.8/32"),)
    page = page_of(sample.webhook)
    here, there = (fields_of(admin.get(page)) for _ in range(2))
    assert admin.post(page, {**here, "kinds": ["ticket.claimed"]}).status_code == 302
    [said] = errors_of(admin.post(page, {**there, "kinds": ["ticket.expired"]}))
    assert said.startswith("Changed in the meantime to “ticket.claimed an agent took a ticket”.")


def test_a_switch_that_was_turned_off_stays_off(admin: Client, sample: Sample) -> None:
    page = page_of(sample.channel)
    there = fields_of(admin.get(page))
    Channel.objects.update(is_live=False)
    assert admin.post(page, {**there, "greeting": "Hello there"}).status_code == 302
    stored = Channel.objects.get()
    assert (stored.greeting, stored.is_live) == ("Hello there", False)
    told = LexborHTMLParser(admin.get("/admin/accounts/channel/").content.decode()).css(".told .notice")
    assert [visible_text(one) for one in told] == [
        "Changed in the meantime, and kept: Live.",
        f"Saved: {sample.channel.name}.",
    ]


def test_logos_uploaded_by_two(admin: Client, sample: Sample) -> None:
    page = page_of(sample.workspace)
    here, there = (fields_of(admin.get(page)) for _ in range(2))
    assert admin.post(page, {**here, "logo": logo("red")}).status_code == 302
    first = logo_path(sample.workspace)
    refused = admin.post(page, {**there, "logo": logo("blue")})
    assert errors_of(refused) == [
        "The logo has been changed since you opened this page. To replace this one, choose yours again."
    ]
    assert admin.post(page, {**there, "site_url": "https://a.example/1"}).status_code == 302
    assert admin.post(page, {**there, "logo-clear": "on"}).status_code == 200
    assert logo_path(sample.workspace) == first
    assert admin.post(page, {**fields_of(refused), "logo": logo("blue")}).status_code == 302
    assert logo_path(sample.workspace) not in ("", first)


def logo(colour: str) -> SimpleUploadedFile:
    drawn = BytesIO()
    Image.new("RGB", (8, 8), colour).save(drawn, "PNG")
    return SimpleUploadedFile("logo.png", drawn.getvalue())


@pytest.mark.parametrize("seal", ["", "nonsense", "[1]", '{"name": 7}', '{"unknown": "0"}', "[" * 100_000])
def test_an_unreadable_hidden_field_is_no_error(admin: Client, sample: Sample, seal: str) -> None:
    page = page_of(sample.channel)
    there = fields_of(admin.get(page))
    assert admin.post(page, {**there, SEALED: seal, "greeting": "Hello there"}).status_code in (200, 302)


def article_page(article: Article) -> str:
    return reverse("admin:kb_article_change", args=[article.pk])


def test_an_article_that_was_made_internal_does_not_become_public_again(admin: Client, sample: Sample) -> None:
    article = sample.article
    there = fields_of(admin.get(article_page(article)))
    save_draft(article.pk, Change(audience="internal"))  # takes effect without a new revision
    told = {**there, "body": "Wash it cold.\n", "category": "Washing", "do": "publish"}
    assert admin.post(article_page(article), told).status_code == 302
    article.refresh_from_db()
    assert article.live_revision is not None
    assert (article.audience, article.category) == ("internal", "Washing")
    assert article.live_revision.body == "Wash it cold.\n"


def test_times_that_a_colleague_has_set_for_an_article_are_kept(admin: Client, sample: Sample) -> None:
    page = article_page(sample.article)
    here, there = (fields_of(admin.get(page)) for _ in range(2))
    assert admin.post(page, {**here, "archive_at": "2030-01-01T10:00", "do": "save"}).status_code == 302
    assert admin.post(page, {**there, "category": "Washing", "do": "save"}).status_code == 302
    stored = fields_of(admin.get(page))
    assert (stored["archive_at"], stored["category"]) == ("2030-01-01T10:00", "Washing")
    refused = admin.post(page, {**there, "category": "Washing", "archive_at": "2031-01-01T10:00", "do": "save"})
    assert errors_of(refused)[0].startswith("Changed in the meantime to “2030-01-01 10:00”.")
    assert fields_of(admin.get(page))["archive_at"] == "2030-01-01T10:00"


def test_readers_of_an_article_changed_by_two_are_shown_again(admin: Client, sample: Sample) -> None:
    article = sample.article
    there = fields_of(admin.get(article_page(article)))
    save_draft(article.pk, Change(audience="internal", body="A colleague's words.\n"))
    told = {**there, "body": "My words.\n", "audience": "signed_in", "do": "save"}
    refused = admin.post(article_page(article), told)
    assert refused.status_code == 400
    [said] = errors_of(refused)
    assert said.startswith("Changed in the meantime to “")
    again = fields_of(refused)
    assert (again["audience"], again["body"]) == ("signed_in", "My words.\n")
    refused = admin.post(article_page(article), {**again, "do": "save"})  # the texts differ, too
    assert refused.status_code == 409
    article.refresh_from_db()
    assert article.audience == "internal"
    assert admin.post(article_page(article), {**fields_of(refused), "do": "publish"}).status_code == 302
    article.refresh_from_db()
    assert article.audience == "signed_in"


def test_text_restored_in_another_browser_does_not_change_the_readers_back(admin: Client, sample: Sample) -> None:
    article = sample.article
    there = fields_of(admin.get(article_page(article)))
    admin.post(reverse("admin:article-autosave", args=[article.pk]), {**there, "body": "Unsaved.\n"})
    save_draft(article.pk, Change(audience="internal"))
    kept = LexborHTMLParser(admin.get(article_page(article)).content.decode()).css_first("#unsaved").text()
    assert json.loads(kept)["values"][SEALED] == there[SEALED]


def test_a_suite_saved_by_a_colleague_is_not_replaced_unseen(admin: Client, sample: Sample) -> None:
    page = reverse("admin:evals_suite_edit", args=[sample.suite.pk])
    here, there = (suite_form(admin.get(page)) for _ in range(2))
    wrong = admin.post(page, {**there, "text": "cases: ["})
    assert (
        admin.post(page, {**here, "text": here["text"].replace("abstains: true", "abstains: false")}).status_code == 302
    )
    mine = here["text"].replace(f"{SECRET} suite", "My suite")
    for before in (there, suite_form(wrong)):  # an error in the text does not count as having seen the new version
        refused = admin.post(page, {**before, "text": mine})
        assert "A newer version has been saved" in refused.content.decode()
        assert Case.objects.get().document["expect"] == {"abstains": False}
    assert suite_form(refused)["text"] == mine
    assert admin.post(page, suite_form(refused)).status_code == 302
    assert Case.objects.get().document["expect"] == {"abstains": True}


def suite_form(answer: Any) -> dict[str, str]:
    tree = LexborHTMLParser(answer.content.decode())
    form = tree.css("form:has([name=text])")[-1]
    sealed = form.css_first(f"[name={SEALED}]").attributes["value"] or ""
    return {"text": form.css_first("textarea[name=text]").text().removeprefix("\n"), SEALED: sealed}


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_case_saved_by_a_colleague_is_not_replaced_unseen(admin: Client, sample: Sample, is_deleted: bool) -> None:
    [case] = Case.objects.all()
    page = reverse("admin:evals_suite_case", args=[sample.suite.pk, case.key])
    there = {**suite_form(admin.get(f"{page}")), "tab": "document", "suite": str(sample.suite.pk)}
    mine = there["text"].replace("abstains: true", "abstains: false")
    if is_deleted:
        case.delete()
    else:
        Case.objects.update(document={**case.document, "ask": "A colleague's question?"})
    refused = admin.post(page, {**there, "text": mine})
    assert "A newer version has been saved" in refused.content.decode()
    assert Case.objects.filter(document__expect__abstains=False).count() == 0
    assert suite_form(refused)["text"] == mine
    assert admin.post(page, {**there, **suite_form(refused)}).status_code == 302
    assert Case.objects.get().document["expect"] == {"abstains": False}


def test_canned_replies_changed_by_two_agents(enter: Enter, sample: Sample) -> None:
    agent, reply = enter("agent"), save_reply(title="Hello", text="Good morning.")
    page = reverse("desk-reply", args=[reply.pk])
    tree = LexborHTMLParser(agent.get(page).content.decode())
    there = {SEALED: tree.css_first(f"[name={SEALED}]").attributes["value"], "locale": ""}
    save_reply(title="Greeting", text="Good morning.", reply_id=reply.pk)
    assert agent.post(page, {**there, "title": "Hello", "text": "Good day."}).status_code == 302
    stored = CannedReply.objects.get(pk=reply.pk)
    assert (stored.title, stored.text) == ("Greeting", "Good day.")
    refused = agent.post(page, {**there, "title": "Welcome", "text": "Good morning."})
    assert errors_of(refused)[0].startswith("Changed in the meantime to “Greeting”.")
    shown = LexborHTMLParser(refused.content.decode())
    assert shown.css_first("[name=title]").attributes["value"] == "Welcome"
    assert shown.css_first("#reply-text").text().strip() == "Good day."  # the newer text, which nobody wants to lose
