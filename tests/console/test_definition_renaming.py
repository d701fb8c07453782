"""When an argument is renamed in the console, recorded cases and undo actions are changed, too."""

from typing import Any

import pytest
from django.test import Client

from actions.definitions.cases import verdict_of
from actions.definitions.models import ActionDefinition, DefinitionCase
from actions.definitions.parsing.document import parse_document
from actions.definitions.published import action_from
from actions.definitions.selectors import newest_version
from actions.definitions.services import save_draft
from tests.actions.defined.conftest import CANCEL, document
from tests.console.definition_pages import at, fields_of, page_of
from tests.console.definition_pages import browser as browser
from tests.console.definition_pages import dora as dora
from tests.console.definition_pages import draft as draft
from tests.console.definition_pages import retail as retail
from tests.pages import visible_text

pytestmark = pytest.mark.django_db


def renamed(browser: Client, draft: ActionDefinition) -> Any:
    """Rename order_id on the arguments' page."""
    address = at(draft, "part/arguments/")
    sent = fields_of(browser.get(address))
    [row] = [name for name, value in sent.items() if name.endswith("-name") and value == "order_id"]
    return browser.post(address, {**sent, row: "purchase"}, follow=True)


@pytest.mark.long
def test_a_renamed_argument_is_renamed_in_recorded_cases_and_undo_actions(
    browser: Client, draft: ActionDefinition
) -> None:
    case = DefinitionCase.objects.create(definition=draft, name="nobody's", sub="ann_lee_1", arguments=CANCEL)
    undo = {"action": draft.name, "arguments": {"order_id": "arguments.order_id", "reason": "arguments.reason"}}
    other = save_draft({**document(), "name": "order_again", "undo": undo}, actor="operator:test").definition
    answer = renamed(browser, draft)
    assert "undo calls of order_again use" in visible_text(page_of(answer), " ")
    case.refresh_from_db()
    assert case.arguments == {"purchase": CANCEL["order_id"], "reason": CANCEL["reason"]}
    newest = newest_version(draft)
    assert verdict_of(case, action_from(parse_document(newest.document), newest.number)) != "invalid_arguments"
    followed = newest_version(other)
    assert (followed.number, followed.document["undo"]["arguments"]) == (
        2, {"purchase": "arguments.order_id", "reason": "arguments.reason"},
    )  # fmt: skip


@pytest.mark.long
def test_only_the_definition_is_saved_if_nothing_else_uses_the_argument(
    browser: Client, draft: ActionDefinition
) -> None:
    other = save_draft({**document(), "name": "order_again"}, actor="operator:test").definition
    answer = renamed(browser, draft)
    assert "Saved as version 2" in visible_text(page_of(answer), " ")
    assert newest_version(other).number == 1
