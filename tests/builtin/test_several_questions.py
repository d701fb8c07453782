"""Several questions in one message: split, answered from their own sources, and named if unanswered."""

import pytest

from supportbot.builtin.question_rewriting import questions_in
from supportbot.llm.types import ModelRequest, Source
from tests.builtin.test_answerer import DELIVERY, RETURNS, ask


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("said", "questions"),
    [
        ("Do you take PayPal? Where is your workshop?", ("Do you take PayPal?", "Where is your workshop?")),
        ("Can I return boots and how long does a refund take?", ("Can I return boots", "how long does a refund take?")),
        ("Was kostet der Versand und kann ich umtauschen?", ("Was kostet der Versand", "kann ich umtauschen?")),
        ("Do you take PayPal?\nWhere is your workshop?", ("Do you take PayPal?", "Where is your workshop?")),
        ("Hi! Do you take PayPal? Thanks!", None),
        ("How long does delivery take and what does it cost?", ("How long does delivery take", "what does it cost?")),
        ("Where do I get laces and what do they cost?", ("Where do I get laces", "what do they cost?")),
        ("Livrez-vous en Suisse ? Puis-je payer en francs ?", ("Livrez-vous en Suisse ?", "Puis-je payer en francs ?")),
        ("And to Norway? What does express cost?", None),
        ("How do I wash it? Can I iron wool?", None),
        ("Can I wash the jacket and the boots?", None),
        ("Do boots fit? Does it rain? Is wool warm? Are tents dry?", None),
        ("", None),
    ],
)
def test_several_questions_are_split_if_the_first_makes_sense_alone(
    said: str, questions: tuple[str, ...] | None
) -> None:
    assert tuple(part.said for part in questions_in(said)) == (questions or (said,))


def test_a_question_that_depends_on_the_first_is_searched_for_with_it() -> None:
    first, second, third = questions_in("What does the tent cost and is it in stock? Can I return boots?")
    assert first.sought == first.said == "What does the tent cost"
    assert second.sought == "What does the tent cost is it in stock?"
    assert third.sought == "Can I return boots?"


def test_each_of_several_questions_is_answered_from_its_own_sources() -> None:
    parts = (
        ModelRequest("answer", (), question="Do you send parcels on Saturday?", sources=(DELIVERY,)),
        ModelRequest("answer", (), question="Are gift cards paid out?", sources=(RETURNS,)),
    )
    reply = ask("Do you send parcels on Saturday? Are gift cards paid out?", parts=parts)
    first, second = reply.text.split("\n\n")[0], reply.text.split("\n\n")[-1]
    assert "Monday to Saturday" in first
    assert "never paid out" in second


@pytest.mark.parametrize(
    ("klarna", "language", "ends"),
    [
        ("Do you take Klarna?", "en", "I found nothing about “Do you take Klarna” in our help pages."),
        ("Nehmen Sie Klarna?", "de", "Zu „Nehmen Sie Klarna“ habe ich in unseren Hilfeseiten nichts gefunden."),
        (
            "Acceptez-vous Klarna ?",
            "fr",
            "Je n’ai rien trouvé dans nos pages d’aide sur «\u00a0Acceptez-vous Klarna\u00a0».",
        ),
    ],
)
def test_an_unanswered_one_of_several_questions_is_named_last(klarna: str, language: str, ends: str) -> None:
    parts = (
        ModelRequest("answer", (), question=klarna, sources=(DELIVERY,), is_answerable=False),
        ModelRequest("answer", (), question="Are gift cards paid out?", sources=(RETURNS,)),
    )
    asked = {"en": "Hi, please tell me:", "de": "Bitte sagen Sie mir:", "fr": "Dites-moi s'il vous plaît :"}[language]
    text = ask(f"{asked} {klarna}", locale=language, parts=parts).text
    assert "never paid out. [1]" in text
    assert text.endswith(f"\n\n{ends}")


def test_a_question_answered_with_its_follow_up_is_not_named() -> None:
    leaning = "Where do I get laces what do they cost?"
    parts = (
        ModelRequest("answer", (), question="Where do I get laces", sources=(DELIVERY,), is_answerable=False),
        ModelRequest("answer", (), question="what do they cost?", looked_up=leaning, sources=(DELIVERY,)),
    )
    text = ask("Where do I get laces and what do they cost?", parts=parts).text
    assert "[2]" in text and "nothing" not in text


def test_the_language_of_a_page_is_named_once() -> None:
    parts = (
        ModelRequest("answer", (), question="Livrez-vous en Suisse ?", sources=(DELIVERY,)),
        ModelRequest("answer", (), question="Puis-je retourner un article ?", sources=(RETURNS,)),
    )
    asked = "Livrez-vous en Suisse ? Puis-je retourner un article ?"
    assert ask(asked, locale="fr", parts=parts).text.count("Notre page à ce sujet") == 1


def test_a_piece_that_answers_two_questions_is_quoted_once() -> None:
    page = Source(1, "Returns", "Returns cost nothing and take 14 days.", "en")
    parts = (
        ModelRequest("answer", (), question="What do returns cost?", sources=(page,)),
        ModelRequest("answer", (), question="how long do they take?", sources=(page,)),
    )
    text = ask("What do returns cost and how long do they take?", parts=parts).text
    assert text == "Returns cost nothing and take 14 days. [1]"


def test_a_part_that_is_a_statement_is_not_named_as_a_question() -> None:
    parts = (
        ModelRequest("answer", (), question="I bought a canoe", sources=(DELIVERY,), is_answerable=False),
        ModelRequest("answer", (), question="Are gift cards paid out?", sources=(RETURNS,)),
    )
    assert "canoe" not in ask("I bought a canoe\nAre gift cards paid out?", parts=parts).text
