"""What a message is taken for: a wish for a person, a courtesy, a yes, a complaint. The words are our own."""

from time import process_time

import pytest

from supportbot.builtin import intents
from supportbot.llm.types import ToolSpec
from tests.builtin.wish_tools import catalogue

PERSON = """I want to talk to a person
can I speak to someone please
human please
agent
Let me speak with a real human
connect me to customer support
transfer me to an agent
I need a human
representative!!
get me a manager
I'd like to speak with a representative about my refund
stop, I don't want to talk to a bot, give me a human
please hand me over to a colleague
this is useless. let me talk to someone real
could I chat with a member of your team
Ich möchte mit einem Menschen sprechen
Kann ich bitte mit jemandem sprechen?
Mitarbeiter bitte
verbinden Sie mich mit dem Kundendienst
Ich möchte einen Mitarbeiter sprechen
bitte an einen Mitarbeiter weiterleiten
Ich will keinen Bot, ich will einen Menschen
ich brauche einen Ansprechpartner
Können Sie mich mit einer Kollegin verbinden?
can i speka to a humna
mitarbeter bitte
je veux parler à un conseiller
passez-moi quelqu'un
quiero hablar con una persona
pásame con un agente
vorrei parlare con un operatore
mi passi un responsabile
ik wil een medewerker spreken
verbind me door met iemand"""
NO_PERSON = """How many people fit in the tent?
Does the Kestrel 2 sleep two people?
Which cleaning agent can I use?
I need a two person tent
send me a new label
give me a refund
Wie viele Personen passen in das Zelt?
Ich brauche ein Zelt für zwei Personen
Gibt es einen Mitarbeiterrabatt?
Kann ich das an eine andere Person verschenken?
Combien de personnes tiennent dans la tente ?
¿Para cuántas personas es la tienda?
Per quante persone è la tenda?
Voor hoeveel personen is de tent?"""
COURTESIES = """greeting: Hello!
greeting: hi there
greeting: Guten Morgen
greeting: bonjour
greeting: buenas tardes
greeting: goedemorgen
thanks: Vielen Dank
thanks: merci beaucoup
thanks: grazie mille
thanks: bedankt!
farewell: Tschüss
farewell: au revoir
farewell: hasta luego
who: who are you?
who: Bist du ein Bot?
can_do: What can you do?
who: tu es un robot ?
contact: How can I contact you?
contact: Wie erreiche ich Sie?
affirm: Yes please
affirm: Ja, gern!
affirm: oui merci
affirm: sí, por favor
negate: nein danke
negate: no, never mind
negate: non, laissez
negate: no, déjalo
negate: nee, laat maar
complaint: your shop is the worst
complaint: Ihr Laden ist eine Frechheit
complaint: c'est honteux, franchement
unclear: help
unclear: geht nicht
question: how long can I return things?
question: Habt ihr am Sonntag offen?"""


def share_of(lines: str, kind: str) -> float:
    """Return the share of the lines that are taken for this kind."""
    texts = lines.splitlines()
    return sum(intents.read(text).kind == kind for text in texts) / len(texts)


def test_a_wish_for_a_person_is_heard_in_six_languages() -> None:
    assert share_of(PERSON, "person") >= 0.9


def test_what_only_speaks_of_persons_is_none() -> None:
    assert share_of(NO_PERSON, "person") <= 0.1


def test_courtesies_complaints_and_a_yes_are_told_apart() -> None:
    rows = [line.split(": ", 1) for line in COURTESIES.splitlines()]
    right = [intents.read(text).kind == kind for kind, text in rows]
    assert sum(right) / len(right) >= 0.85


@pytest.mark.parametrize("text", ["Hello, where is my parcel?", "Danke, aber wo ist mein Paket?"])
def test_a_courtesy_before_a_wish_hides_nothing(text: str) -> None:
    assert intents.heard_in(text, catalogue()).wish == "order_status"


def test_the_chances_of_all_kinds_make_one() -> None:
    assert sum(intents.read("Refund my order").kinds.values()) == pytest.approx(1, abs=0.001)


def test_an_action_without_examples_is_never_heard() -> None:
    assert intents.wished_in("Refund my order", [ToolSpec("refund_order", "Refund.", {"type": "object"})]) == []


@pytest.mark.parametrize("text", ["", " ", "?!", "\x00", "x" * 50_000, "mit einem " * 50_000, "🙂" * 400])
def test_whatever_comes_is_read_in_a_moment(text: str) -> None:
    intents.read("warm")
    started = process_time()
    intents.heard_in(text, catalogue())
    assert process_time() - started < 2
