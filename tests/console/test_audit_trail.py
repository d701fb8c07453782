"""The audit trail in the console: every entry, with names, for admins only."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from selectolax.lexbor import LexborHTMLParser

from actions import audit
from actions.audit import actor_of
from actions.models import AuditEntry
from actions.states import State
from supportbot.accounts.models import ApiKey, Membership, User, Workspace
from supportbot.console.audit_events import event_label
from supportbot.console.audit_trail import SUBJECTS
from supportbot.ids import uuid7
from tests.console.conftest import Enter, logged_in, person
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
TRAIL = "/admin/actions/auditentry/"


def rows(browser: Client, query: str = "") -> list[str]:
    """Return the entries on the page as text, newest first."""
    answer = browser.get(f"{TRAIL}{query}")
    assert answer.status_code == 200
    table = LexborHTMLParser(answer.content.decode()).css("#result_list tbody tr")
    return [" ".join(visible_text(cell) for cell in row.css("td, th")) for row in table]


def event_of(row: str) -> str:
    return next(word for word in row.split() if "." in word and word.replace(".", "").replace("_", "").isalpha())


@pytest.fixture
def ines(workspace: Workspace) -> User:
    """An admin with a name."""
    found = person(workspace, "admin", "ines")
    found.first_name, found.last_name = "Ines", "Kowalski"
    found.save()
    return found


@transaction.atomic
def record(event: str, **facts: Any) -> None:
    audit.record(event, **{"actor": "system", **facts})


@pytest.mark.parametrize("role", ["editor", "agent", "supervisor"])
def test_only_admins_see_the_trail(enter: Enter, role: str) -> None:
    assert enter(role).get(TRAIL).status_code in (302, 403)


def test_actors_that_are_not_people_have_names_in_the_reader_s_language(ines: User, workspace: Workspace) -> None:
    ines.language = "de"
    ines.save()
    record("read.answered", actor="evaluation")
    record("source.synced", actor="command")
    command, evaluation = rows(logged_in(ines))
    assert "ein Befehl" in command
    assert "eine Auswertung" in evaluation and "evaluation" not in evaluation


def test_the_trail_says_who_changed_what(ines: User, workspace: Workspace) -> None:
    browser = logged_in(ines)
    noor = person(workspace, "agent", "noor")
    membership = Membership.objects.get(user=noor)
    browser.post(f"/admin/accounts/membership/{membership.pk}/change/", {"role": "editor"})
    browser.post(f"/admin/accounts/membership/{membership.pk}/delete/", {"post": "yes"})
    browser.post("/admin/accounts/apikey/add/", {"name": "Import", "scopes": ["kb:read", "kb:write"]})
    browser.post(f"/admin/accounts/apikey/{ApiKey.objects.get().pk}/revoke/")
    found = rows(browser)
    events = ["api_key.revoked", "api_key.issued", "member.removed", "member.role_changed"]
    assert [event_of(row) for row in found] == events
    assert all("Ines Kowalski" in row for row in found)
    assert "person: noor" in found[-1] and "before: agent" in found[-1] and "role: editor" in found[-1]


def test_the_trail_is_filtered_and_searched(ines: User) -> None:
    browser, request = logged_in(ines), uuid7()
    record("read.answered", actor="customer:1", records=2)
    record("policy.disabled", actor=actor_of(ines), action="refund_order")
    record("request.proposed", request_id=request, action="refund_order")
    record("webhook.removed", webhook="Warehouse")
    assert [event_of(row) for row in rows(browser, "?subject=rules")] == ["policy.disabled"]
    assert [event_of(row) for row in rows(browser, "?subject=systems")] == ["webhook.removed"]
    assert len(rows(browser, "?subject=nonsense")) == 4
    assert [event_of(row) for row in rows(browser, "?q=kowalski")] == ["policy.disabled"]
    assert [event_of(row) for row in rows(browser, "?q=warehouse")] == ["webhook.removed"]
    assert [event_of(row) for row in rows(browser, f"?q={request}")] == ["request.proposed"]
    assert rows(browser, "?q=%25") == []


def test_a_text_that_looks_like_a_person_is_only_text(ines: User, other_workspace: Workspace) -> None:
    stranger = person(other_workspace, "admin", "stranger")
    record("api_key.issued", actor=actor_of(ines), name="user:x", scopes=actor_of(stranger))
    [row] = rows(logged_in(ines))
    assert "name: user:x" in row and f"scopes: {actor_of(stranger)}" in row
    assert [event_of(row) for row in rows(logged_in(ines), "?q=kowalski")] == ["api_key.issued"]
    assert rows(logged_in(ines), "?q=stranger") == []


def test_an_entry_is_named_by_its_number_and_event(ines: User) -> None:
    record("policy.disabled", actor=actor_of(ines), action="refund_order")
    page = logged_in(ines).get(f"{TRAIL}{AuditEntry.objects.get().pk}/change/").content.decode()
    assert "1: Action switched off by its rules" in page and "AuditEntry" not in page


def test_a_key_is_found_by_the_name_of_the_person_it_acts_as(ines: User, workspace: Workspace) -> None:
    noor = person(workspace, "agent", "noor")
    record("api_key.issued", actor=actor_of(ines), name="Import", acts_as=actor_of(noor))
    record("api_key.issued", actor=actor_of(ines), name="Export", acts_as="service")
    [row] = rows(logged_in(ines), "?q=noor")
    assert "acts as: noor" in row


def test_a_former_member_is_found_by_name(ines: User, workspace: Workspace) -> None:
    browser, noor = logged_in(ines), person(workspace, "agent", "noor")
    browser.post(f"/admin/accounts/membership/{Membership.objects.get(user=noor).pk}/delete/", {"post": "yes"})
    assert [event_of(row) for row in rows(browser, "?q=noor")] == ["member.removed"]


def test_every_recorded_event_has_a_subject() -> None:
    """The names of events are read where they are recorded."""
    recorded = re.compile(r"(?:audit\.record|record_change|record_refusal|audit\(\))\(\s*\"([a-z_]+)\.[a-z_]+\"")
    starts = {start for _label, subject in SUBJECTS.values() for start in subject}
    folders = [Path(settings.BASE_DIR) / name for name in ("actions", "kb", "supportbot")]
    found = {name for folder in folders for file in folder.rglob("*.py") for name in recorded.findall(file.read_text())}
    assert len(found) > 15 and found <= starts


def test_every_recorded_event_has_a_label() -> None:
    """The names of events are read where they are recorded, including those that depend on a condition."""
    recorded = re.compile(
        r"(?:record|record_change|record_refusal|_record|_audit|audit\(\))\(\s*\"([a-z_]+\.[a-z_]+)\""
        r"|event = \"([a-z_]+\.[a-z_]+)\" if .* else \"([a-z_]+\.[a-z_]+)\""
        r"|\"([a-z_]+\.[a-z_]+_against_gates)\""
    )
    folders = [Path(settings.BASE_DIR) / name for name in ("actions", "kb", "supportbot")]
    texts = [file.read_text() for folder in folders for file in folder.rglob("*.py") if file.name != "audit_events.py"]
    found = {name for text in texts for names in recorded.findall(text) for name in names if name}
    assert len(found) > 65 and [name for name in sorted(found) if not event_label(name)] == []
    assert all(event_label(f"request.{state}") for state in State)


def test_events_are_shown_and_found_in_words(ines: User) -> None:
    record("policy.changed", action="refund_order")
    record("request.awaiting_approval", request_id=uuid7())
    record("of_an_older.version")
    browser = logged_in(ines)
    assert [row.split(" system ")[0].split(", ")[1][6:].replace(" the", "") for row in rows(browser)] == [
        "of_an_older.version",
        "Request: Waiting for approval request.awaiting_approval",
        "Action rules changed policy.changed",
    ]
    ines.language = "de"
    ines.save()
    [row] = rows(browser, "?q=aktionsregeln")
    assert "Aktionsregeln geändert policy.changed" in row


def test_a_page_reads_names_once(ines: User, django_assert_max_num_queries: Any) -> None:
    browser = logged_in(ines)
    for _ in range(3):
        record("policy.disabled", actor=actor_of(ines), action="refund_order")
    with django_assert_max_num_queries(40) as few:
        rows(browser)
    for _ in range(20):
        record("policy.approver_added", actor=actor_of(ines), person=actor_of(ines))
    with django_assert_max_num_queries(len(few)):
        rows(browser)


def test_an_entry_can_be_neither_changed_nor_deleted(ines: User) -> None:
    record("webhook.removed", webhook="Warehouse")
    entry, browser = AuditEntry.objects.get(), logged_in(ines)
    assert browser.get(f"{TRAIL}{entry.pk}/change/").status_code == 200
    for step in ("change", "delete"):
        browser.post(f"{TRAIL}{entry.pk}/{step}/", {"event": "other", "post": "yes"})
    assert AuditEntry.objects.get().event == "webhook.removed"
