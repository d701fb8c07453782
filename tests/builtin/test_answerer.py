"""The built-in answerer with a small help centre, in English and German."""

import asyncio
import re
import threading
from typing import Any

import orjson
import pytest

from supportbot.builtin import provider as builtin
from supportbot.builtin.actions.asking import Reply
from supportbot.builtin.answerer import reply_to
from supportbot.builtin.intents import courtesy
from supportbot.builtin.phrases import Phrase, say
from supportbot.builtin.provider import BuiltinProvider
from supportbot.builtin.question_rewriting import standalone
from supportbot.builtin.quotable_pieces import pieces_of
from supportbot.llm.types import ChatMessage, Finished, ModelRequest, Source, TextDelta, ToolCall, ToolSpec
from tests.patience import PATIENCE_SECONDS

RETURNS = Source(
    1,
    "Returns and refunds",
    """This page says how to return things.

## Returning
You can return unused items within **60 days** of delivery. Worn boots can be swapped once within 30 days.

To return an item:

1. Open [Your orders](/orders) and choose *Return*.
2. Print the label, or show the code at the parcel shop.
3. Drop the parcel off within 14 days.

## Refunds
We refund within 5 working days after the parcel has arrived, e.g. to your card. Gift cards are never paid out.
""",
    "en",
)
DELIVERY = Source(
    2,
    "Delivery times and costs",
    """| To | Working days | Costs |
|---|---|---|
| Germany | 2 to 3 | €4.90 |
| Switzerland | 4 to 6 | €14.90 |

Parcels are delivered Monday to Saturday. Is your parcel late? Write to us.
""",
    "en",
)
LIEFERUNG = Source(
    3,
    "Lieferzeiten und Versandkosten",
    """Die Lieferung innerhalb Deutschlands dauert 2 bis 3 Werktage. Ab 80 € ist der Versand kostenlos, sonst kostet er
4,90 €. Am 24. Dezember liefern wir nicht.

- **Express** kostet 12,90 € und kommt am nächsten Werktag, z. B. am Dienstag.
- Ein Paketshop bewahrt Ihr Paket 7 Tage auf.
""",
    "de",
)
SOURCES = (RETURNS, DELIVERY, LIEFERUNG)
HUMAN = ToolSpec("request_human", "Hand over.", {"type": "object"})


def ask(question: str, **changes: Any) -> Reply:
    values: dict[str, Any] = {"purpose": "answer", "messages": (), "question": question, "sources": SOURCES}
    return reply_to(ModelRequest(**(values | changes)))


@pytest.mark.parametrize(
    ("question", "piece"),
    [
        (
            "How long do I have to return something unused?",
            "You can return unused items within 60 days of delivery. [1] "
            "Worn boots can be swapped once within 30 days. [1]",
        ),
        (
            "when do I get my refund",
            "We refund within 5 working days after the parcel has arrived, e.g. to your card. [1] "
            "Gift cards are never paid out. [1]",
        ),
        ("do you deliver on Saturday", "Parcels are delivered Monday to Saturday. [2] Is your parcel late? [2]"),
        (
            "Wie lange dauert die Lieferung?",
            "Lieferung innerhalb Deutschlands dauert 2 bis 3 Werktage. [3] Ab 80 €",
        ),
        (
            "Was kostet Express?",
            "- Express kostet 12,90 € und kommt am nächsten Werktag, z. B. am Dienstag. [3]\n"
            "- Ein Paketshop bewahrt Ihr Paket 7 Tage auf. [3]",
        ),
    ],
)
def test_the_paragraph_or_list_that_answers_is_quoted_whole(question: str, piece: str) -> None:
    assert piece in ask(question).text


def test_steps_are_quoted_whole_with_their_lead() -> None:
    assert (
        "To return an item: [1]\n"
        "1. Open Your orders and choose Return. [1]\n"
        "2. Print the label, or show the code at the parcel shop. [1]\n"
        "3. Drop the parcel off within 14 days. [1]"
    ) in ask("How do I print the return label?").text


def test_the_row_asked_for_is_quoted_with_its_column_names() -> None:
    text = ask("what are the costs to Switzerland?").text
    assert text.startswith("- Switzerland · Working days: 4 to 6 · Costs: €14.90 [2]")
    assert "Germany" not in text


@pytest.mark.parametrize(
    "question", ["How long can I return items?", "Wie lange dauert die Lieferung?", "Can I swap worn boots?"]
)
def test_every_line_names_its_source_and_is_found_in_it(question: str) -> None:
    for line in filter(None, ask(question).text.replace("] ", "]\n").splitlines()):
        quote, _, number = line.rpartition(" [")
        source = SOURCES[int(number.rstrip("]")) - 1]
        bare = source.text.replace("*", "").replace("\n", " ")
        assert re.sub(r"^(?:-|\d\.) ", "", quote).removesuffix(":") in bare


def test_the_language_of_the_question_comes_first() -> None:
    english = Source(1, "Delivery", "Delivery within Germany takes 2 to 3 working days.", "en")
    german = Source(2, "Lieferung", "Die Lieferung innerhalb Deutschlands dauert 2 bis 3 Werktage.", "de")
    assert "[2]" in ask("Wie lange dauert die Lieferung in Germany?", sources=(english, german)).text
    assert "[1]" in ask("How long does delivery take in Germany?", sources=(german, english)).text.replace("[2]", "[1]")


def test_a_source_in_another_language_is_better_than_none() -> None:
    assert ask("Wie lange ist die Rückgabe möglich?", sources=(RETURNS,)).text.endswith("[1]")


@pytest.mark.parametrize(
    ("question", "locale", "language"),
    [
        ("Do you sell canoes?", "en", "en"),
        ("Verkaufen Sie auch Kanus?", "en", "de"),
        ("Kanu?", "de-AT", "de"),
        ("Do you rent out canoes?", "pt", "en"),
    ],
)
def test_an_unanswerable_question_gets_not_found_and_an_offer_of_a_person(
    question: str, locale: str, language: str
) -> None:
    reply = ask(question, locale=locale, is_answerable=False)
    assert reply == Reply(say("not_found", language))


@pytest.mark.parametrize("text", ["qwe rty zxc", "asdfgh", "lkj lkj lkj"])
def test_random_letters_get_a_follow_up_question_and_repeat_no_answer(text: str) -> None:
    assert ask(text, is_answerable=False) == Reply(say("not_understood", "en"))
    assert standalone(text, (ChatMessage("user", "How much is delivery to Austria?"),)) == text


def test_a_question_about_contact_names_the_button_unless_a_page_answers() -> None:
    page = Source(1, "Contact", "You reach us by phone at 0761 555 010.", "en")
    assert ask("How can I contact you?", is_answerable=False) == Reply(say("no_person", "en"))
    assert "0761" in ask("How can I contact you?", sources=(page,)).text


@pytest.mark.parametrize(
    ("question", "language"), [("never mind", "en"), ("nein danke", "de"), ("laisse tomber", "fr")]
)
def test_a_no_to_nothing_quotes_nothing(question: str, language: str) -> None:
    assert ask(question, locale=language).text == say("acknowledgement", language)


@pytest.mark.parametrize(
    "sources", [(), (Source(1, "Empty", "", "en"),), (Source(1, "Head", "# Only a heading", "en"),)]
)
def test_nothing_to_quote_gets_not_found(sources: tuple[Source, ...]) -> None:
    assert ask("Do you sell kites?", sources=sources).text == say("not_found", "en")


def test_a_request_for_a_person_becomes_a_tool_call() -> None:
    reply = ask("I want to talk to a person", tools=(HUMAN,))
    (call,) = reply.calls
    assert call.name == "request_human"
    assert orjson.loads(call.arguments) == {"reason": "I want to talk to a person"}


def test_a_request_for_a_person_without_the_tool_names_the_button() -> None:
    assert ask("Mitarbeiter bitte") == Reply(say("no_person", "de"))


def test_a_yes_to_the_offer_requests_a_person() -> None:
    offered = (ChatMessage("assistant", say("not_found", "en")),)
    assert ask("yes please", messages=offered, tools=(HUMAN,)).calls
    assert not ask("yes please", messages=(), tools=(HUMAN,)).calls


def test_courtesies_say_that_this_is_an_ai() -> None:
    for text in ("Hello", "thanks", "who are you?", "bye"):
        assert "AI" in ask(text).text
    for text in ("Hallo", "Danke", "Wer bist du?", "Tschüss"):
        assert "KI" in ask(text, locale="de").text


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("thx that helped", "thanks"), ("Thank you so much for your help!", "thanks"), ("👍", "thanks"),
        ("danke dir, das hat geholfen", "thanks"), ("Vielen Dank für Ihre schnelle Hilfe!", "thanks"),
        ("I have a question", "how_are_you"), ("can you help me?", "how_are_you"), ("??", "how_are_you"),
        ("Guten Tag, ich habe eine Frage", "how_are_you"), ("Hello 😊", "greeting"),
        ("you are useless", "complaint"), ("you stupid bot", "complaint"), ("That didn't help at all!", "complaint"),
        ("So ein Scheiß!", "complaint"), ("Das hilft mir nicht weiter.", "complaint"), ("😡😡", "complaint"),
    ],
)  # fmt: skip
def test_courtesies_and_swear_words_get_their_own_answers(text: str, phrase: Phrase) -> None:
    assert ask(text).text in {say(phrase, "en"), say(phrase, "de")}


@pytest.mark.parametrize(
    "text", ["Is this a scam?", "Can you help me with my order?", "I have a question about returns"]
)
def test_a_message_that_says_more_is_not_a_courtesy(text: str) -> None:
    assert courtesy(text) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The boots you sent have a hole. How do I return them?", "en"),
        ("My boots arrived broken, how do I return them?", "en"),
        ("Schon wieder zu spät. Wie lange dauert die Lieferung?", "de"),
        ("my tent ripped, how long is the warranty?", "en"),
    ],
)
def test_an_answer_begins_with_regret_where_something_went_wrong(text: str, language: str) -> None:
    answer = ask(text).text
    regret, _, quoted = answer.partition("\n\n")
    assert regret == say("regret", language)
    assert "[1]" in quoted or "[2]" in quoted or "[3]" in quoted


@pytest.mark.parametrize(
    "text",
    [
        "How long does delivery take?", "What do I do if a parcel arrives broken?", "Can I return worn boots?",
        "Wie lange dauert die Lieferung?", "I no longer need the boots. How do I return them?",
    ],
)  # fmt: skip
def test_a_plain_question_and_a_change_of_mind_get_no_regret(text: str) -> None:
    assert not ask(text).text.startswith((say("regret", "en"), say("regret", "de")))


def test_a_not_found_answer_after_a_complaint_has_no_regret() -> None:
    text = "Your lamp broke on the first night. What does a new one cost?"
    assert ask(text, sources=(), is_answerable=False).text == say("not_found", "en")


def test_a_complaint_without_a_question_or_an_answer_gets_regret_and_the_offer_of_a_person() -> None:
    text = "The lamp you sent broke on the first night."
    assert ask(text, sources=(), is_answerable=False).text == say("complaint", "en")


def test_a_complaint_that_asks_nothing_gets_regret_and_the_offer_of_a_person_before_the_page() -> None:
    first, *page = ask("The boots you sent have a hole.").text.split("\n\n")
    assert first == say("complaint", "en")
    assert "[1]" in "".join(page) and say("offer", "en") not in "".join(page)
    asked = ask("The boots you sent have a hole, how do I return them").text
    assert asked.startswith(say("regret", "en")) and say("offer", "en") not in asked


def test_a_draft_for_an_agent_does_not_offer_a_person() -> None:
    assert say("offer", "en") not in ask("The boots you sent have a hole.", purpose="draft").text


def test_a_yes_after_a_complaint_requests_a_person() -> None:
    answers = (say("complaint", "en"), ask("The boots you sent have a hole.").text)
    for answer in answers:
        said = (ChatMessage("user", "The boots you sent have a hole."), ChatMessage("assistant", answer))
        assert ask("yes", messages=said, tools=(HUMAN,)).calls


def test_a_yes_to_the_question_at_the_end_of_a_page_requests_no_person() -> None:
    answer = f"{say('complaint', 'en')}\n\nReturns are free. Have you kept the label? [1]"
    said = (ChatMessage("user", "The boots you sent have a hole."), ChatMessage("assistant", answer))
    assert not ask("yes", messages=said, tools=(HUMAN,)).calls


def test_a_chain_of_follow_ups_keeps_its_subject() -> None:
    said = (ChatMessage("user", "How much is delivery to Austria?"), ChatMessage("user", "And to Spain?"))
    assert standalone("And how long?", said) == "How much is delivery? And to Spain? And how long?"


@pytest.mark.parametrize(
    ("before", "text", "whole"),
    [
        ("How much is delivery to Austria?", "And to Switzerland?", "How much is delivery? And to Switzerland?"),
        ("Do you ship to the United Kingdom?", "and to Norway?", "Do you ship? and to Norway?"),
        ("What is it to send a box to Austria?", "And to Italy?", "What is it to send a box? And to Italy?"),
        ("Was kostet der Versand nach Österreich?", "Und in die Schweiz?",
         "Was kostet der Versand? Und in die Schweiz?"),
        ("How do I wash the jacket in cold water?", "And at what temperature?",
         "How do I wash the jacket in cold water? And at what temperature?"),
    ],
)  # fmt: skip
def test_a_follow_up_replaces_the_subject_named_before(before: str, text: str, whole: str) -> None:
    assert standalone(text, (ChatMessage("user", before),)) == whole


def test_a_follow_up_is_joined_with_the_previous_question() -> None:
    said = (ChatMessage("user", "Do you ship to Switzerland?"), ChatMessage("assistant", "Yes. [1]"))
    rewritten = ask("and how long?", purpose="rewrite", messages=said).text
    assert rewritten == "Do you ship to Switzerland? and how long?"
    alone = "How long does it take to return a pair of worn boots?"
    assert ask(alone, purpose="rewrite", messages=said).text == alone


def test_a_summary_quotes_the_request_and_the_answer() -> None:
    said = (
        ChatMessage("user", "Hello"),
        ChatMessage("user", "Where is my parcel?"),
        ChatMessage("assistant", "It is late. [1]"),
        ChatMessage("user", "Then cancel the order, please."),
    )
    assert ask("", purpose="summarise", messages=said).text == (
        "Wants: Where is my parcel?\nLast said: Then cancel the order, please.\nAnswered: It is late. [1]"
    )


def test_a_french_summary_has_a_space_before_its_colons() -> None:
    said = (ChatMessage("user", "Où est mon colis, je l'attends depuis une semaine ?"),)
    wants, quoted = ask("", purpose="summarise", messages=said, locale="fr").text.split("\N{NO-BREAK SPACE}: ")
    assert wants == say("wants", "fr") and quoted.startswith("Où est mon colis")


def test_hostile_markdown_is_reduced_to_text_quickly() -> None:
    wild = "![x](http://evil.example/a.png) <script>alert(1)</script> " + "**a" * 3000 + "\n" + "[" * 5000 + "|" * 5000
    text = ask("alert", sources=(Source(1, "Wild", wild, "en"),)).text
    assert "evil.example" not in text
    assert "<script" not in text


def test_pieces_keep_order_headings_and_words() -> None:
    pieces = pieces_of(RETURNS)
    assert [piece.kind.value for piece in pieces] == ["paragraph", "paragraph", "paragraph", "list", "paragraph"]
    assert pieces[3].lines[0].text == "Open Your orders and choose Return."
    assert pieces[3].lead == "To return an item:"
    assert pieces[-1].heading == "Refunds"


async def test_the_provider_streams_and_can_be_stopped() -> None:
    request = ModelRequest("answer", (), question="How long can I return items?", sources=SOURCES, tools=(HUMAN,))
    events = [event async for event in BuiltinProvider().stream(request)]
    pieces = [event.text for event in events if isinstance(event, TextDelta)]
    assert len(pieces) > 1
    assert "".join(pieces) == reply_to(request).text
    assert isinstance(events[-1], Finished)

    async def forever() -> None:
        async for _ in BuiltinProvider().stream(request):
            asyncio.current_task().cancel()  # type: ignore[union-attr]

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(forever())


async def test_the_provider_ends_a_handoff_with_its_call() -> None:
    request = ModelRequest("answer", (), question="human please", tools=(HUMAN,))
    events = [event async for event in BuiltinProvider().stream(request)]
    assert isinstance(events[-2], ToolCall)
    assert events[-1].finish_reason == "tool_calls"  # type: ignore[union-attr]


def test_a_long_answer_does_not_block_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    somebody_else = threading.Event()
    heard: list[bool] = []

    def slowly(request: ModelRequest) -> Reply:
        heard.append(somebody_else.wait(timeout=PATIENCE_SECONDS))
        return reply_to(request)

    async def chats() -> None:
        request = ModelRequest("answer", (), question="human please")
        answer = asyncio.create_task(anext(BuiltinProvider().stream(request)))
        await asyncio.sleep(0)
        somebody_else.set()
        await answer

    monkeypatch.setattr(builtin, "reply_to", slowly)
    asyncio.run(chats())
    assert heard == [True]


def test_a_draft_for_an_agent_quotes_and_says_nothing_of_the_assistant() -> None:
    assert "within 60 days" in ask("How long can I return unused items?", purpose="draft").text
    for question in ("I would like to talk to a person", "Hello", "Who are you?"):
        assert ask(question, purpose="draft") == Reply("")


def test_there_is_no_draft_for_a_yes_to_the_offer_of_a_person() -> None:
    offered = (ChatMessage("user", "Do you sell kayaks?"), ChatMessage("assistant", say("not_found", "en")))
    assert ask("yes please", messages=offered, purpose="draft") == Reply("")
