"""Stored tries of cases, including those that another release has stored."""

from supportbot.evals.runs.case_outcomes import CaseTry, Judgement, MadeCall, Reply, played_from

PLAYED = CaseTry(
    (Reply("Hi", "Hello", calls=(MadeCall("find_order", {"number": "A-17"}, "answered"),), detected=("find_order",)),),
    judgement=Judgement(is_good=True, words="Fine."),
)


def test_a_stored_try_is_read_unchanged() -> None:
    assert played_from(PLAYED.as_json()) == PLAYED


def test_fields_stored_by_a_newer_release_are_ignored() -> None:
    stored = PLAYED.as_json() | {"later": 1}
    [reply], judgement = stored["replies"], stored["judgement"]
    [call] = reply["calls"]
    for part in (reply, judgement, call):
        part["later"] = {"more": [1]}
    assert played_from(stored) == PLAYED
