"""Wishes for a person, and what only sounds like one. The words are our own."""

import pytest

from supportbot.llm.extractive.person import accepts, asks_how_to_reach, wants_person
from supportbot.llm.extractive.smalltalk import courtesy_in

WISHES = """I want to talk to a person
can I speak to someone please
human please
agent
Let me speak with a real human
connect me to customer support
transfer me to an agent
I need a human
representative!!
get me a manager
is there a real person I can talk to?
I'd like to speak with a representative about my refund
stop, I don't want to talk to a bot, give me a human
please hand me over to a colleague
this is useless. let me talk to someone real
I don’t want the machine, I want a person
could I chat with a member of your team
Ich möchte mit einem Menschen sprechen
Kann ich bitte mit jemandem sprechen?
Mitarbeiter bitte
verbinden Sie mich mit dem Kundendienst
Ich möchte einen Mitarbeiter sprechen
gibt es hier einen echten Menschen?
bitte an einen Mitarbeiter weiterleiten
Ich will keinen Bot, ich will einen Menschen
ich brauche einen Ansprechpartner
Kundenservice
Können Sie mich mit einer Kollegin verbinden?
can i speka to a humna
i want to talk to a reprsentative
Ich möchte mit einem Menschn sprechen
mitarbeter bitte"""
OTHERS = """How many people fit in the tent?
Does the Kestrel 2 sleep two people?
Do I have to talk to a person to cancel my order?
I don't want to talk to a person, just tell me the return period
What is your customer service phone number page?
How do I contact customer support about a declined payment?
Which cleaning agent can I use?
the driver did not speak to anyone
Why is a colleague checking my refund of 189 euros?
Who reads my chats, a person or a machine?
am I talking to a real person
Can someone else return it for me?
I made a transfer to someone last week
I need a two person tent
send me a new label
give me a refund
Wie viele Personen passen in das Zelt?
Ich brauche ein Zelt für zwei Personen
Kann jemand anderes das Paket abholen?
Muss ich mit einem Mitarbeiter sprechen, um zu stornieren?
Ich will nicht mit einem Menschen sprechen
Gibt es einen Mitarbeiterrabatt?
Lesen Menschen meine Chats?
Kann ich das an eine andere Person verschenken?"""


@pytest.mark.parametrize("text", WISHES.splitlines())
def test_a_wish_for_a_person(text: str) -> None:
    assert wants_person(text)


@pytest.mark.parametrize("text", OTHERS.splitlines())
def test_no_wish_for_a_person(text: str) -> None:
    assert not wants_person(text)


def test_a_very_long_text_takes_no_time() -> None:
    assert not wants_person("mit einem " * 50_000)
    assert courtesy_in("hello " * 50_000) is None


@pytest.mark.parametrize("text", ["Yes please", "yes", "Ja, gern!", "ok", "bitte"])
def test_a_yes(text: str) -> None:
    assert accepts(text)


@pytest.mark.parametrize("text", ["yes but how long does it take", "no", "nein danke", "ja, aber wie?"])
def test_more_than_a_yes(text: str) -> None:
    assert not accepts(text)


@pytest.mark.parametrize(
    ("text", "courtesy"),
    [
        ("Hello!", "greeting"),
        ("hi there", "greeting"),
        ("Guten Morgen", "greeting"),
        ("Hello, thanks!", "thanks"),
        ("Vielen Dank", "thanks"),
        ("ok danke", "thanks"),
        ("who are you?", "who"),
        ("Bist du ein Bot?", "who"),
        ("are you a real person?", "who"),
        ("Tschüss", "goodbye"),
        ("Wie geht es dir?", "how_are_you"),
        ("What can you do?", "can_do"),
        ("Wobei kannst du mir helfen?", "can_do"),
        ("Hello, where is my parcel?", None),
        ("Danke, aber wo ist mein Paket?", None),
        ("", None),
        ("?!", "how_are_you"),
    ],
)
def test_courtesies(text: str, courtesy: str | None) -> None:
    assert courtesy_in(text) == courtesy


@pytest.mark.parametrize(
    "text",
    ["How can I contact you?", "what is your phone number", "Wie erreiche ich Sie?", "Wie kann ich euch erreichen?",
     "Haben Sie eine Telefonnummer?", "How can I reach you about my order?"],
)  # fmt: skip
def test_who_asks_how_to_reach_us_is_heard(text: str) -> None:
    assert asks_how_to_reach(text) and not wants_person(text)


@pytest.mark.parametrize(
    "text",
    ["How do I change my phone?", "Wie kann ich mein Paket verfolgen?", "Can I call it off?",
     "How can I call off a visit?", "Where do I enter the phone number?", "How do I contact the carrier?",
     "Kann ich meine Telefonnummer ändern?", "Wie kann ich den Nachbarn erreichen?"],
)  # fmt: skip
def test_other_questions_ask_for_no_way_to_us(text: str) -> None:
    assert not asks_how_to_reach(text)
