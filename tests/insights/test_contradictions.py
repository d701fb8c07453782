"""Articles that contradict each other are found, shown and dismissed."""

import pytest
from django.test import Client
from selectolax.lexbor import LexborHTMLParser

from supportbot.accounts.models import Workspace
from supportbot.insights.improve.contradictions import contradictions
from tests.insights.answered_questions import article
from tests.pages import visible_text

pytestmark = pytest.mark.django_db


def test_two_contradicting_articles_are_shown_until_dismissed(editor: Client) -> None:
    article("Returns", "You can send unused items back within 60 days of delivery.")
    article("Gifts", "Unused items can be sent back within 14 days of delivery.")
    article("Boots", "Worn boots can be exchanged once within 30 days.")
    [pair] = contradictions()
    assert {pair.one.title, pair.other.title} == {"Returns", "Gifts"}
    listed = editor.get("/admin/improve/?kind=contradicting").content.decode()
    page = visible_text(LexborHTMLParser(listed).css_first("main"))
    assert "within 14 days" in page and "Worn boots" not in page
    editor.post("/admin/improve/?kind=contradicting", {"subject": str(pair.subject), "reason": "Gifts differ"})
    assert contradictions() == []


@pytest.mark.parametrize(
    ("one", "other", "number"),
    [
        ("Delivery to Austria takes 3 to 4 working days.", "Delivery to Switzerland takes 4 to 6 working days.", 0),
        ("Delivery to Austria takes 3 to 4 working days.", "Delivery to Austria takes 5 to 6 working days.", 1),
        ("Delivery to Austria takes 3 to 4 working days.", "To Austria, delivery takes 9 working days.", 1),
        (
            "If you only order spare parts, delivery within Germany costs €2.90.",
            "Standard delivery within Germany costs €4.90 and is free for orders above €80.",
            0,
        ),
        ("Delivery to Germany takes 3 to 4 working days.", "Delivery to Austria takes 4 to 6 working days.", 0),
        ("A jacket of size 40 fits women and men.", "A jacket of size 42 fits women and men.", 0),
        ("Ein Zelt trocknet innerhalb von 24 Stunden.", "Ein Zelt trocknet innerhalb von 48 Stunden.", 1),
        ("```\nThe whole job stops after 40 minutes.\n```", "```\nThe whole job stops after 50 minutes.\n```", 0),
        ("The whole job stops after 40 minutes.", "The whole job stops after 50 minutes.", 1),
    ],
)
def test_sentences_that_name_different_things_and_code_do_not_contradict(
    workspace: Workspace, one: str, other: str, number: int
) -> None:
    article("One", one)
    article("Two", other)
    assert len(contradictions()) == number
