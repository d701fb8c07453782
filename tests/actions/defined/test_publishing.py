"""A write is published only with a recorded case, and the editor warns of likely mistakes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from actions.audit import actor_of
from actions.connections import services as connections
from actions.connections.models import Connection
from actions.definitions import publishing, selectors, services
from actions.definitions.document_warnings import advice
from actions.definitions.errors import NeedsCases
from actions.definitions.models import ActionDefinition, DefinitionCase
from actions.definitions.trial import TrialCall, trial_call
from actions.models import ActionPolicy
from actions.principals import Principal
from actions.reasons import Reason, sentence
from actions.services import confirm, propose
from supportbot import connection_test_limit
from supportbot.accounts.models import User, Workspace
from supportbot.connection_test_limit import TooManyTests
from tests.actions.defined.conftest import CANCEL, document
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.console.conftest import logged_in, person
from tests.console.definition_pages import page_of
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
NAME = "cancel_pending_order"


@pytest.fixture
def browser(workspace: Workspace) -> Client:
    return logged_in(person(workspace, "admin", "ada"))


@pytest.mark.long
def test_a_case_is_required_and_the_page_links_to_it(retail: LoopbackShop, admin: User, browser: Client) -> None:
    version = services.save_draft(document(), actor="operator:test")
    with pytest.raises(NeedsCases) as refused:
        publishing.publish(NAME, number=1, person=admin)
    assert "Record as a case" in refused.value.message
    address = f"/admin/actions/actiondefinition/{version.definition_id}/publish/"
    page = page_of(browser.get(address))
    assert page.css_first(f"a[href='{address.replace('publish', 'test')}'].btn") is not None
    assert "Publish version 1" not in visible_text(page, " ")
    assert "no case has been recorded" in browser.post(address, {"number": "1"}).content.decode()
    services.save_draft(document("get_order_details"), actor=actor_of(admin))
    publishing.publish("get_order_details", number=1, person=admin)  # a look-up needs no case


@pytest.mark.long
@pytest.mark.parametrize("is_dry_run", [True, False])
def test_the_first_version_of_a_write_may_begin_as_a_dry_run(
    retail: LoopbackShop, admin: User, browser: Client, is_dry_run: bool
) -> None:
    version = services.save_draft(document(), actor="operator:test")
    order = retail.records.records["orders"]["#W0000001"]
    given = {"expected": "allowed", "records": {"GET /orders/%23W0000001": order}}
    DefinitionCase.objects.create(
        definition_id=version.definition_id, name="own", sub="ann_lee_1", arguments=CANCEL, **given
    )
    address = f"/admin/actions/actiondefinition/{version.definition_id}/publish/"
    offered = page_of(browser.get(address)).css_first("#id_is_dry_run")
    assert offered is not None and "checked" in offered.attributes
    told = {"number": "1", "reason": "", **({"is_dry_run": "on"} if is_dry_run else {})}
    said = browser.post(address, told, follow=True).content.decode()
    assert ("is published as a dry run" in said) is is_dry_run
    rules = ActionPolicy.objects.get(action=NAME).current
    assert rules is not None and rules.is_shadow is is_dry_run
    services.save_draft({**document(), "title": {"en": "Another title"}}, actor="operator:test")
    assert page_of(browser.get(address)).css_first("#id_is_dry_run") is None


def test_cases_come_from_a_file_next_to_the_definition(retail: LoopbackShop, admin: User, tmp_path: Path) -> None:
    services.save_draft(document(), actor="operator:test")
    order = retail.records.records["orders"]["#W0000001"]
    file = tmp_path / "cases.json"

    def publish(*cases: dict[str, Any]) -> None:
        file.write_text(json.dumps(cases, default=float))
        call_command("action_publish", NAME, "--as", admin.username, "--cases", str(file))

    case = {"name": "own", "sub": "ann_lee_1", "arguments": CANCEL, "expected": "allowed"}
    with pytest.raises(CommandError, match=r"\[0\].orders"):
        publish({**case, "orders": {}})
    with pytest.raises(CommandError, match="do not pass"):
        publish(case)
    assert selectors.definition_named(NAME).state == "draft"
    publish({**case, "records": {"GET /orders/%23W0000001": order}})
    assert DefinitionCase.objects.count() == 1 and selectors.definition_named(NAME).state == "published"


@pytest.mark.parametrize(
    ("did_not", "is_warned"),
    [
        ("status >= 400", True),
        ("status != 200", True),
        ("status >= 400 and status < 500", False),
        ("status >= 400 and body.code == 'refused'", False),
        ("status in [409, 503]", True),
        ("status ==", False),
    ],
)
def test_a_server_error_proves_nothing(did_not: str, is_warned: bool) -> None:
    made = document()
    made["answer"]["did_not"] = did_not
    assert bool(advice(made)) is is_warned
    assert advice({**made, "answer": None}) == [] and advice({}) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"S": "", "M": "", "XXL": ""}, ""),
        ({"10:30": "", "14:00": ""}, ""),
        ({"S": "Small", "M": ""}, "such as M."),
        ({"S": "", "too_small": ""}, "such as too_small."),
        ({"too_small": "Too small", "other": "Something else"}, ""),
    ],
)
def test_an_option_without_the_label_it_needs_causes_a_warning(options: dict[str, str], named: str) -> None:
    made = document()
    made["arguments"]["reason"]["options"] = [
        {"value": value, **({"label": {"en": label}} if label else {})} for value, label in options.items()
    ]
    told = [one.text for one in advice(made)]
    assert [named in one for one in told] == ([True] if named else [])


def test_a_label_in_only_one_language_causes_a_warning() -> None:
    made = document()
    made["title"] = {"en": "Cancel", "de": "Stornieren"}
    made["arguments"]["reason"]["options"] = [{"value": one, "label": {"en": one}} for one in ("S", "M")]
    assert any("lack a label in at least one language" in one.text and "such as S." in one.text for one in advice(made))


def test_tests_of_a_workspace_are_counted_together(
    retail: LoopbackShop, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_test_limit, "TESTS_PER_MINUTE", 2)
    version = services.save_draft(document(), actor="operator:test")
    found = Connection.objects.get()
    connections.test(found, actor="test")
    trial_call(version, customer="ann_lee_1", arguments=CANCEL, environment="live", actor="test")
    with pytest.raises(TooManyTests):
        connections.test(found, actor="test")
    asked = len(retail.asked)
    answer = browser.post(f"/admin/actions/connection/{found.pk}/test/", follow=True)
    assert "20 tests a minute" in answer.content.decode() and len(retail.asked) == asked
    sample = trial_call(version, customer="ann_lee_1", arguments=CANCEL, environment="sample", actor="test")
    assert sample.outcome == "not_sent"  # nothing is sent, so nothing is counted


def test_a_test_call_says_which_limit_would_refuse_it(
    retail: LoopbackShop, ann: Principal, put_in_force: Callable[[dict[str, Any]], None]
) -> None:
    connections.create(connections.Draft("retail", retail.base_url, environment="sandbox"), actor="test")
    put_in_force(document(limits={"max_requests_per_customer_day": 1}))
    version = ActionDefinition.objects.get().current
    assert version is not None

    def tried(environment: str = "live") -> TrialCall:
        return trial_call(
            version, customer="ann_lee_1", arguments=CANCEL, environment=environment, actor="test", locale="en"
        )

    assert tried().limit == ""
    card = propose(ann, "cancel_pending_order", CANCEL, proposal_key="turn:1:1")
    confirm(card.pk, principal=ann, digest=card.digest)
    sent = len(retail.performed)
    told = tried("sandbox")
    assert (told.verdict, told.limit) == ("allowed", sentence(Reason("limit_count_day"), "en"))
    assert (told.outcome, len(retail.performed)) == ("not_sent", sent)


def test_an_operator_reads_why_the_shop_cannot_be_reached(
    retail: LoopbackShop, ann: Principal, put_in_force: Callable[[dict[str, Any]], None], settings: Any
) -> None:
    put_in_force(document())
    settings.PRIVATE_NETWORKS = ()
    asked = {"customer": "ann_lee_1", "arguments": json.dumps(CANCEL)}
    with pytest.raises(CommandError, match=r"nothing was changed.*PRIVATE_NETWORKS"):
        call_command("action_propose", "cancel_pending_order", **asked)
    assert retail.asked == []


def test_the_rules_of_a_defined_action_have_no_days_after_delivery(
    retail: LoopbackShop, browser: Client, put_in_force: Callable[[dict[str, Any]], None]
) -> None:
    put_in_force(document())
    policy = ActionPolicy.objects.get()
    page = page_of(browser.get(f"/admin/actions/actionpolicy/{policy.pk}/change/"))
    assert page.css_first("[name='max_per_customer_day']") is not None
    assert page.css_first("[name='window_days']") is None
