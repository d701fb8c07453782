"""How messages are classified: requests for a person, courtesies, a yes, complaints. The examples are our own."""

import json
from pathlib import Path

import pytest

from supportbot.builtin import intents
from supportbot.language.detection import detect
from supportbot.llm.types import ToolSpec
from tests.builtin.action_chat import catalogue
from tests.pace import bounded

EVALUATION = Path(__file__).parents[2] / "examples/evaluation"
SMALL_TALK, PERSONS = EVALUATION / "small_talk.jsonl", EVALUATION / "persons.jsonl"
PERSONS_AND_COMPLAINTS = EVALUATION / "persons_and_complaints.jsonl"
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

NONSENSE = """qwe rty zxc
lkj lkj lkj
azerty
xxxxx
zzzz
dfg dfgdfg
jklö jklö
yxcvb
mnbvcx
sdfsdf sdf sdf
kjhkjh kjhg
gggg hhhh"""
NAMES = """Kestrel
Skarn
PayPal
merino
bâtons
Versand
garantía
DHL
Freiburg
newsletter
GORE-TEX
Gutschein"""


def share_of(lines: str, kind: str) -> float:
    """Return the share of the lines classified as this kind."""
    texts = lines.splitlines()
    return sum(intents.classify(text).kind == kind for text in texts) / len(texts)


@pytest.mark.long
def test_a_request_for_a_person_is_detected_in_six_languages() -> None:
    assert share_of(PERSON, "person") >= 0.9


@pytest.mark.parametrize(
    ("asks_for", "asks_whether"),
    [
        ("Can I talk to a person?", "Am I talking to a person?"),
        ("Kann ich mit einem Menschen sprechen?", "Spreche ich mit einem Menschen?"),
        ("¿Puedo hablar con una persona?", "¿Hablo con una persona?"),
        ("Je peux parler à une personne ?", "Je parle à une personne ?"),
        ("Posso parlare con una persona?", "Parlo con una persona?"),
        ("Kan ik met een persoon praten?", "Praat ik met een persoon?"),
    ],
)
def test_a_request_for_a_person_is_distinguished_from_the_question_whether_one_is_there(
    asks_for: str, asks_whether: str
) -> None:
    assert intents.wants_person(asks_for) and not intents.courtesy(asks_for)
    assert intents.courtesy(asks_whether) == "who" and not intents.wants_person(asks_whether)


@pytest.mark.parametrize("text", ["chcę rozmawiać z człowiekiem", "Czy mogę porozmawiać z człowiekiem?"])
def test_a_message_that_may_ask_for_a_person_or_whether_one_is_there_gets_the_answer_with_the_button(text: str) -> None:
    kinds = intents.classify(text).kinds
    assert max(kinds["person"], kinds["who"]) < intents.SURE_FROM
    assert intents.courtesy(text) == "who"


@pytest.mark.long
def test_most_requests_for_a_person_are_detected_and_hardly_anything_else() -> None:
    rows = [json.loads(line) for line in PERSONS.open()]
    asked = {kind: [row["question"] for row in rows if row["kind"] == kind] for kind in ("person", "who", "question")}
    passed_on = {kind: [text for text in texts if intents.wants_person(text)] for kind, texts in asked.items()}
    assert len(passed_on["person"]) / len(asked["person"]) >= 0.9
    assert len(passed_on["who"]) / len(asked["who"]) <= 0.07, passed_on["who"]
    assert len(passed_on["question"]) / len(asked["question"]) <= 0.1, passed_on["question"]


@pytest.mark.parametrize(
    "text",
    [
        "My jacket ripped after two days. I want to speak to someone.",
        "La semelle de mes chaussures se décolle, je veux parler à un conseiller",
        "Können Sie mich weiterverbinden?",
        "not a bot please",
    ],
)
def test_a_request_for_a_person_is_detected_after_a_problem_and_without_a_name_for_the_person(text: str) -> None:
    assert intents.wants_person(text) and not intents.courtesy(text)


@pytest.mark.long
def test_requests_for_a_person_are_detected_after_problems_and_plain_questions_are_not_taken_for_them() -> None:
    rows = [json.loads(line) for line in PERSONS_AND_COMPLAINTS.open()]
    asked = {kind: [row["question"] for row in rows if row["kind"] == kind] for kind in ("person", "question")}
    passed_on = {kind: [text for text in texts if intents.wants_person(text)] for kind, texts in asked.items()}
    assert len(passed_on["person"]) / len(asked["person"]) >= 0.75
    assert len(passed_on["question"]) / len(asked["question"]) <= 0.03, passed_on["question"]


@pytest.mark.long
def test_mentioning_a_person_is_not_a_request_for_one() -> None:
    assert share_of(NO_PERSON, "person") <= 0.1


@pytest.mark.long
def test_random_letters_are_distinguished_from_names() -> None:
    assert share_of(NONSENSE, "nonsense") >= 0.8
    assert share_of(NAMES, "nonsense") <= 0.1


@pytest.mark.parametrize(("text", "language"), [("asdf qwer lol", "fr"), ("where is my order", "en")])
def test_random_keystrokes_keep_the_language_of_a_conversation(text: str, language: str) -> None:
    assert detect(text, "fr") == "en"
    assert intents.language_of(text, "fr") == language


@pytest.mark.long
def test_courtesies_complaints_and_a_yes_are_distinguished() -> None:
    rows = [line.split(": ", 1) for line in COURTESIES.splitlines()]
    right = [intents.classify(text).kind == kind for kind, text in rows]
    assert sum(right) / len(right) >= 0.85


def test_words_alone_identify_most_courtesies_and_no_question_is_taken_for_one() -> None:
    said = [line.split(": ", 1)[1] for line in COURTESIES.splitlines()]
    known = [text for text in said if intents.courtesy(text)]
    assert sum(intents.courtesy_by_words(text) is not None for text in known) / len(known) >= 0.7
    assert not any(map(intents.courtesy_by_words, ["How long do I have to return a tent?", "Wo ist mein Paket?", ""]))


@pytest.mark.parametrize("text", ["noch nichts da", "nog niets ontvangen", "never received it", "no parcel yet"])
def test_a_report_of_something_missing_is_not_just_a_no(text: str) -> None:
    assert not intents.is_mere_no(text)
    assert intents.is_mere_no("never mind")


@pytest.mark.long
def test_small_talk_is_distinguished_from_similar_short_questions() -> None:
    rows = [json.loads(line) for line in SMALL_TALK.open()]
    chat = [row["question"] for row in rows if row["kind"] == "small_talk"]
    asked = [row["question"] for row in rows if row["kind"] == "question"]
    unsearched = [text for text in chat if intents.courtesy(text) or intents.is_mere_no(text)]
    assert len(unsearched) / len(chat) >= 0.9
    taken = [text for text in asked if intents.courtesy(text) or intents.is_mere_no(text)]
    assert len(taken) / len(asked) <= 0.03, taken


def test_a_message_that_is_certainly_one_of_two_courtesies_is_a_courtesy() -> None:
    assert intents.courtesy("ok perfect, bye") in ("acknowledgement", "farewell")


@pytest.mark.parametrize("text", ["Hello, where is my parcel?", "Danke, aber wo ist mein Paket?"])
def test_a_courtesy_before_a_request_does_not_hide_it(text: str) -> None:
    assert intents.detect_intent(text, catalogue()).action == "order_status"


@pytest.mark.parametrize(
    "text",
    ["who won the world cup 2018", "do you have the 2024 catalogue", "Haben Sie den Katalog 2024?",
     "What were your opening hours in 2021?", "Qui a gagné la coupe du monde 2018 ?"],
)  # fmt: skip
def test_a_year_is_not_taken_for_an_order(text: str) -> None:
    assert intents.detect_intent(text, catalogue()).action == ""


@pytest.mark.parametrize("text", ["2018", "where is order 2018", "please cancel #2018", "refund 2019 please"])
def test_an_order_may_be_numbered_like_a_year(text: str) -> None:
    assert intents.classify(text).kind == "wish"


def test_the_probabilities_of_all_kinds_sum_to_one() -> None:
    assert sum(intents.classify("Refund my order").kinds.values()) == pytest.approx(1, abs=0.001)


def test_an_action_without_examples_is_never_detected() -> None:
    assert intents.score_intents("Refund my order", [ToolSpec("refund_order", "Refund.", {"type": "object"})]) == []


@pytest.mark.one_in(3)
@pytest.mark.parametrize("text", ["", " ", "?!", "\x00", "x" * 50_000, "🙂" * 400, "mit einem " * 50_000])
def test_any_text_is_classified_quickly(text: str) -> None:
    intents.classify("warm")
    with bounded(10):
        intents.detect_intent(text, catalogue())


def test_questions_about_what_was_done_are_recognised() -> None:
    rows = [json.loads(line) for line in (EVALUATION / "done_questions.jsonl").open()]
    heard = [intents.asks_whether_done(row["text"]) for row in rows if row["done"]]
    mistaken = [intents.asks_whether_done(row["text"]) for row in rows if not row["done"]]
    assert sum(heard) >= 0.9 * len(heard)
    assert sum(mistaken) <= 0.05 * len(mistaken)
