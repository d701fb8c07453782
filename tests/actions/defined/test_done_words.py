"""The sentence after success: the definition's own, or a standard one with the card's summary."""

from collections.abc import Callable
from typing import Any

import pytest

from actions.definitions.errors import InvalidDefinition
from actions.definitions.parsing.document import parse_document
from actions.definitions.references import uses_of
from actions.models import ActionRequest
from actions.principals import Principal
from actions.services import confirm
from actions.testing import run_queued
from supportbot.assistant.outcome_messages import explanation
from tests.actions.defined.conftest import bilingual, document
from tests.actions.defined.loopback_shop import LoopbackShop

pytestmark = pytest.mark.django_db
Put = Callable[[dict[str, Any]], None]
OWN = {"en": "Order {order.order_id} is off your list; {money} will be back in a few days"}


def done(card: ActionRequest, ann: Principal) -> ActionRequest:
    confirm(card.pk, principal=ann, digest=card.digest)
    run_queued()
    card.refresh_from_db()
    assert card.state == "succeeded"
    return card


def test_a_definitions_own_sentence_is_shown_after_success(
    put_in_force: Put, ask_for: Callable[..., ActionRequest], ann: Principal, retail: LoopbackShop
) -> None:
    put_in_force(bilingual(document(done_words={"en": f"{OWN['en']}."})))
    card = ask_for()
    request = done(card, ann)
    assert explanation(request, "en") == (
        "Order #W0000001 is off your list; $20.10 will be back in a few days. Your reference is r-1."
    )
    assert explanation(request, "de").startswith("Order #W0000001 is off your list; 20,10")


def test_without_a_sentence_of_its_own_the_summary_is_repeated(
    put_in_force: Put, ask_for: Callable[..., ActionRequest], ann: Principal
) -> None:
    put_in_force(document())
    assert explanation(done(ask_for(), ann), "en").startswith("Done: Cancel order #W0000001 and pay back $20.10.")


def test_a_request_that_was_not_carried_out_never_gets_the_sentence(
    put_in_force: Put, ask_for: Callable[..., ActionRequest], ann: Principal, retail: LoopbackShop
) -> None:
    put_in_force(document(done_words=OWN))
    card = ask_for()
    retail.refuses = "no"
    confirm(card.pk, principal=ann, digest=card.digest)
    run_queued()
    card.refresh_from_db()
    assert card.state == "failed" and "off your list" not in explanation(card, "en")


@pytest.mark.parametrize("words", [{"en": "{body.reference}"}, {"en": "{nothing.here}"}, "Done", {"de": "Fertig"}])
def test_an_invalid_sentence_is_a_mistake(words: Any) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(document(done_words=words))
    assert any(path.startswith("done_words") for path in refused.value.fields)


def test_a_renamed_argument_is_renamed_in_the_sentence() -> None:
    assert "done_words.en" in uses_of(document(done_words={"en": "{arguments.reason}"}), "reason")
