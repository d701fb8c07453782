"""Questions from an operator's shell: in whose place they are asked."""

import pytest

from actions.testing import FakeShop
from supportbot.accounts.models import Customer
from supportbot.assistant.asking import conversation_to_ask_in
from supportbot.chat.models import Conversation
from supportbot.errors import NotFound

pytestmark = pytest.mark.django_db


def test_a_customer_who_has_never_chatted_is_known_by_their_orders(shop: FakeShop) -> None:
    first = conversation_to_ask_in("cus_stranger", None, locale="en")
    again = conversation_to_ask_in("cus_stranger", None, locale="en")
    assert (first.customer.external_id, first.customer_id) == ("cus_stranger", again.customer_id)


@pytest.mark.parametrize("unknown", ["cus_nobody", " ", "a\x00"])
def test_whom_nobody_knows_is_asked_for_by_nobody(shop: FakeShop, unknown: str) -> None:
    with pytest.raises(NotFound, match="knows a customer"):
        conversation_to_ask_in(unknown, None, locale="en")
    assert (Customer.objects.count(), Conversation.objects.count()) == (0, 0)
