"""The reason for a request: the customer is asked for it if the action needs one and the message gives none."""

from dataclasses import replace
from typing import Any

import pytest

from supportbot.builtin.actions.message_reading import says_why
from supportbot.builtin.phrases import say
from supportbot.llm.types import ToolSpec
from tests.builtin.action_chat import HUMAN, Chat

MEMBERSHIP = {"type": "string", "pattern": "^M-[0-9]{4}$"}
CANCEL = {
    "type": "object",
    "properties": {"membership": MEMBERSHIP, "reason": {"type": "string", "maxLength": 200}},
    "required": ["membership", "reason"],
}
WISHES = (
    "I want to cancel my membership", "Ich möchte meine Mitgliedschaft kündigen", "Je voudrais résilier mon abonnement",
    "Quiero cancelar mi membresía", "Vorrei disdire il mio abbonamento", "Ik wil mijn lidmaatschap opzeggen",
)  # fmt: skip
STATED = (
    "Please cancel membership M-1001, I am moving abroad",
    "I'm moving to another city. Please cancel my membership M-1001",
    "Cancel membership M-1001 because I never go",
    "My knee is broken, so I'd like to cancel membership M-1001",
    "Bitte kündigen Sie die Mitgliedschaft M-1001, ich ziehe ins Ausland",
    "Mitgliedschaft M-1001 kündigen, weil ich keine Zeit mehr habe",
    "Résiliez l'abonnement M-1001, je déménage à l'étranger",
    "Résiliez l'abonnement M-1001 parce que c'est trop cher",
    "Cancele la membresía M-1001, me mudo al extranjero",
    "Cancele la membresía M-1001 porque ya no la uso",
    "Disdica l'abbonamento M-1001 perché costa troppo",
    "Zeg lidmaatschap M-1001 op, ik ga volgende maand verhuizen",
    "Zeg lidmaatschap M-1001 op omdat het te duur is",
    "Proszę anulować członkostwo M-1001, wyjeżdżam na stałe za granicę",
    "Proszę anulować członkostwo M-1001 ponieważ jest za drogie",
    "Cancele a adesão M-1001, vou mudar de país",
    "M-1001 üyeliğimi iptal edin, yakında yurt dışına taşınıyorum",
    "M-1001 üyeliğimi iptal edin çünkü artık hiç gitmiyorum",
    "ألغِ اشتراكي M-1001 لأنني لا أذهب إلى هناك",
)
NOT_STATED = (
    "Please cancel my membership",
    "Please cancel membership M-1001",
    "Hello, I would like to cancel my membership M-1001, please",
    "Hi there, can you cancel membership M-1001? Thank you very much",
    "Good morning, please cancel membership M-1001 as soon as possible",
    "I'd like to cancel, can you help me with that?",
    "My name is Ada Jones, please cancel membership M-1001",
    "Please cancel membership M-1001, if that is possible",
    "Guten Tag, bitte Mitgliedschaft M-1001 kündigen, vielen Dank",
    "Bonjour, je voudrais résilier mon abonnement M-1001, merci d'avance",
    "Hola, quiero cancelar mi membresía M-1001, muchas gracias",
    "Ciao, vorrei disdire l'abbonamento M-1001, grazie mille",
    "Hallo, ik wil lidmaatschap M-1001 opzeggen, alvast bedankt",
)
# Not tested, since a better rule may decide otherwise: messages whose reason is missed, or falsely found.
MISSED = (
    "Disdica l'abbonamento M-1001, mi trasferisco all'estero",
    "ألغِ اشتراكي M-1001، سأنتقل إلى الخارج قريبا",
)
MISTAKEN = (
    "Cancel membership M-1001, please do it today",
    "I want to cancel my membership. The number is M-1001.",
    "Ich möchte kündigen. Meine Mitgliedsnummer ist M-1001.",
)


TOOL = ToolSpec("cancel_membership", "?", CANCEL, title="Cancel a membership", examples=WISHES)


def gym(**changes: Any) -> Chat:
    return Chat(tools=(HUMAN, replace(TOOL, **changes)), orders=())


@pytest.mark.one_in(3)
@pytest.mark.parametrize("text", STATED)
def test_a_reason_in_the_request_is_used(text: str) -> None:
    assert says_why(TOOL, text)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("text", NOT_STATED)
def test_a_request_alone_gives_no_reason(text: str) -> None:
    assert not says_why(TOOL, text)


def test_a_reason_is_asked_for() -> None:
    chat = gym()
    chat.send("I want to cancel my membership")
    assert chat.send("M-1001") == (say("other", "en", part="Reason"), [])
    assert chat.blocks[0]["fields"][0]["name"] == "reason"
    said = "I do not go often enough, and could you tell the trainer that it was fun?"
    assert chat.send(said)[1] == [("cancel_membership", {"membership": "M-1001", "reason": said})]


def test_a_reason_of_the_request_is_not_asked_for_again() -> None:
    chat = gym()
    said = "I want to cancel my membership because I am moving abroad"
    chat.send(said)
    if chat.blocks[0]["type"] == "choices":  # not similar enough to the examples to begin at once
        chat.send(TOOL.title)
    assert chat.send("M-1001")[1] == [("cancel_membership", {"membership": "M-1001", "reason": said})]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("I want to cancel my membership", say("no_reason", "en")),
        (
            "I want to cancel my membership because I am moving abroad",
            "I want to cancel my membership because I am moving abroad M-1001",
        ),
    ],
)
def test_a_reason_filled_with_the_customers_words_is_never_asked_for(said: str, reason: str) -> None:
    """A request alone is no reason."""
    chat = gym(from_chat=frozenset({"reason"}))
    chat.send(said)
    if chat.blocks and chat.blocks[0]["type"] == "choices":  # not similar enough to the examples to begin at once
        chat.send(TOOL.title)
    assert chat.send("M-1001")[1] == [("cancel_membership", {"membership": "M-1001", "reason": reason})]


def test_other_texts_are_filled_with_the_customers_words() -> None:
    fields = {"membership": MEMBERSHIP, "wish": {"type": "string"}}
    chat = gym(from_chat=frozenset({"wish"}), parameters=CANCEL | {"properties": fields, "required": [*fields]})
    said = "I want to cancel my membership"
    chat.send(said)
    assert chat.send("M-1001")[1] == [("cancel_membership", {"membership": "M-1001", "wish": f"{said} M-1001"})]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Refund order WF-20404 please", say("no_reason", "en")),
        ("Please refund WF-20404, it arrived broken", "Please refund WF-20404, it arrived broken"),
    ],
)
def test_a_command_is_no_reason_for_a_refund(said: str, reason: str) -> None:
    _, [(name, arguments)] = Chat().send(said)
    assert (name, arguments["reason"]) == ("refund_order", reason)
