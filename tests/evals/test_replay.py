"""Real questions through a draft and the live release: nothing else happens, equal releases agree, and the worst
difference comes first.
"""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from actions.models import ActionRequest
from actions.testing import FakeShop
from kb.models import Article
from supportbot.accounts.models import Customer, Workspace
from supportbot.chat.models import Conversation, Message
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.evals.replays.shadow_replay import kinds_of, real_questions
from supportbot.evals.runs.case_outcomes import CaseTry, MadeCall, Reply
from supportbot.releases.document import stored
from supportbot.releases.models import Release
from supportbot.releases.selectors import live_release, next_number

pytestmark = pytest.mark.django_db(transaction=True)


def replayed(number: int, *options: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("release_replay", "--release", str(number), "--json", *options, stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_a_release_is_replayed_on_questions_of_the_last_days(
    workspace: Workspace, alice: Customer, shop: FakeShop, returns_article: Article
) -> None:
    for place, text in enumerate(
        ("How many days do I have to return unused items?", "Thanks!", "I want a refund for A-1001, it is broken")
    ):
        add_customer_message(start_conversation(alice.pk).pk, text=text, client_id=f"c{place}")
    again = add_customer_message(start_conversation(alice.pk).pk, text="Is the label free?", client_id="c9")
    assert again
    live = live_release()
    draft = Release.objects.create(number=next_number(), document=stored(live.contents))
    rows = (Conversation.objects.count(), Message.objects.count())
    same = replayed(draft.number)
    assert (same["questions"], same["unplayed"], same["differences"]) == (3, 0, [])
    assert replayed(draft.number, "--most", "1")["questions"] == 1
    assert (Conversation.objects.count(), Message.objects.count()) == rows
    assert not ActionRequest.objects.exists() and shop.refunds == []
    with pytest.raises(CommandError, match="no release 99"):
        replayed(99)
    with pytest.raises(CommandError, match="--days"):
        replayed(draft.number, "--days", "0")


def test_a_common_question_is_asked_once_for_visitors_and_once_for_customers(
    workspace: Workspace, alice: Customer, returns_article: Article
) -> None:
    carol, *visitors = [Customer.objects.create(external_id=one) for one in ("cus_2", None, None)]
    for who in (alice, *visitors, carol):
        add_customer_message(start_conversation(who.pk).pk, text="Is the label free?", client_id="c1")
    add_customer_message(start_conversation(alice.pk).pk, text="IS THE LABEL FREE?", client_id="c1")
    add_customer_message(start_conversation(alice.pk).pk, text="When is my refund paid?", client_id="c1")
    found = [(one.case.asks, one.customer_id, one.times) for one in real_questions(7, 100)]
    assert found == [
        ("When is my refund paid?", alice.pk, 1),
        ("IS THE LABEL FREE?", alice.pk, 3),
        ("Is the label free?", visitors[1].pk, 2),
    ]
    assert [one.times for one in real_questions(7, 2)] == [1, 3]


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        (Reply("?", "Within 60 days."), Reply("?", "Within 60 days."), ()),
        (Reply("?", "Within 60 days."), Reply("?", "Within 14 days."), ("figures", "words")),
        (Reply("?", "Yes."), Reply("?", "Not found.", is_abstention=True), ("lost_answer", "words")),
        (Reply("?", "-", is_abstention=True), Reply("?", "Yes."), ("gained_answer", "words")),
        (Reply("?", "A."), Reply("?", "A.", citations=({"external_id": "a"},)), ("sources",)),
        (
            Reply("?", "A.", calls=(MadeCall("refund", {}, "proposed", approvals=1),)),
            Reply("?", "A.", calls=(MadeCall("refund", {}, "proposed"),)),
            ("action",),
        ),
        (Reply("?", "A."), Reply("?", "A.", calls=(MadeCall("request_human", {}, "handed_over"),)), ("handed_over",)),
    ],
)
def test_answers_differ_in_these_kinds(before: Reply, after: Reply, kinds: tuple[str, ...]) -> None:
    assert kinds_of(CaseTry((before,)), CaseTry((after,))) == kinds
