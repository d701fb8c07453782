"""All texts of the console come from the catalogues; everything else is data."""

import re

import pytest
from selectolax.lexbor import LexborHTMLParser

from actions.states import State
from supportbot.accounts.models import Workspace
from supportbot.chat.event_log import append_event, lock_conversation
from supportbot.handoff.tickets import services as handoff
from supportbot.llm.models import LLMCall
from supportbot.openapi import whole_schema
from supportbot.team_language import TEAM_LANGUAGES
from tests.console.conftest import Enter, Sample
from tests.console.test_strangers_walk import addresses
from tests.pseudo import untranslated, without_translation

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pseudo_language")]
FORMS = (
    ("/admin/accounts/channel/add/", {"name": "", "locale": "?", "accent": "red", "privacy_url": "?"}),
    ("/admin/accounts/apikey/add/", {"name": "Till", "expires_at": "2001-01-01T00:00"}),
    ("/admin/accounts/membership/add/", {"username": "a b", "email": "?", "role": "agent"}),
    ("/admin/accounts/workspace/add/", {"name": "?", "locale": "?", "currency": "?"}),
    ("/admin/kb/article/add/", {"title": "", "body": "", "do": "publish"}),
    ("/admin/kb/collection/add/", {"name": ""}),
    ("/admin/webhooks/webhookendpoint/add/", {"name": "", "url": "ftp://x"}),
    ("/admin/ask/", {"question": ""}),
    ("/admin/ask/", {"question": "How do I wash a Xylograph?"}),
    ("/admin/ask/", {"question": "How do I wash a Xylograph?", "title": "Wash", "body": "Wash the Xylograph."}),
    ("/admin/login/", {"username": "nobody", "password": "wrong"}),
    ("/admin/password_reset/", {"email": "?"}),
    ("/admin/password_change/", {"old_password": "wrong"}),
)
OUTSIDE = (
    "/admin/login/",
    "/admin/password_reset/",
    "/admin/password_reset/done/",
    "/admin/reset/done/",
    "/",
)


@pytest.mark.parametrize("step", [20, pytest.param(1, marks=pytest.mark.long)])
def test_pages_contain_no_untranslated_words(enter: Enter, sample: Sample, step: int) -> None:
    _fill(sample)
    admin = enter("admin")
    for address in addresses(sample)[::step]:
        answer = admin.get(address)
        if "html" in answer.headers.get("Content-Type", "") and answer.status_code not in (301, 302):
            assert not untranslated(answer.content.decode()), address
    _all_are_translated()


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.long
def test_forms_contain_no_untranslated_words(enter: Enter, sample: Sample, step: int) -> None:
    admin = enter("admin")
    for address, fields in FORMS[::step]:
        answer = admin.post(address, fields, follow=True)
        assert not untranslated(answer.content.decode()), (address, fields)
    _all_are_translated()


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("actions/actiondefinition/", ["State", "Draft"]),
        ("actions/auditentry/", ["Event"]),
        ("accounts/workspace/", ["Currency", "Slug"]),
        ("accounts/workspace/{workspace}/change/", ["Currency", "Slug"]),
    ],
)
def test_names_of_stored_values_are_translated(enter: Enter, sample: Sample, address: str, names: list[str]) -> None:
    """Django prefers the model's own names, which are English, to those of a method with the same name."""
    page = enter("admin").get(f"/admin/{address.format(workspace=sample.workspace.pk)}")
    main = LexborHTMLParser(page.content.decode()).css_first("main")
    assert main is not None
    for name in names:
        words = main.text()
        assert f"[{name}]" in words
        assert not re.search(rf"\b{name}\b", words.replace(f"[{name}]", ""))


@pytest.fixture(scope="session")
def schema() -> None:
    """Generate the API's schema, which is kept for the rest of the run, before any text is in brackets."""
    whole_schema()


@pytest.mark.usefixtures("schema")
def test_pages_before_the_login_contain_no_untranslated_words(
    client: object, enter: Enter, workspace: Workspace
) -> None:
    browser = enter("admin")
    browser.logout()
    for address in OUTSIDE:
        assert not untranslated(browser.get(address).content.decode()), address


def _all_are_translated() -> None:
    """Assert that all shown messages are translated, including those of Django and the theme."""
    for language in TEAM_LANGUAGES:
        if language != "en":
            assert not without_translation(language), language


def _fill(sample: Sample) -> None:
    """Create rows for the lists and the overview."""
    talk = sample.conversation
    handoff.request(talk.pk, reason="customer_asked", by="customer", summary="A wash.")
    payload = {"request": str(sample.request.pk), "action": "refund_order", "title": "Refund"}
    append_event(lock_conversation(talk.pk), "action.succeeded", payload)
    sample.request.state = State.SUCCEEDED
    for outcome in LLMCall.Outcome:
        LLMCall.objects.create(
            purpose="verify",
            provider="p",
            model="m",
            duration_ms=9,
            outcome=outcome,
            is_estimated=True,
            cached_tokens=3,
        )
