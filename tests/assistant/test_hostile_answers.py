"""Any text of a model is checked in bounded time and leads to an answer."""

import pytest

from supportbot.assistant.checks.evidence import MAX_WINDOWS
from supportbot.assistant.sentence_verdicts import MAX_VECTORS
from tests.pace import bounded

from .test_checks import SOURCES, answered, streaming_answer

BAD_INPUT = {
    "huge": "You can return unused items within 60 days of delivery. [1] " * 2_000,
    "one sentence": "and so on " * 10_000,
    "none": "",
    "blanks": " \n\n ",
    "only markers": "[1][2] [3]",
    "markers without a source": "Use the label in Your orders. [7][99]",
    "japanese": "未使用の商品は60日以内に返品できます。返品ラベルをご利用ください。" * 60,
    "thai": "คุณสามารถคืนสินค้าที่ไม่ได้ใช้ภายใน 60 วันหลังจากได้รับสินค้า " * 60,
    "arabic": "يمكنك إرجاع المنتجات غير المستعملة خلال 60 يومًا من التسليم. " * 60,
    "code and tables": "```sh\nrm -rf list[1]\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n" * 60,
    "repeats itself": "I am a support assistant and I am here. " * 500,
    "a word": "a" * 20_000,
    "digits": "1." * 4_000,
    "hyphens": "refund " + "a-" * 6_000,
    "questions": "?" * 8_000,
    "abbreviations": "e.g. i.e. " * 800,
    "addresses": "a.b." * 2_000,
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("kind", BAD_INPUT)
def test_any_model_output_takes_bounded_time_and_never_ends_empty(kind: str) -> None:
    streamed, text = streaming_answer(), BAD_INPUT[kind]
    asked: list[str] = []
    with bounded(6):  # for a busy machine; `bench.checks` prints the time that checks take
        for at in range(0, len(text), 40):
            streamed.write(text[at : at + 40])
            while streamed.unsure:
                asked += streamed.unsure
                streamed.weigh({})
        streamed.finish()
        streamed.weigh({})
        streamed.finish()
    answer = streamed.answer()
    assert answer.text.strip()
    plain = {text for text in asked if isinstance(text, str)}
    # Pieces of the page, which is embedded once.
    windows = {text for text in plain if text.startswith(f"{SOURCES['en'].title}: ")}
    assert len(windows) <= MAX_WINDOWS
    assert len(set(asked) - windows) <= MAX_VECTORS
    assert len(asked) == len(set(asked))


def test_a_repeated_sentence_is_shown_twice_at_most() -> None:
    assert answered("You can return unused items within 60 days of delivery. [1] " * 9).text.count("60 days") == 2
