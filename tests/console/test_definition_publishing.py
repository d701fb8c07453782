"""Publishing a definition in the console: its effect on past requests, obstacles, and the rights it needs."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from actions.approvers import allow_approval, approvers_of
from actions.connections.client import Call, NoAnswer, Response
from actions.definitions import backtest
from actions.definitions.models import ActionDefinition, DefinitionCase
from actions.definitions.services import save_draft
from actions.errors import NotApprover
from actions.models import ActionPolicy, ActionRequest, AuditEntry
from actions.policy_store import change_rules
from actions.testing import run_queued
from supportbot import connection_test_limit
from supportbot.accounts.models import User, Workspace
from supportbot.console.definitions import publishing
from tests.actions.defined.conftest import CANCEL, document, record_a_case, store_as_published, with_voucher
from tests.actions.defined.conftest import admin as admin
from tests.actions.defined.conftest import agreed as agreed
from tests.actions.defined.conftest import ann as ann
from tests.actions.defined.conftest import ask_for as ask_for
from tests.actions.defined.conftest import put_in_force as put_in_force
from tests.actions.defined.conftest import retail as retail
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.console.conftest import Enter, logged_in, person
from tests.console.definition_pages import ACTIONS, ASKED, NAME, at, fields_of, page_of, problems_of
from tests.console.definition_pages import browser as browser
from tests.console.definition_pages import dora as dora
from tests.console.definition_pages import draft as draft
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
Agreed = Callable[..., ActionRequest]


def test_a_second_person_publishes_an_action_that_writes(
    browser: Client, retail: LoopbackShop, workspace: Workspace, draft: ActionDefinition
) -> None:
    sent = fields_of(browser.get(at(draft, "part/basics/")))
    browser.post(at(draft, "part/basics/"), {**sent, "description-en": "Another text."})
    record_a_case(draft.versions.order_by("-number")[0])
    second = logged_in(person(workspace, "admin", "second.admin"))
    assert "Another admin has to publish it" in visible_text(page_of(browser.get(at(draft, "publish/"))), " ")
    refused = browser.post(at(draft, "publish/"), {"number": "2"})
    assert refused.status_code == 400 and not ActionPolicy.objects.filter(action=NAME).exists()
    answer = second.post(at(draft, "publish/"), fields_of(second.get(at(draft, "publish/"))))
    rules = ActionPolicy.objects.get(action=NAME)
    assert answer.headers["Location"] == f"/admin/actions/actionpolicy/{rules.pk}/change/"
    change_rules(rules, actor="test", window_days=30)  # the page does not show it
    rules_page = answer.headers["Location"]
    assert at(draft) in [one.attributes.get("href") for one in page_of(second.get(rules_page)).css("a")]
    second.post(rules_page, {**fields_of(second.get(rules_page)), "max_requests_per_customer_day": "3"})
    rules = ActionPolicy.objects.select_related("current").get(action=NAME)
    assert rules.current is not None
    assert (rules.current.max_requests_per_customer_day, rules.current.window_days) == (3, 30)
    draft.refresh_from_db()
    assert (draft.state, draft.current.number) == ("published", 2)  # type: ignore[union-attr]  # it is published
    browser.post(at(draft, "off/"))
    draft.refresh_from_db()
    assert draft.state == "disabled"
    assert browser.get(at(draft, "off/")).status_code == 405


@pytest.fixture
def widened(
    put_in_force: Callable[[dict[str, Any]], None], agreed: Agreed, ask_for: Agreed, retail: LoopbackShop
) -> tuple[ActionDefinition, dict[str, ActionRequest]]:
    """A draft that also cancels processed orders, one of them with approval; and three requests, by order."""
    put_in_force(document())
    done = agreed()
    run_queued()
    made = {order: ask_for(NAME, {**CANCEL, "order_id": f"#W000000{order}"}) for order in "23"}
    guard = {**document()["guards"][0], "require": "order.status in ['pending', 'processed']"}
    approval = {"when": "order.order_id == '#W0000001'"}
    draft = save_draft(document(guards=[guard], approval=approval), actor="operator:test").definition
    return draft, {"1": done, **made}


@pytest.mark.long
def test_before_publishing_the_effect_on_past_requests_is_shown(
    browser: Client, retail: LoopbackShop, widened: tuple[ActionDefinition, dict[str, ActionRequest]]
) -> None:
    draft, requests = widened
    performed, kept = list(retail.performed), ActionRequest.objects.count()
    page = page_of(browser.get(at(draft, "publish/")))
    text = visible_text(page, " ")
    assert "2 decisions would change out of 3 in the last 30 days." in text and "could not be judged" not in text
    assert "1 was refused or needed a person, but would now need only the customer's confirmation." in text
    assert "1 needed only the customer's confirmation, but would now be refused or need a person." in text
    assert "The records of 1 request have changed since. Only its need for approval is compared." in text
    assert "refused: not_pending → the customer confirms" in text
    links = [str(one.attributes["href"]) for one in page.css("#h-past ~ ul.rows a")]
    assert [str(requests[order].pk) in link for order, link in zip("31", links, strict=True)] == [True, True]
    assert retail.performed == performed and ActionRequest.objects.count() == kept  # only look-ups were sent


@pytest.mark.long
def test_the_effect_of_replacing_a_version_that_could_not_be_published_today_is_shown(
    browser: Client, retail: LoopbackShop, agreed: Agreed
) -> None:
    definition = store_as_published(with_voucher())
    agreed(NAME, {**CANCEL, "voucher_id": "V-1"})
    save_draft(document(), actor="operator:test")
    text = visible_text(page_of(browser.get(at(definition, "publish/"))), " ")
    assert "0 decisions would change out of 1 in the last 30 days." in text and "could not be judged" not in text


@pytest.mark.long
def test_a_version_can_be_published_while_the_shop_does_not_answer(
    browser: Client, retail: LoopbackShop, widened: tuple[ActionDefinition, dict[str, ActionRequest]]
) -> None:
    draft, _ = widened
    retail.is_up = False
    text = visible_text(page_of(browser.get(at(draft, "publish/"))), " ")
    assert "0 decisions would change out of 0" in text and "3 more could not be judged." in text
    assert "Publish version 2" in text


@pytest.mark.long
def test_a_look_up_does_not_take_longer_than_the_page_allows(
    browser: Client, widened: tuple[ActionDefinition, dict[str, ActionRequest]], monkeypatch: pytest.MonkeyPatch
) -> None:
    draft, _ = widened
    waits = list[float]()

    class Slow:
        def send(self, call: Call) -> Response:
            waits.append(call.timeout_seconds)
            raise NoAnswer("timeout")

    monkeypatch.setattr(backtest, "client_of", lambda definition: Slow())
    monkeypatch.setattr(backtest, "SECONDS", 1.5)
    # A page that takes longer looks up nothing at all.
    monkeypatch.setattr(backtest, "time", SimpleNamespace(monotonic=lambda: 0.0))
    assert "3 more could not be judged." in visible_text(page_of(browser.get(at(draft, "publish/"))), " ")
    assert len(waits) == 1 and 0 < waits[0] <= 1.5


@pytest.mark.long
def test_the_effect_is_computed_only_for_admins_and_within_a_limit(
    browser: Client,
    enter: Enter,
    retail: LoopbackShop,
    widened: tuple[ActionDefinition, dict[str, ActionRequest]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draft, _ = widened
    retail.asked.clear()
    assert "Effect on past requests" not in enter("supervisor").get(at(draft, "publish/")).content.decode()
    monkeypatch.setattr(connection_test_limit, "TESTS_PER_MINUTE", 0)
    text = visible_text(page_of(browser.get(at(draft, "publish/"))), " ")
    assert "A workspace can run 20 tests a minute." in text and "Publish version 2" in text and retail.asked == []


@pytest.mark.long
def test_a_single_admin_publishes_with_a_reason(browser: Client, draft: ActionDefinition) -> None:
    sent = fields_of(browser.get(at(draft, "part/basics/")))
    browser.post(at(draft, "part/basics/"), {**sent, "description-en": "Another text."})
    record_a_case(draft.versions.order_by("-number")[0])
    refused = browser.post(at(draft, "publish/"), {"number": "2"})
    assert "Explain why, briefly." in problems_of(refused) and "Give a reason" in visible_text(page_of(refused), " ")
    assert {"aria-invalid", "autofocus"} <= page_of(refused).css_first("#id_reason").attributes.keys()
    browser.post(at(draft, "publish/"), {"number": "2", "reason": "I am the only one here"})
    draft.refresh_from_db()
    assert draft.state == "published"
    assert AuditEntry.objects.get(event="definition.published").payload["reason"] == "I am the only one here"


def test_failing_cases_and_missing_parts_prevent_a_publication(browser: Client, draft: ActionDefinition) -> None:
    DefinitionCase.objects.create(definition=draft, name="No order", sub="x", expected="allowed")
    page = browser.get(at(draft, "publish/"))
    assert "Recorded cases fail." in visible_text(page_of(page), " ") and "Publish version" not in page_of(page).text()
    browser.post(at(draft, "publish/"), {"number": "1"})
    draft.refresh_from_db()
    assert draft.state == "draft"


@pytest.mark.long
def test_only_changed_parts_differ_from_the_published_version(browser: Client, draft: ActionDefinition) -> None:
    record_a_case(draft.versions.get())
    browser.post(at(draft, "publish/"), {"number": "1", "reason": "I am the only one here"})
    sent = fields_of(browser.get(at(draft, "part/basics/")))
    browser.post(at(draft, "part/basics/"), {**sent, "description-en": "Another text."})
    page = page_of(browser.get(at(draft, "publish/")))
    changed = [" ".join(one.text().split()) for one in page.css("td.add") if one.text().strip()]
    assert len(changed) == 1 and "Another text." in changed[0]


@pytest.mark.long
def test_the_page_warns_before_publishing_that_nobody_could_approve(
    browser: Client, retail: LoopbackShop, dora: User
) -> None:
    draft = save_draft(document(kind="at_most_once"), actor="operator:test").definition
    record_a_case(draft.versions.get())
    page = page_of(browser.get(at(draft, "publish/")))
    warned = " ".join(visible_text(one, " ") for one in page.css(".notice.warn"))
    assert "nobody may settle the request" in warned
    assert [one.attributes["href"] for one in page.css(".notice.warn a")] == ["#id_approvers"]
    answer = browser.post(at(draft, "publish/"), fields_of(browser.get(at(draft, "publish/"))) | {"reason": "alone"})
    opened = page_of(browser.get(answer.headers["Location"]))
    assert "nobody may settle the request" in visible_text(opened, " ")
    rules = ActionPolicy.objects.get(action=NAME)
    save_draft(document(approval={"role": "admin"}), actor="operator:test")
    page = page_of(browser.get(at(draft, "publish/")))
    assert "Some requests need approval, but nobody may approve them." in visible_text(page, " ")
    links = [one.attributes["href"] for one in page.css(".notice.warn a")]
    assert links == [f"/admin/actions/actionpolicy/{rules.pk}/change/#id_approvers"]
    allow_approval(rules, dora, actor="test")
    assert not page_of(browser.get(at(draft, "publish/"))).css(".notice.warn")


def test_who_may_approve_is_selected_when_the_first_version_is_published(
    browser: Client, retail: LoopbackShop, dora: User, enter: Enter
) -> None:
    draft = save_draft(document(kind="at_most_once"), actor="operator:test").definition
    record_a_case(draft.versions.get())
    sent = {"number": "1", "reason": "I am the only one here", "approvers": [str(dora.pk)]}
    opened = page_of(browser.post(at(draft, "publish/"), sent, follow=True))
    assert not opened.css(".notice.warn") and "Version 1 is published" in visible_text(opened, " ")
    rules = ActionPolicy.objects.get(action=NAME)
    assert list(approvers_of(rules)) == [dora]
    save_draft(document(approval={"role": "admin"}), actor="operator:test")
    assert not page_of(browser.get(at(draft, "publish/"))).css("#id_approvers")  # the rules exist by now


def test_nothing_is_published_if_an_approver_cannot_be_stored(
    browser: Client, retail: LoopbackShop, dora: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise NotApprover()

    monkeypatch.setattr(publishing, "allow_approval", fails)
    draft = save_draft(document(kind="at_most_once"), actor="operator:test").definition
    record_a_case(draft.versions.get())
    answer = browser.post(at(draft, "publish/"), {"number": "1", "approvers": [str(dora.pk)]})
    draft.refresh_from_db()
    assert (answer.status_code, draft.state) == (400, "draft")
    assert not ActionPolicy.objects.filter(action=NAME).exists()


@pytest.mark.parametrize("role", ["editor", "agent", "supervisor"])
def test_only_admins_change_anything(role: str, enter: Enter, draft: ActionDefinition) -> None:
    case = DefinitionCase.objects.create(definition=draft, name="One", sub="x", expected="allowed")
    client, may_look = enter(role), role == "supervisor"
    for page in ("change/", "part/guards/", "document/", "versions/", "cases/", f"cases/{case.pk}/", "publish/"):
        assert client.get(at(draft, page)).status_code == (200 if may_look else 403), page
    for page in ("add/", "operations/", f"{draft.pk}/test/"):
        assert client.get(f"{ACTIONS}{page}").status_code == 403, page
    everything = {
        "text": json.dumps(document(undo="taken")), "number": "1", "name": "taken", "sub": "x", "expected": "x",
        "do": "empty", "remove": "1", "undo": "taken", **ASKED,
    }  # fmt: skip
    for page in (
        "change/",
        "part/basics/",
        "document/",
        "test/",
        "cases/add/",
        f"cases/{case.pk}/",
        "publish/",
        "off/",
    ):
        assert client.post(at(draft, page), everything).status_code == 403, page
    assert client.post(f"{ACTIONS}add/", everything).status_code == 403
    draft.refresh_from_db()
    assert (draft.state, draft.versions.count(), DefinitionCase.objects.get().name) == ("draft", 1, "One")


def test_a_stranger_sees_and_changes_nothing(stranger: Client, draft: ActionDefinition) -> None:
    case = DefinitionCase.objects.create(definition=draft, name="One", sub="x", expected="allowed")
    for page in ("change/", "part/basics/", "document/", "versions/", "test/", f"cases/{case.pk}/", "publish/", "off/"):
        for answer in (stranger.get(at(draft, page)), stranger.post(at(draft, page), {"remove": "1", "number": "1"})):
            assert answer.status_code in (403, 404, 405), page
    copied = stranger.post(f"{ACTIONS}add/", {"do": "copy", "copy-source": NAME, "copy-name": "mine"})
    assert copied.status_code == 400 and ActionDefinition.objects.count() == 1
    assert DefinitionCase.objects.get().name == "One"
