"""The set-up commands: scripts can parse their output, and a mistake is reported in one sentence."""

import json
import os
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.core.management import CommandError, call_command
from django.utils.timezone import now

from actions.models import AuditEntry
from supportbot.accounts.api_keys import staff_by_api_key
from supportbot.accounts.channels import channel_by_key
from supportbot.accounts.errors import InvalidKey, InvalidToken
from supportbot.accounts.identity import verify_identity
from supportbot.accounts.models import ApiKey, Channel, IdentityKey, Membership, User, Workspace
from supportbot.accounts.scope import across_workspaces, workspace_scope
from tests.rest import identity_token

pytestmark = pytest.mark.django_db


def run(*command: str) -> dict[str, Any]:
    out = StringIO()
    call_command(*command, "--json", stdout=out)
    facts: dict[str, Any] = json.loads(out.getvalue())
    return facts


def test_an_empty_installation_gets_a_channel_a_person_and_a_key(settings: Any) -> None:
    settings.BASE_URL = "https://help.example"
    assert run("workspace_create", "Wrenfell Outdoor", "--slug", "wrenfell")["workspace"] == "wrenfell"
    channel = run("channel_create", "Shop", "--origin", "https://Shop.example")
    assert channel["snippet"] == (
        f'<script async src="https://help.example/widget/v1.js" data-channel="{channel["channel"]}"></script>'
    )
    stored = channel_by_key(channel["channel"])
    assert stored is not None
    assert stored.allowed_origins == ["https://shop.example"]
    ines = run("user_create", "ines", "--role", "agent", "--name", "Ines Kowalski")
    user = User.objects.get(username="ines")
    assert (user.check_password(ines["password"]), user.display_name) == (True, "Ines Kowalski")
    key = run("apikey_create", "robot", "--scope", "tickets:read", "--user", "ines")
    staff, acts_as = staff_by_api_key(key["api_key"])
    assert (acts_as, staff.scopes) == (user, {"tickets:read"})


def test_the_audit_trail_says_what_the_operator_did(workspace: Workspace, bob: User, monkeypatch: Any) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    key = run("apikey_create", "robot", "--scope", "tickets:read")["api_key"]
    prefix = "_".join(key.split("_")[:2])
    run("apikey_revoke", prefix)
    run("apikey_revoke", prefix)  # nothing changes
    channel = run("channel_create", "Shop")["channel"]
    run("identitykey_add", channel)
    run("identitykey_revoke", channel, "1")
    run("member_add", "bob", "--role", "editor")
    run("member_add", "bob", "--role", "editor")
    run("user_create", "noor", "--role", "agent")
    with workspace_scope(workspace.pk):
        entries = list(AuditEntry.objects.order_by("seq"))
    assert {entry.actor for entry in entries} == {"operator:root"}
    assert [entry.event for entry in entries] == [
        "api_key.issued", "api_key.revoked", "channel.created", "identity_key.added", "identity_key.revoked",
        "member.role_changed", "member.added",
    ]  # fmt: skip
    assert entries[0].payload == {
        "prefix": prefix, "name": "robot", "scopes": "tickets:read", "acts_as": "service",
    }  # fmt: skip
    assert entries[5].payload == {"person": f"user:{bob.pk}", "role": "editor", "before": "agent"}


@pytest.mark.parametrize("unknown", [KeyError("uid"), OSError("No username set in the environment")])
def test_an_account_without_a_name_is_recorded_by_its_number(
    workspace: Workspace, monkeypatch: Any, unknown: Exception
) -> None:
    def nameless() -> str:
        raise unknown

    monkeypatch.setattr("getpass.getuser", nameless)
    run("apikey_create", "robot", "--scope", "tickets:read")
    with workspace_scope(workspace.pk):
        assert AuditEntry.objects.get().actor == f"operator:{os.getuid()}"


def test_an_existing_account_gets_a_role_in_another_workspace(
    workspace: Workspace, other_workspace: Workspace, bob: User
) -> None:
    told = run("member_add", "bob", "--role", "editor", "--workspace", "another")
    assert told == {"workspace": "another", "username": "bob", "role": "editor"}
    run("member_add", "bob", "--role", "admin", "--workspace", "another")  # not the password they had
    roles = dict(Membership.objects.filter(user=bob).values_list("workspace__slug", "role"))
    assert roles == {"wrenfell": "agent", "another": "admin"}


def test_the_last_admin_keeps_the_role(workspace: Workspace, bob: User) -> None:
    run("member_add", "bob", "--role", "admin")
    with pytest.raises(CommandError, match=r"only admin\. Make someone else an admin first"):
        run("member_add", "bob", "--role", "agent")
    run("member_add", "bob", "--role", "admin")
    assert Membership.objects.get(user=bob).role == "admin"
    run("user_create", "noor", "--role", "admin")
    run("member_add", "bob", "--role", "agent")
    assert Membership.objects.get(user=bob).role == "agent"


def test_commands_print_readable_output_for_people(workspace: Workspace) -> None:
    out = StringIO()
    call_command("channel_create", "Shop", stdout=out)
    assert "<script async src=" in out.getvalue()
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(out.getvalue())


def test_results_are_named_in_the_terminals_language(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def names(*command: str) -> list[str]:
        out = StringIO()
        call_command(*command, stdout=out)
        return [line.split("  ")[0] for line in out.getvalue().splitlines()]

    monkeypatch.setenv("LC_ALL", "C")
    assert names("channel_create", "Shop") == ["Workspace", "Channel", "Signing secret", "Embed code"]
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert names("apikey_create", "books", "--scope", "kb:read")[2:] == ["Rechte", "API-Schlüssel"]


def test_with_several_workspaces_one_must_be_chosen(workspace: Workspace, other_workspace: Workspace) -> None:
    with pytest.raises(CommandError, match=r"several workspaces.*another, wrenfell"):
        call_command("channel_create", "Shop")
    with pytest.raises(CommandError, match="no workspace “nowhere”"):
        call_command("channel_create", "Shop", "--workspace", "nowhere")
    run("channel_create", "Shop", "--workspace", "another")
    with workspace_scope(other_workspace.pk):
        assert Channel.objects.count() == 1


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("channel_create", "Shop", "--origin", "shop"), "allowed_origins: “shop” is not an origin"),
        (("workspace_create", "Wrenfell", "--slug", "wrenfell"), "The workspace wrenfell already exists"),
        (("workspace_create", "!!!"), "slug: Use a slug"),
        (("member_add", "nobody", "--role", "agent"), "username: No account has this user name"),
        (("workspace_create", "W", "--slug", "a/b"), "slug: Enter a valid"),
        (("workspace_create", "x" * 121, "--slug", "x"), "name: Ensure this value has at most 120"),
        (("workspace_create", "W", "--currency", "euros"), "currency: Use a currency code"),
        (("workspace_create", "W", "--currency", "€"), "currency: Use a currency code"),
        (("workspace_create", "W", "--locale", "klingon!"), "locale: Use a language code"),
        (("workspace_create", " ", "--slug", "x"), "name: This field cannot be blank"),
        (("channel_create", " "), "name: This field cannot be blank"),
        (("channel_create", "Shop", "--locale", "de_"), "locale: Use a language code"),
        (("apikey_create", " ", "--scope", "kb:read"), "name: This field cannot be blank"),
        (("channel_create", "x" * 121), "name: Ensure this value has at most 120"),
        (("apikey_create", "x" * 121, "--scope", "kb:read"), "name: Ensure this value has at most 120"),
        (("apikey_create", "robot"), "scopes: Choose from"),
        (("apikey_create", "robot", "--scope", "all"), "scopes: Choose from"),
        (("apikey_revoke", "sk_unknown"), "no API key with the prefix sk_unknown"),
        (("apikey_create", "robot", "--scope", "kb:read", "--user", "mallory"), "mallory is not a member of wrenfell"),
        (("identitykey_add", "pk_unknown"), "no channel pk_unknown"),
        (("identitykey_revoke", "pk_unknown", "1"), "no channel pk_unknown"),
        (("user_create", "bob", "--role", "agent"), "The user name bob already exists"),
        (("user_create", "a b", "--role", "agent"), "username: Enter a valid username"),
        (("user_create", "ines", "--role", "agent", "--email", "x"), "email: Enter a valid email"),
        (("user_create", "ines", "--role", "agent", "--name", "x" * 151), "name: At most 150 characters"),
        (("user_create", "x" * 151, "--role", "agent"), "username: At most 150 characters"),
    ],
)
def test_a_mistake_is_one_sentence_and_creates_nothing(
    workspace: Workspace, bob: User, command: tuple[str, ...], sentence: str
) -> None:
    def books() -> list[int]:
        with across_workspaces("test"):
            return [model.objects.count() for model in (Workspace, User, Membership, Channel, ApiKey)]

    before = books()
    with pytest.raises(CommandError, match=sentence):
        call_command(*command)
    assert books() == before


def test_without_a_workspace_it_says_how_to_create_one() -> None:
    with pytest.raises(CommandError, match="workspace_create"):
        call_command("channel_create", "Shop")


def test_a_revoked_key_is_refused(workspace: Workspace, other_workspace: Workspace) -> None:
    plain = run("apikey_create", "robot", "--scope", "kb:read", "--workspace", "wrenfell")["api_key"]
    prefix = "_".join(plain.split("_")[:2])
    with pytest.raises(CommandError, match="no API key"):
        run("apikey_revoke", prefix, "--workspace", "another")
    assert staff_by_api_key(plain)
    ended = run("apikey_revoke", prefix, "--workspace", "wrenfell")
    assert ended == {
        "workspace": "wrenfell", "prefix": prefix, "name": "robot", "revoked": prefix,
        "revoked_at": ended["revoked_at"],
    }  # fmt: skip
    assert datetime.fromisoformat(ended["revoked_at"]) <= now()
    with pytest.raises(InvalidKey):
        staff_by_api_key(plain)
    assert run("apikey_revoke", prefix, "--workspace", "wrenfell") == ended


def test_a_signing_secret_is_rotated_without_downtime(workspace: Workspace) -> None:
    made = run("channel_create", "Shop")
    channel = channel_by_key(made["channel"])
    assert channel is not None
    added = run("identitykey_add", channel.key)
    old, new = (identity_token(channel.key, facts["identity_secret"], "cus_alice") for facts in (made, added))
    assert (added["kid"], verify_identity(channel, old).subject, verify_identity(channel, new).subject) == (
        "2", "cus_alice", "cus_alice",
    )  # fmt: skip
    ended = run("identitykey_revoke", channel.key, "1")
    assert ended == {
        "workspace": workspace.slug, "channel": channel.key, "revoked": "1", "revoked_at": ended["revoked_at"],
    }  # fmt: skip
    assert datetime.fromisoformat(ended["revoked_at"]) <= now()
    assert run("identitykey_revoke", channel.key, "1") == ended
    assert verify_identity(channel, new)
    with pytest.raises(InvalidToken):
        verify_identity(channel, old)
    with pytest.raises(CommandError, match=r"has no key 7\. Its live keys: 2"):
        call_command("identitykey_revoke", channel.key, "7")


def public_pem(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_public_key_is_added_and_its_private_half_signs(workspace: Workspace, tmp_path: Path) -> None:
    made = run("channel_create", "Shop")
    channel = channel_by_key(made["channel"])
    assert channel is not None
    private = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "public.pem"
    file.write_bytes(public_pem(private))
    added = run("identitykey_add", channel.key, "--public-key", str(file))
    assert (added["kid"], added["algorithm"], "identity_secret" in added) == ("2", "ES256", False)
    claims = jwt.decode(
        identity_token(channel.key, made["identity_secret"], "cus_alice"), options={"verify_signature": False}
    )
    assert verify_identity(channel, jwt.encode(claims, private, algorithm="ES256")).subject == "cus_alice"
    assert verify_identity(channel, identity_token(channel.key, made["identity_secret"], "cus_alice"))


@pytest.mark.parametrize("kind", ["nonsense", "private", "other curve", "rsa", "missing"])
def test_an_invalid_es256_public_key_is_refused(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    key, file = run("channel_create", "Shop")["channel"], tmp_path / "public.pem"
    match kind:
        case "nonsense":
            file.write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
        case "private":
            private = ec.generate_private_key(ec.SECP256R1())
            file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        case "other curve":
            file.write_bytes(public_pem(ec.generate_private_key(ec.SECP384R1())))
        case "rsa":
            file.write_bytes(public_pem(rsa.generate_private_key(65537, 2048)))
    with pytest.raises(CommandError, match=r"P-256|cannot be read"):
        call_command("identitykey_add", key, "--public-key", str(file))
    assert IdentityKey.objects.count() == 1


@pytest.mark.parametrize("command", [("ask", ""), ("action_propose", "refund_order", "--customer", "c", "--args", "x")])
def test_a_field_error_is_printed_once(workspace: Workspace, command: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as refused:
        call_command(*command)
    told = str(refused.value)
    sentences = [part for part in told.replace(": ", ". ").split(". ") if part]
    assert len(sentences) == len({part.rstrip(".") for part in sentences}), told
