"""Which of two numbers a message means: "L-4411 instead of L-4412", "not L-4412 but L-4411"."""

import pytest

from supportbot.builtin.actions.corrections import corrected
from supportbot.builtin.actions.replaced import without_replaced
from supportbot.builtin.actions.slots import Intent, slots_in
from supportbot.llm.types import ToolSpec

LOAN = {"type": "string", "pattern": "^L-[0-9]{4}$"}
RENEW = ToolSpec("renew_loan", "?", {"type": "object", "properties": {"loan": LOAN}, "required": ["loan"]})
MEANT = [
    ("en", "L-4411 instead of L-4412"), ("en", "instead of L-4412 L-4411 please"), ("en", "not L-4412 but L-4411"),
    ("en", "Please renew L-4411, not the L-4412"), ("en", "No, L-4411 instead of L-4412"),
    ("de", "L-4411 statt L-4412"), ("de", "anstelle von L-4412 bitte L-4411"), ("de", "nicht L-4412, sondern L-4411"),
    ("fr", "L-4411 au lieu de L-4412"), ("fr", "pas L-4412 mais L-4411"), ("fr", "à la place de L-4412, L-4411"),
    ("es", "en vez de L-4412, L-4411"), ("es", "no L-4412 sino L-4411"), ("it", "L-4411 anziché L-4412"),
    ("it", "non L-4412 ma L-4411"), ("nl", "L-4411 in plaats van L-4412"), ("nl", "niet L-4412 maar L-4411"),
    ("pl", "zamiast L-4412 proszę L-4411"), ("pl", "nie L-4412, ale L-4411"), ("pt", "em vez de L-4412, L-4411"),
    ("pt", "não L-4412, mas L-4411"), ("tr", "L-4412 yerine L-4411"), ("tr", "L-4412 değil L-4411"),
    ("ar", "L-4411 بدلا من L-4412"),
]  # fmt: skip


@pytest.mark.parametrize(("locale", "said"), MEANT)
def test_the_number_that_is_meant_is_taken(locale: str, said: str) -> None:
    assert slots_in(RENEW, said, locale=locale).values == {"loan": "L-4411"}


@pytest.mark.parametrize(("locale", "said"), MEANT)
def test_a_card_is_corrected_to_the_number_that_is_meant(locale: str, said: str) -> None:
    def change(card: str) -> dict[str, str]:
        shown = Intent("renew_loan", values={"loan": card}, text=f"renew {card}")
        return corrected(RENEW, shown, said, locale=locale, written_on=None).values

    assert (change("L-4412"), change("L-4411")) == ({"loan": "L-4411"}, {})


@pytest.mark.parametrize(
    "said",
    [
        "not L-4412", "instead of L-4412", "L-4411 and L-4412", "I did not receive L-4412, what about L-4411?",
        "neither L-4411 nor L-4412", "not L-4411 and not L-4412", "the 27th instead of the 26th", "2 instead of 3",
        "not L-4411, not L-4411", "",
    ],
)  # fmt: skip
def test_what_replaces_no_number_stays_as_it_is(said: str) -> None:
    assert without_replaced(said, "en") == said
