"""The language a team member reads on pages, in mails and at the terminal."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils.translation import override

from supportbot.accounts.models import User, Workspace
from supportbot.commands import terminal_language
from supportbot.team_formats import cost, date_time, listed, number, percentage
from supportbot.team_language import team_language
from tests.handoff.browsing import browser

GERMAN = {"accept-language": "de-AT,de;q=0.9,en;q=0.5"}


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        ("", "", "en"),
        ("fr", "de", "fr"),
        ("", "de-AT,en;q=0.5", "de"),
        ("", "it,es;q=0.8", "es"),
        ("", "pl", "en"),
        ("xx", "*", "en"),
    ],
)
def test_the_choice_overrides_the_browser(chosen: str, accepted: str, language: str) -> None:
    assert team_language(chosen, accepted) == language


@pytest.mark.parametrize(
    ("amount", "currency", "language", "written"),
    [
        ("0", "EUR", "en", "€0.00"),
        ("0.0032", "EUR", "en", "€0.0032"),
        ("0.003", "EUR", "en", "€0.0030"),
        ("0.0996", "EUR", "en", "€0.10"),
        ("0.0032", "EUR", "de", "0,0032\N{NO-BREAK SPACE}€"),
        ("0.000012345", "EUR", "en", "€0.000012"),
        ("0.05", "EUR", "en", "€0.050"),
        ("0.125", "EUR", "en", "€0.12"),
        ("1234.5", "EUR", "en", "€1,234.50"),
        ("0.5", "JPY", "fr", "0,50\N{NO-BREAK SPACE}JPY"),
        ("0.0032", "", "en", "0.0032"),
    ],
)
def test_a_small_cost_keeps_its_significant_digits(amount: str, currency: str, language: str, written: str) -> None:
    with override(language):
        assert cost(Decimal(amount), currency) == written


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "de"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "fr_FR"}, "fr"),
        ({"LANG": "es_MX", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LANG": "pl_PL.UTF-8", "LC_ALL": ""}, "en"),
    ],
)
def test_a_command_uses_the_language_of_its_terminal(environment: dict[str, str], language: str) -> None:
    assert terminal_language(environment) == language


@pytest.mark.django_db
def test_a_refusal_and_the_help_of_a_command_follow_lang(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    with pytest.raises(CommandError, match="Es gibt noch keinen Arbeitsbereich"):
        call_command("kb_search", "Zelt")
    with pytest.raises(SystemExit):
        call_command("kb_search", "--help")
    assert "Sucht in der Wissensdatenbank" in capsys.readouterr().out


@pytest.mark.django_db
def test_texts_that_a_command_prints_follow_lang(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    definition = {"format": 1, "name": "pack_gift", "title": {"en": "Pack as a gift"}}
    monkeypatch.setattr("sys.stdin", StringIO(json.dumps(definition)))
    output = StringIO()
    call_command("action_import", "-", stdout=output)
    assert output.getvalue().startswith(
        "Enregistrées comme brouillons, désactivées\u00a0: 1\npack_gift\u00a0: il manque encore"
    )
    with pytest.raises(CommandError, match="L’utilisateur nobody n’existe pas"):
        call_command("action_publish", "pack_gift", "--as", "nobody")


@pytest.mark.django_db
def test_json_of_a_command_is_the_same_in_every_language(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = []
    for language in ("C", "de_DE.UTF-8"):
        monkeypatch.setenv("LC_ALL", language)
        output = StringIO()
        call_command("cost_report", "--json", stdout=output)
        outputs.append(output.getvalue())
    assert outputs[0] == outputs[1]


@pytest.mark.django_db
def test_the_choice_is_stored_for_the_person_and_redirects_back(bob: User, workspace: Workspace) -> None:
    bob_client = browser(bob)
    answer = bob_client.post("/admin/language/", {"language": "de", "next": "/desk/replies/"})
    assert answer.headers["Location"] == "/desk/replies/"
    page = browser(bob).get("/desk/replies/", headers={"accept-language": "fr"}).content.decode()
    assert '<html lang="de"' in page
    assert "Textbausteine" in page
    bob_client.post("/admin/language/", {"language": "", "next": "https://evil.example/"})
    assert '<html lang="fr"' in bob_client.get("/desk/", headers={"accept-language": "fr"}).content.decode()


@pytest.mark.django_db
def test_an_anonymous_visitor_cannot_choose_a_language(client: Client, bob: User) -> None:
    assert client.post("/admin/language/", {"language": "de"}).headers["Location"].startswith("/admin/login/")
    assert client.get("/admin/language/").status_code == 405
    assert User.objects.get(pk=bob.pk).language == ""


@pytest.mark.django_db
def test_the_api_answers_in_english_whatever_the_reader_chose(bob: User, workspace: Workspace) -> None:
    User.objects.filter(pk=bob.pk).update(language="de")
    answer: Any = Client().get("/api/v1/tickets", headers=GERMAN)
    assert answer.json()["message"].startswith("Authentication is required")
    assert "Not found" in browser(bob).get("/api/v1/nothing", headers=GERMAN).json()["message"]


@pytest.mark.django_db
def test_a_refusal_is_in_the_language_of_the_page(bob: User, workspace: Workspace) -> None:
    User.objects.filter(pk=bob.pk).update(language="de")
    page = browser(bob).post("/desk/replies/", {"title": "x" * 99, "text": ""}).content.decode()
    assert "Dieses Feld darf nicht leer sein." in page  # Django's own texts


@pytest.mark.django_db
def test_a_mail_with_a_link_is_in_the_language_of_its_account(client: Client, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(language="fr", email="bob@example.com")
    client.post("/admin/password_reset/", {"email": "bob@example.com"}, headers=GERMAN)
    User.objects.filter(pk=bob.pk).update(language="")
    client.post("/admin/password_reset/", {"email": "bob@example.com"}, headers=GERMAN)
    french, german = mail.outbox
    assert french.subject == "Choisissez un nouveau mot de passe"
    assert "Guten Tag" in german.body


def test_figures_are_formatted_for_the_reader() -> None:
    moment = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    told = {}
    for language in ("en", "de"):
        with override(language):
            told[language] = (date_time(moment), number(1234.5), percentage(45), listed(["Ada", "Bob", "Cleo"]))
    assert told["en"] == ("4 Mar 2026, 05:06", "1,234.5", "45%", "Ada, Bob and Cleo")
    assert told["de"] == ("4. März 2026, 05:06", "1.234,5", "45\xa0%", "Ada, Bob und Cleo")
