"""Which parts of a model's text are shown while streaming, and how the final answer is composed."""

from uuid import uuid4

import pytest

from kb.search import Passage
from supportbot.assistant.checked_stream import CheckedStream
from supportbot.assistant.checks.cross_encoders import WINDOW_CHARACTERS
from supportbot.assistant.checks.evidence import MAX_WINDOWS, Author
from supportbot.assistant.vectors_for_checks import settle
from supportbot.builtin.phrases import Phrase, say
from supportbot.chat.answers import Answer

BODY = (
    "## Returns\n\nYou can return unused items within **60 days** of delivery. "
    "Use the label in *Your orders*. Your refund is paid within 5 working days after we received the parcel.\n\n"
    "- Gift cards cannot be returned.\n"
)


def passage(body: str = BODY, *, locale: str = "en", offset: int = 0) -> Passage:
    return Passage(
        article_id=uuid4(),
        external_id="returns",
        title="Returns",
        url="/help/wrenfell/returns/",
        locale=locale,
        revision=3,
        heading="Returns",
        text=body,
        start=offset,
        end=offset + len(body),
        score=1.0,
        similarity=0.9,
        chunk_id=uuid4(),
    )


def stream(streamed: CheckedStream, text: str, *, step: int = 7) -> str:
    """Write text in pieces of `step` characters, with the vectors that the answer asks for; return what was shown."""
    for start in range(0, len(text), step):
        streamed.write(text[start : start + step])
        settle(streamed)
    return streamed.shown


def finished(streamed: CheckedStream, text: str, *, step: int = 7) -> Answer:
    """Write the whole text and return the answer."""
    stream(streamed, text, step=step)
    for _ in range(2):
        streamed.finish()
        settle(streamed)
    return streamed.answer()


def written(
    text: str, *, step: int = 7, language: str = "en", said: str = "", by: Author = "model"
) -> tuple[str, Answer]:
    """Return the text shown while streaming, and the answer, for a text in pieces of `step` characters."""
    streamed = CheckedStream((passage(),), language, (said,), by=by)
    answer = finished(streamed, text, step=step)
    return streamed.shown, answer


def test_words_quoted_from_an_article_are_not_a_claim() -> None:
    _, answer = written("Your refund is paid within 5 working days after we received the parcel. [1]")
    assert len(answer.citations) == 1


def test_words_from_the_sources_are_streamed_as_they_arrive() -> None:
    streamed = CheckedStream(
        (passage("Tents with a groundsheet dry within minutes when they hang in the wind."),), "en"
    )
    assert streamed.write("Tents with a groundsheet hang in the ").startswith("Tents with a groundsheet ")


def test_courtesy_needs_no_source() -> None:
    _, answer = written("Hello! How can I help you today?")
    assert answer.text == "Hello! How can I help you today?"
    assert not answer.is_abstention


def test_an_admission_of_not_knowing_is_an_abstention_that_offers_a_person() -> None:
    _, answer = written("I could not find this in our help pages. Would you like to talk to a person?")
    assert answer.is_abstention
    assert answer.offers_human
    assert answer.text.startswith("I could not find")


def test_an_answer_in_another_language_may_name_its_source() -> None:
    _, answer = written("Ungenutzte Artikel nehmen wir 60 Tage lang zurück [1].", language="de")
    assert answer.text == "Ungenutzte Artikel nehmen wir 60 Tage lang zurück [1]."
    assert len(answer.citations) == 1


def test_numbers_from_the_customer_may_be_repeated() -> None:
    _, answer = written("Could you tell me what is wrong with order 20418?", said="My order 20418 is late")
    assert "20418" in answer.text


def test_a_stopped_answer_is_exactly_what_was_shown() -> None:
    streamed = CheckedStream((passage(),), "en")
    shown = streamed.write("Gift cards cannot be returned. [1] The label is in your ord")
    answer = streamed.answer(is_stopped=True)
    assert answer.text == shown.strip()
    assert answer.is_stopped
    assert len(answer.citations) == 1


@pytest.mark.parametrize(
    "end", ["You can return unused items", "Your refund is paid within 5 working days after we rec"]
)
def test_half_a_sentence_of_a_truncated_answer_is_dropped(end: str) -> None:
    streamed = CheckedStream((passage(),), "en")
    streamed.write(f"Gift cards cannot be returned. [1] {end}")
    streamed.break_off()
    streamed.finish()
    assert streamed.answer().text == "Gift cards cannot be returned. [1]"


@pytest.mark.parametrize("end", ["You can return unused items within 60 days of delivery. [1]", 'You may say "hello."'])
def test_a_complete_sentence_of_a_truncated_answer_stays(end: str) -> None:
    streamed = CheckedStream((passage(f'{BODY}\n\nYou may say "hello."\n'),), "en")
    streamed.write(end)
    streamed.break_off()
    streamed.finish()
    assert streamed.answer().text.startswith(end)


def test_an_answer_of_half_a_sentence_and_a_courtesy_is_an_abstention() -> None:
    streamed = CheckedStream((passage(),), "en")
    streamed.write("Sure! You can return unused items within 60 days of")
    streamed.break_off()
    streamed.finish()
    assert streamed.answer().is_abstention


@pytest.mark.parametrize("flood", ["Gift cards cannot be returned. ", "a\n", ". ", "1. b\n", "packed "])
def test_a_flood_of_text_is_read_up_to_a_limit(flood: str) -> None:
    streamed = CheckedStream((passage(),), "en")
    for _ in range(20_000 // 50):
        streamed.write(flood * 50)
    streamed.finish()
    assert len(streamed.sentences) < 400
    assert len(streamed.answer().text) < 10_000


def test_a_page_with_the_same_words_is_not_a_source_of_a_look_up() -> None:
    streamed = CheckedStream((passage("Write to us when your order was delivered and the parcel is open."),), "en")
    streamed.learn("Order A-1001: delivered")
    answer = finished(streamed, "Your order A-1001 was delivered.")
    assert (answer.text, answer.citations) == ("Your order A-1001 was delivered.", ())


@pytest.mark.parametrize("language", ["en", "de"])
def test_an_answer_about_reaching_a_person_offers_the_button(language: str) -> None:
    answer = finished(CheckedStream((), language, by="builtin"), say("no_person", language))
    assert (answer.text, answer.is_abstention, answer.offers_human) == (say("no_person", language), True, True)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("phrase", ["who", "can_do"])
def test_an_answer_about_the_assistant_offers_the_button(phrase: Phrase, language: str) -> None:
    answer = finished(CheckedStream((), language, by="builtin"), say(phrase, language))
    assert (answer.text, answer.is_abstention, answer.offers_human) == (say(phrase, language), False, True)


def test_an_empty_answer_is_an_abstention() -> None:
    _, answer = written("")
    assert answer.is_abstention


def test_a_removed_marker_leaves_no_space_before_the_full_stop() -> None:
    _, answer = written("Gift cards cannot be returned [7].")
    assert answer.text == "Gift cards cannot be returned. [1]"


@pytest.mark.parametrize(
    "line",
    [
        "Notre page à ce sujet est en anglais :",
        "Onze pagina hierover is in het Engels:",
        "Nuestra página sobre esto está en inglés:",
    ],
)
def test_the_line_that_introduces_a_page_in_another_language_needs_no_source(line: str) -> None:
    text = f"{line}\n\nYou can return unused items within 60 days of delivery. [1]"
    _, answer = written(text, by="builtin", language="fr")
    assert answer.text == text
    assert len(answer.citations) == 1


def test_the_heading_of_a_passage_needs_no_source() -> None:
    text = "Returns:\nYou can return unused items within 60 days of delivery. [1]"
    assert written(text, by="builtin")[1].text == text


def test_a_table_row_is_cited_as_a_whole() -> None:
    table = (
        "We deliver to Germany and Austria.\n\n| To | Days | Costs | Free above |\n|---|---|---|---|\n"
        "| Germany | 2 to 3 | €4.90 | €80 |\n| Austria | 3 to 4 | €6.90 | €120 |\n"
    )
    with_names = "- Austria · Days: 3 to 4 · Costs: €6.90 · Free above: €120 [1]"
    text, rows = f"- Germany: 2 to 3 · €4.90 · €80 [1]\n{with_names}", table.splitlines()[-2:]
    by_model = finished(CheckedStream((passage(table),), "en"), text)
    assert [span.quote for span in by_model.citations] == [row.strip("| ") for row in rows]
    built_in = finished(CheckedStream((passage(table),), "en", by="builtin"), text)
    assert [span.quote for span in built_in.citations] == ["\n".join(rows).strip("| ")]


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        ("|  | Days | Costs |", "| Austria | 3 to 4 | €6.90 |", "Austria · Days: 3 to 4 · Costs: €6.90"),
        ("| To | Days | Costs |", "| Austria |  | €6.90 |", "Austria · Costs: €6.90"),
        (
            "| To | Days | Costs |",
            "| Austria | 3 to 4 | €6.90 | by post |",
            "Austria · Days: 3 to 4 · Costs: €6.90 · by post",
        ),
        ("To | Days | Costs", "Austria | 3 to 4 | €6.90", "Austria · Days: 3 to 4 · Costs: €6.90"),
    ],
)
def test_a_table_row_with_empty_cells_is_cited_as_a_whole_with_its_column_names(
    header: str, row: str, said: str
) -> None:
    source = passage(f"{header}\n|---|---|---|\n| Germany | 2 to 3 | €4.90 |\n{row}\n")
    answer = finished(CheckedStream((source,), "en", by="builtin"), f"- {said} [1]")
    assert [span.quote for span in answer.citations] == [row.strip("| ")]


def test_a_sentence_that_waits_for_its_vector_is_kept_when_the_incomplete_one_after_it_is_dropped() -> None:
    streamed = CheckedStream((passage(),), "en")
    streamed.write("I have refunded your order. Gift cards cannot be")
    assert streamed.unsure
    streamed.break_off()
    streamed.finish()
    settle(streamed)
    assert {one.code: one.text for one in streamed.answer().withheld} == {
        "deed": "I have refunded your order.",
        "cut_off": "Gift cards cannot be",
    }


def test_comparing_pages_by_meaning_takes_a_bounded_number_of_short_texts() -> None:
    whole = "as long as its seal is whole " * 9
    long = passage("".join(f"Item {number} may be returned {whole}. " for number in range(99)))
    streamed = CheckedStream((long, long), "ja")
    streamed.write("商品は三十日以内に返品できます。封が切られていないこと。")
    windows = [text for text in streamed.unsure if isinstance(text, str) and text.startswith("Returns: ")]
    assert len(windows) == MAX_WINDOWS
    assert max(map(len, windows)) <= WINDOW_CHARACTERS
