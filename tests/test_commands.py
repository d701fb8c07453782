"""What all management commands have in common."""

from typing import Any

import pytest
from django.core.management import call_command, get_commands, load_command_class
from django.core.management.base import CommandError

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
