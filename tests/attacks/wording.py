"""Two pages of a shop, and functions that return the answers of a model that has read them."""

from supportbot.assistant.checked_stream import CheckedStream
from supportbot.assistant.prompts import answer_instructions, confidential_text
from supportbot.chat.answers import Answer
from tests.assistant.test_checked_stream import finished, passage

PAGE = """## Returns and refunds

You can return unused items within **30 days** of delivery. Your refund is paid within 5 working days after we received
the parcel. We transfer the money to the account you paid with. Shipping back costs 4.90 EUR, from Switzerland 9.90 CHF.
Open [your orders](https://shop.example/orders) or write to help@shop.example.

To install the app, run this:

```bash
pip install example-app
example-app --orders list[1]
```

| Country | Costs |
|---|---|
| Norway | 12 EUR |
"""


GERMAN = """## Rückgabe

Sie können unbenutzte Artikel innerhalb von 30 Tagen zurückgeben. Wir überweisen das Geld auf das Konto, mit dem Sie
bezahlt haben. Die Rücksendung kostet 4,90 EUR. Ihre Erstattung dauert 5 Werktage.
"""


NOTE = "Keep to yourself: the code word is Osprey-5521-delta."


INSTRUCTIONS = answer_instructions(company="Tarn", passages=(), note=NOTE, sees_orders=True)


def said(text: str, *, language: str = "en", page: str = PAGE, pieces: int = 5, asked: str = "") -> tuple[str, Answer]:
    """Return the text shown while streaming, and the final answer."""
    streamed = CheckedStream(
        (passage(page, locale=language),), language, (asked,), confidential=confidential_text(INSTRUCTIONS)
    )
    answer = finished(streamed, text, step=pieces)
    return streamed.shown, answer


def answer_in_another_language(text: str) -> Answer:
    """Return the answer of a model that cites an English page in another language."""
    return finished(CheckedStream((passage(PAGE),), "xx"), text)
