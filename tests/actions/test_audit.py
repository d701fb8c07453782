"""The audit chain reveals every edit, gap, reordering and truncation."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from actions import audit
from actions.audit import ChainHead, checkpoint_audit_chain, record, verify
from actions.models import ActionPolicyVersion, ActionRequest, AuditEntry, AuditHead
from actions.states import TRANSITIONS, State, may_become
from supportbot.accounts.models import Workspace

pytestmark = pytest.mark.django_db


def step(number: int) -> None:
    with transaction.atomic():
        record("test.step", actor="test", number=number)


@pytest.fixture
def chain(workspace: Workspace) -> list[AuditEntry]:
    for number in range(1, 7):
        step(number)
    return list(AuditEntry.objects.order_by("seq"))


def as_superuser(sql: str, *values: Any) -> None:
    """Run a statement with the table's triggers disabled, as its owner can."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE actions_auditentry DISABLE TRIGGER USER")
        cursor.execute(sql, values)
        cursor.execute("ALTER TABLE actions_auditentry ENABLE TRIGGER USER")


def test_an_intact_chain_is_verified(chain: list[AuditEntry]) -> None:
    found = verify()
    assert (found.is_whole, found.head) == (True, ChainHead(6, chain[-1].mac))


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("UPDATE actions_auditentry SET payload = '{\"number\": 9}' WHERE seq = 3", "entry 3 was changed"),
        ("UPDATE actions_auditentry SET actor = 'nobody' WHERE seq = 1", "entry 1 was changed"),
        ("UPDATE actions_auditentry SET at = at + interval '1 microsecond' WHERE seq = 6", "entry 6 was changed"),
        ("UPDATE actions_auditentry SET event = 'x' WHERE seq = 4", "entry 4 was changed"),
        ("UPDATE actions_auditentry SET request_id = id WHERE seq = 4", "entry 4 was changed"),
        ("UPDATE actions_auditentry SET mac = repeat('0', 64) WHERE seq = 2", "entry 2 was changed"),
        ("DELETE FROM actions_auditentry WHERE seq = 1", "entry 1 is missing"),
        ("DELETE FROM actions_auditentry WHERE seq = 4", "entry 4 is missing"),
        ("DELETE FROM actions_auditentry WHERE seq = 6", "entry 6 is missing"),
        ("DELETE FROM actions_auditentry", "entry 1 is missing"),
        ("UPDATE actions_auditentry SET seq = seq + 100 WHERE seq = 3", "entry 3 is missing"),
    ],
)
def test_tampering_is_found_and_named(chain: list[AuditEntry], sql: str, problem: str) -> None:
    as_superuser(sql)
    assert verify().problem == problem


def test_swapped_entries_are_found(chain: list[AuditEntry]) -> None:
    as_superuser("UPDATE actions_auditentry SET seq = 1000 WHERE seq = 2")
    as_superuser("UPDATE actions_auditentry SET seq = 2 WHERE seq = 3")
    as_superuser("UPDATE actions_auditentry SET seq = 3 WHERE seq = 1000")
    assert verify().problem == "entry 2 does not follow the previous one"


def test_a_truncated_chain_with_its_head_reset_is_found_by_a_checkpoint(chain: list[AuditEntry]) -> None:
    """Resetting the head as well does not help: the checkpoint stored elsewhere no longer matches."""
    noted = audit.head()
    as_superuser("DELETE FROM actions_auditentry WHERE seq > 4")
    AuditHead.objects.update(seq=4, mac=chain[3].mac)
    assert verify().is_whole
    assert verify([noted]).problem == "entry 5 is missing"
    step(5)
    step(66)
    assert verify([noted]).problem == "entry 6 does not match its checkpoint"


def test_a_reset_head_is_found(chain: list[AuditEntry]) -> None:
    AuditHead.objects.update(seq=4, mac=chain[3].mac)
    assert verify().problem == "entry 5 comes after the recorded end"


def test_another_key_neither_signs_nor_verifies(chain: list[AuditEntry], settings: Any) -> None:
    settings.FIELD_KEYS = ["another", *settings.FIELD_KEYS]
    step(7)
    assert verify().is_whole  # after a rotation, the old key still verifies
    settings.FIELD_KEYS = ["another"]
    assert verify().problem == "entry 1 was signed with a key that is not in FIELD_KEYS"


def test_the_database_refuses_changes(chain: list[AuditEntry], card: ActionRequest) -> None:
    version = ActionPolicyVersion.objects.first()
    assert version is not None
    changes: list[Callable[[], object]] = [
        lambda: AuditEntry.objects.filter(pk=chain[0].pk).update(actor="nobody"),
        lambda: AuditEntry.objects.filter(pk=chain[0].pk).delete(),
        lambda: ActionPolicyVersion.objects.filter(pk=version.pk).update(approval_above=1),
        lambda: ActionRequest.objects.filter(pk=card.pk).update(amount=1),
        lambda: ActionRequest.objects.filter(pk=card.pk).update(arguments={}),
        lambda: ActionRequest.objects.filter(pk=card.pk).update(customer_id=card.pk),
        lambda: ActionRequest.objects.filter(pk=card.pk).delete(),
        lambda: ActionRequest.objects.filter(pk=card.pk).update(state="done"),
    ]
    for change in changes:
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize("old", list(State))
def test_the_trigger_enforces_the_table(card: ActionRequest, old: State) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE actions_actionrequest DISABLE TRIGGER USER")
        cursor.execute("UPDATE actions_actionrequest SET lease_until = now(), state = %s", [old])
        cursor.execute("ALTER TABLE actions_actionrequest ENABLE TRIGGER USER")
    for new in State:
        try:
            with transaction.atomic():
                ActionRequest.objects.filter(pk=card.pk).update(state=new)
                transaction.set_rollback(True)
            is_allowed = True
        except IntegrityError:
            is_allowed = False
        assert is_allowed == (new == old or may_become(old, new)), f"{old} -> {new}"
    assert set(TRANSITIONS) < set(State)


def test_the_command_compares_with_checkpoints(
    chain: list[AuditEntry], workspace: Workspace, settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.ACTIONS_AUDIT_HEADS = tmp_path / "heads.jsonl"
    checkpoint_audit_chain()
    call_command("audit_verify", "--json", "--workspace", "wrenfell")
    result = json.loads(capsys.readouterr().out)
    assert (result["entries"], result["compared_with"]) == (6, 1)
    call_command("audit_verify", "--json", "--workspace", "wrenfell", "--head", result["head"])
    as_superuser("DELETE FROM actions_auditentry WHERE seq > 4")
    AuditHead.objects.update(seq=4, mac=chain[3].mac)
    with pytest.raises(CommandError, match="entry 5 is missing"):
        call_command("audit_verify", "--workspace", "wrenfell")
    with pytest.raises(CommandError, match="is not a checkpoint"):
        call_command("audit_verify", "--workspace", "wrenfell", "--head", "six")
    with settings.ACTIONS_AUDIT_HEADS.open("a") as heads:
        heads.write('{"workspace": "0199')
    with pytest.raises(CommandError, match="line 2 is not a checkpoint"):
        call_command("audit_verify", "--workspace", "wrenfell")


def test_a_checkpoint_in_the_log_is_enough(
    chain: list[AuditEntry], settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It replaces the file if the file was lost with its container."""
    settings.ACTIONS_AUDIT_HEADS = tmp_path / "heads.jsonl"
    caplog.set_level("INFO")
    checkpoint_audit_chain()
    settings.ACTIONS_AUDIT_HEADS.unlink()
    [head] = re.findall(r"checkpoint of the audit chain of workspace wrenfell: (\S+)", caplog.text)
    call_command("audit_verify", "--workspace", "wrenfell", "--head", head)
    as_superuser("DELETE FROM actions_auditentry WHERE seq > 4")
    AuditHead.objects.update(seq=4, mac=chain[3].mac)
    call_command("audit_verify", "--workspace", "wrenfell")
    with pytest.raises(CommandError, match="entry 5 is missing"):
        call_command("audit_verify", "--workspace", "wrenfell", "--head", head)


@pytest.mark.long
def test_random_edits_are_found(chain: list[AuditEntry]) -> None:
    seed = 20261125
    chance = random.Random(seed)
    columns = {
        "payload": "jsonb_build_object('number', {})", "actor": "'user:{}'", "event": "'event {}'",
        "mac": "lpad('{}', 64, '0')", "previous": "lpad('{}', 64, '0')", "at": "at + interval '{} seconds'",
        "request_id": "gen_random_uuid()", "seq": "seq + 1000 * {}", "key_id": "'{}'",
    }  # fmt: skip
    for number in range(1, 101):
        column, seq = chance.choice(list(columns)), chance.randint(1, len(chain))
        with transaction.atomic():
            as_superuser(
                f"UPDATE actions_auditentry SET {column} = {columns[column].format(number + 100)} WHERE seq = %s", seq
            )
            assert not verify().is_whole, f"seed {seed}: {column} of entry {seq}"
            transaction.set_rollback(True)
    assert verify().is_whole
