"""An identity token is valid only if this channel's key signed it, unchanged, and it has not expired."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils.timezone import now

from supportbot.accounts.channels import create_channel
from supportbot.accounts.customers import customer_by_token
from supportbot.accounts.errors import InvalidToken
from supportbot.accounts.identity import verify_identity
from supportbot.accounts.models import Channel, Customer, IdentityKey, Workspace

pytestmark = pytest.mark.django_db
NESTED = base64.urlsafe_b64encode(b"[" * 5_000).decode() + ".e30.x"
SECRET = "a-signing-secret-of-the-merchant-0123456789"


@pytest.fixture
def channel(workspace: Workspace) -> Channel:
    return create_channel(workspace, "Shop", identity_secret=SECRET).channel


def claims(channel: Channel, **changes: Any) -> dict[str, Any]:
    moment = int(time.time())
    told = {"sub": "cus_1", "aud": channel.key, "iat": moment, "exp": moment + 600, "name": "Alice"} | changes
    return {name: value for name, value in told.items() if value is not None}


def token(channel: Channel, *, secret: str = SECRET, headers: dict[str, Any] | None = None, **changes: Any) -> str:
    return jwt.encode(claims(channel, **changes), secret, algorithm="HS256", headers=headers)


def unsigned(header: dict[str, Any], body: dict[str, Any]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, body)]
    return ".".join([*parts, ""])


def test_a_signed_customer_is_known_and_updated(channel: Channel) -> None:
    caller = customer_by_token(channel, token(channel, email="alice@example.com"))
    again = customer_by_token(channel, token(channel, name="Alice B."))

    assert caller.customer_id == again.customer_id
    assert caller.is_verified
    customer = Customer.objects.get()
    assert (customer.external_id, customer.name, customer.email) == ("cus_1", "Alice B.", "alice@example.com")


@pytest.mark.parametrize(
    ("claim", "stored"),
    [
        ("pt-BR", "pt-BR"), ("de_DE.UTF-8", "de-DE"), ("de_DE@euro", "de-DE"), ("ca@valencia", "ca"),
        ("zh-Hans-CN", "zh-Hans"), ("日本語", ""), ("English", ""), ("xx", ""), ("de\r\nx: y", ""), (7, ""),
    ],
)  # fmt: skip
def test_a_claim_that_is_no_language_code_is_ignored(channel: Channel, claim: object, stored: str) -> None:
    customer_by_token(channel, token(channel, locale=claim))
    assert Customer.objects.get().locale == stored
    assert verify_identity(channel, token(channel, locale=claim)).locale == stored


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"exp": 1}, "expired"),
        ({"exp": None}, "exp"),
        ({"iat": None}, "iat"),
        ({"sub": None}, "sub"),
        ({"aud": None}, "aud"),
        ({"aud": "pk_other"}, "audience"),
        ({"aud": ["pk_other", "x"]}, "audience"),
        ({"exp": 4_070_908_800}, "too long"),
        ({"iat": int(time.time()) + 3_000, "exp": int(time.time()) + 3_600}, "your server's clock"),
        ({"nbf": int(time.time()) + 3_000}, "your server's clock"),
        ({"iat": "now"}, "cannot be read"),
        ({"sub": {"id": 1}}, "sub"),
        ({"sub": ["cus_1"]}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": "  "}, "sub"),
        ({"sub": "a\0b"}, "sub"),
        ({"sub": "x" * 201}, "sub"),
        ({"sub": 7}, "sub"),
    ],
)
def test_a_bad_claim_is_refused_by_name(channel: Channel, changes: dict[str, Any], cause: str) -> None:
    with pytest.raises(InvalidToken, match=cause):
        customer_by_token(channel, token(channel, **changes))
    assert not Customer.objects.exists()


def test_a_signature_by_another_key_is_refused(channel: Channel) -> None:
    with pytest.raises(InvalidToken, match="not signed"):
        verify_identity(channel, token(channel, secret="another-secret-that-is-long-enough-000"))


def test_the_algorithm_is_the_keys_own(channel: Channel) -> None:
    for forged in (
        unsigned({"alg": "none", "typ": "JWT"}, claims(channel)),
        jwt.encode(claims(channel), SECRET + "0" * 64, algorithm="HS512"),
    ):
        with pytest.raises(InvalidToken):
            verify_identity(channel, forged)


def test_a_public_key_does_not_work_as_a_shared_secret(channel: Channel) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    IdentityKey.objects.all().delete()
    IdentityKey.objects.create(channel=channel, kid="es", algorithm="ES256", public_key=pem.decode())

    good = jwt.encode(claims(channel), private, algorithm="ES256", headers={"kid": "es"})
    assert verify_identity(channel, good).subject == "cus_1"
    body = good.rsplit(".", 1)[0].split(".")[1]
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"es"}').rstrip(b"=").decode()
    with pytest.raises(InvalidToken):
        verify_identity(channel, f"{header}.{body}.{body[:40]}")


def test_a_token_signed_with_a_revoked_key_is_refused(channel: Channel) -> None:
    IdentityKey.objects.update(revoked_at=now())
    with pytest.raises(InvalidToken, match="not signed"):
        verify_identity(channel, token(channel))


def test_both_keys_are_valid_during_a_rotation(channel: Channel) -> None:
    new_secret = "the-next-secret-of-the-merchant-9876543210"
    IdentityKey.objects.create(channel=channel, kid="2", algorithm="HS256", secret=new_secret)
    assert verify_identity(channel, token(channel)).subject == "cus_1"
    assert verify_identity(channel, token(channel, secret=new_secret, headers={"kid": "2"})).subject == "cus_1"


def test_headers_that_point_elsewhere_are_not_followed(channel: Channel) -> None:
    for name in ("jku", "x5u"):
        with pytest.raises(InvalidToken):
            forged = token(channel, secret="x" * 40, headers={name: "http://attacker.test/keys"})
            verify_identity(channel, forged)


@pytest.mark.parametrize("nonsense", ["", "x", "a.b.c", "." * 3, "x" * 8_001, "\ud800", "é.é.é", NESTED])
def test_a_malformed_token_is_refused(channel: Channel, nonsense: str) -> None:
    with pytest.raises(InvalidToken):
        verify_identity(channel, nonsense)


def test_the_secret_is_not_readable_in_the_database(channel: Channel) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM accounts_identitykey")
        assert SECRET not in cursor.fetchone()[0]
    assert IdentityKey.objects.get().secret == SECRET


def test_a_token_is_only_checked_against_the_key_it_names(channel: Channel) -> None:
    unknown = token(channel, headers={"kid": "nobody's"})
    with pytest.raises(InvalidToken, match="refers to an unknown key"):
        verify_identity(channel, unknown)
    IdentityKey.objects.create(channel=channel, kid="2", algorithm="HS256", secret="y" * 32)
    with pytest.raises(InvalidToken):
        verify_identity(channel, token(channel, headers={"kid": "2"}))
    with pytest.raises(InvalidToken):
        verify_identity(channel, token(channel, headers={"kid": ""}))
    assert verify_identity(channel, token(channel)).subject == "cus_1"
