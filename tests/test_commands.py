"""What all management commands have in common."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command, get_commands, load_command_class
from django.core.management.base import CommandError

from supportbot.accounts.models import Workspace
from supportbot.commands import OWN_PACKAGES, CommandLine, Error, TranslatedCommand


class Refusing(TranslatedCommand):
    def handle(self, *args: Any, **options: Any) -> None:
        raise CommandError("There is no such thing.", returncode=3)


def test_an_error_begins_as_those_that_manage_py_writes_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        Refusing().run_from_argv(["manage.py", "refusing"])
    assert (ended.value.code, capsys.readouterr().err) == (3, "Error: There is no such thing.\n")


@pytest.mark.django_db
def test_errors_of_djangos_own_migrate_begin_so_too() -> None:
    with pytest.raises(Error, match="nowhere"):
        call_command("migrate", "nowhere", plan=True)


def ended_with(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        CommandLine(["manage.py", *words]).execute()
    assert ended.value.code
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "words",
    [
        ["kb_search", "boots", "--workspace", "x" * 10_000],
        ["cost_report", "--days", "9" * 5_000],
        ["member_add", "ines", "--role", "x" * 10_000],
        ["kb_search", "boots", "--" + "x" * 10_000],
        ["eval_run", "x" * 10_000],
        ["kb_import", "x" * 10_000],
        ["finetune_export", "x" * 10_000],
        ["source_add", "x" * 10_000],
    ],
)
def test_a_long_argument_is_cut_in_its_error(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["manage.py", *words])
    told = ended_with(capsys, *words)
    assert len(told) < 600 and "…" in told


@pytest.mark.parametrize("words", [["kb_import", ""], ["kb_import", "a.md", ""], ["kb_export", ""], ["backup", ""]])
def test_an_empty_path_is_not_the_current_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "the path is empty; write a dot (.) for the current folder" in ended_with(capsys, *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "soon"])
def test_an_id_that_is_none_ends_in_a_sentence(capsys: pytest.CaptureFixture[str], text: str) -> None:
    told = ended_with(capsys, "action_approve", text)
    assert told == f"manage.py action_approve: error: argument ID: “{text}” is not a request ID (UUID)."


def test_the_list_of_commands_begins_with_the_products_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("COLUMNS", "100")
    text = CommandLine(["manage.py", "help"]).main_help_text()
    own, _, others = text.partition("\n\nWeitere Befehle")
    listed = {line.split()[0] for line in own.splitlines() if line[:3].strip()} - {"„manage.py", "Befehle"}
    assert listed == {name for name, app in get_commands().items() if str(app).partition(".")[0] in OWN_PACKAGES}
    assert "Widerruft einen API-Schlüssel" in own and max(map(len, text.splitlines())) <= 100
    assert "changepassword" in others and "doctor" not in others


def test_shells_get_the_plain_names_of_all_commands() -> None:
    assert CommandLine(["manage.py"]).main_help_text(commands_only=True).split("\n") == sorted(get_commands())


def test_every_command_has_the_base_class_and_so_its_errors() -> None:
    ours = {name: app for name, app in get_commands().items() if str(app).partition(".")[0] in OWN_PACKAGES}
    others = [name for name, app in ours.items() if not isinstance(load_command_class(app, name), TranslatedCommand)]
    assert len(ours) > 40 and others == ["migrate"]
