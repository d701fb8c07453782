"""What the checks do, counted for `/metrics`: by code alone, never by what was said."""

from prometheus_client import Counter

from supportbot.chat.answers import Answer

WITHHELD = Counter("supportbot_withheld_total", "Sentences of answers that a check held back", ["code"])
UNCONFIRMED = Counter("supportbot_unconfirmed_answers_total", "Answers that the articles do not confirm")
SECOND_TRIES = Counter("supportbot_second_tries_total", "Answers lost to the checks that a model tried once more")


def count(answer: Answer) -> None:
    """Count what became of an answer that a turn ended with."""
    for one in answer.withheld:
        WITHHELD.labels(one.code).inc()
    if answer.is_confirmed is False:
        UNCONFIRMED.inc()
