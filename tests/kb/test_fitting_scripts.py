"""The scripts that fit models print their help without computing anything."""

import sys
from types import ModuleType

import pytest

from scripts import fit_centre, train_complaints, train_intents


@pytest.mark.parametrize(
    ("script", "work"),
    [(fit_centre, "mean_question"), (train_complaints, "message_vectors"), (train_intents, "unit_vectors_of")],
)
def test_help_is_printed_before_any_work(
    script: ModuleType, work: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, work, lambda *_: pytest.fail("it computed something"))
    monkeypatch.setattr(sys, "argv", ["script", "--help"])
    with pytest.raises(SystemExit) as ended:
        script.main()
    assert ended.value.code == 0 and "--measure" in capsys.readouterr().out
