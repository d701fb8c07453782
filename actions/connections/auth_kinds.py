"""The kinds of authentication: their settings, their secrets, and how both are validated."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext_lazy as _

from actions.connections.auth import (
    HMAC_ALGORITHMS,
    HMAC_ENCODINGS,
    SECRET_ENCODINGS,
    SIGNED_NAMES,
    VALUE_NAMES,
    Auth,
    placeholders,
    signing_key,
)
from supportbot.outbound.client_certificate import ClientCertificate, certificate_problem
from supportbot.outbound.http import may_set_header
from supportbot.outbound.targets import address_problem

if TYPE_CHECKING:  # the stubs have a different name for a lazy string
    from django.utils.functional import _StrPromise as Promise
else:
    from django.utils.functional import Promise

Words = str | Promise
Check = Callable[[str], Words]  # returns the error, or ""
MAX_SECRET: Final = 20_000
WEBHOOK_SECRET_BYTES: Final = 16
_PRINTABLE: Final = re.compile(r"[ -~]*")


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    label: Words
    help_text: Words = ""
    default: str = ""
    is_required: bool = False
    choices: tuple[str, ...] = ()
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of authentication. With `reveals_secret`, the receiver of a call learns the secret, so a new address
    requires entering the secret again.
    """

    auth: Auth
    about: Words
    settings: tuple[Setting, ...] = ()
    secret_label: Words = ""  # empty: the kind has no secret
    secret_help: Words = ""
    check_secret: Callable[[str, Mapping[str, str]], Words] | None = None
    reveals_secret: bool = False
    keeps_previous: bool = False
    is_long: bool = False  # its secret has several lines


def is_webhook_secret(secret: str) -> bool:
    """Return whether this is a Standard Webhooks secret: base64 of at least 16 bytes, after an optional `whsec_`."""
    try:
        return len(b64decode(secret.removeprefix("whsec_"), validate=True)) >= WEBHOOK_SECRET_BYTES
    except (NotBase64, ValueError):
        return False


def _printable(text: str) -> Words:
    return "" if _PRINTABLE.fullmatch(text) else _("Use only ASCII letters, digits and punctuation.")


def _header_name(name: str) -> Words:
    return "" if may_set_header(name) else _("This header cannot be set.")


def _optional_header(name: str) -> Words:
    return _header_name(name) if name else ""


def _user_name(name: str) -> Words:
    return _("A user name cannot contain a colon.") if ":" in name else ""


def _https_address(url: str) -> Words:
    problem = address_problem(url)
    return f"{problem[:1].upper()}{problem[1:]}." if problem else ""


def _template(known: frozenset[str]) -> Check:
    def check(text: str) -> Words:
        unknown = sorted(placeholders(text) - known)
        if not unknown:
            return "" if text.isprintable() else _("Write a line break as \\n.")
        return _("{%(name)s} is not known here. Use one of: %(known)s.") % {
            "name": unknown[0],
            "known": ", ".join(f"{{{name}}}" for name in sorted(known)),
        }

    return check


def _value_template(text: str) -> Words:
    return _template(VALUE_NAMES)(text) or (
        "" if "signature" in placeholders(text) else _("Include {signature} where the signature goes.")
    )


def _token(secret: str, settings: Mapping[str, str]) -> Words:
    return (
        ""
        if _PRINTABLE.fullmatch(secret) and " " not in secret
        else _("Enter the token as ASCII characters without spaces.")
    )


def _any_line(secret: str, settings: Mapping[str, str]) -> Words:
    return "" if secret.isprintable() else _("Enter one line.")


def _header_value(secret: str, settings: Mapping[str, str]) -> Words:
    return _printable(secret)


def _hmac_secret(secret: str, settings: Mapping[str, str]) -> Words:
    try:
        return "" if signing_key(secret, settings.get("secret_encoding", "text")) else _("The secret is empty.")
    except ValueError:
        return _("The secret is not valid in the selected encoding.")


def _webhook_secret(secret: str, settings: Mapping[str, str]) -> Words:
    if is_webhook_secret(secret):
        return ""
    return _('Enter a Standard Webhooks secret: "whsec_" followed by at least 16 bytes in base64.')


def _certificate(secret: str, settings: Mapping[str, str]) -> Words:
    return certificate_problem(ClientCertificate(secret))


KINDS: Final[Mapping[Auth, Kind]] = {
    kind.auth: kind
    for kind in (
        Kind(Auth.NONE, _("The API requires no credentials, or recognises this server by its IP address.")),
        Kind(
            Auth.BEARER,
            _("A token in the Authorization header."),
            secret_label=_("Token"),
            check_secret=_token,
            reveals_secret=True,
        ),
        Kind(
            Auth.BASIC,
            _("A user name and password in the Authorization header."),
            (Setting("username", _("User name"), is_required=True, check=_user_name),),
            secret_label=_("Password"),
            check_secret=_any_line,
            reveals_secret=True,
        ),
        Kind(
            Auth.HEADER,
            _("A key in a header such as X-Api-Key."),
            (
                Setting("header", _("Header"), default="X-Api-Key", is_required=True, check=_header_name),
                Setting("prefix", _("Prefix"), _("Text before the key, including any space."), check=_printable),
            ),
            secret_label=_("Key"),
            check_secret=_header_value,
            reveals_secret=True,
        ),
        Kind(
            Auth.HMAC,
            _("Each call is signed with a shared secret, in the format you describe."),
            (
                Setting(
                    "signed",
                    _("Signed content"),
                    _(
                        "You can use {method}, {host}, {path} (with its query), {body}, {body_sha256}, {timestamp}, "
                        "{timestamp_ms}, {nonce} and {key_id}. Write a line break as \\n."
                    ),
                    default="{timestamp}.{body}",
                    is_required=True,
                    check=_template(SIGNED_NAMES),
                ),
                Setting("header", _("Header"), default="X-Signature", is_required=True, check=_header_name),
                Setting(
                    "value",
                    _("Header value"),
                    _("You can use {signature}, {timestamp}, {timestamp_ms}, {nonce} and {key_id}."),
                    default="{signature}",
                    is_required=True,
                    check=_value_template,
                ),
                Setting(
                    "timestamp_header",
                    _("Timestamp header"),
                    _("Leave empty for none."),
                    default="X-Timestamp",
                    check=_optional_header,
                ),
                Setting("nonce_header", _("Nonce header"), _("Leave empty for none."), check=_optional_header),
                Setting("key_id", _("Key ID"), _("Only if the API needs to know which key signed."), check=_printable),
                Setting("key_id_header", _("Key ID header"), _("Leave empty for none."), check=_optional_header),
                Setting("algorithm", _("Hash"), default="sha256", choices=tuple(HMAC_ALGORITHMS)),
                Setting("encoding", _("Encoding"), default="hex", choices=HMAC_ENCODINGS),
                Setting("secret_encoding", _("Secret encoding"), default="text", choices=SECRET_ENCODINGS),
            ),
            secret_label=_("Secret"),
            check_secret=_hmac_secret,
        ),
        Kind(
            Auth.STANDARD_WEBHOOKS,
            _("Each call is signed as standardwebhooks.com describes."),
            secret_label=_("Secret"),
            secret_help=_("whsec_ followed by base64."),
            check_secret=_webhook_secret,
            keeps_previous=True,
        ),
        Kind(
            Auth.OAUTH,
            _("An access token is requested with the client ID and secret, and renewed when it expires."),
            (
                Setting("token_url", _("Token address"), is_required=True, check=_https_address),
                Setting("client_id", _("Client ID"), is_required=True, check=_printable),
                Setting("scope", _("Scope"), _("Separated by spaces. Leave empty for the default."), check=_printable),
                Setting("audience", _("Audience"), _("Only if the API requires it."), check=_printable),
                Setting(
                    "client_auth",
                    _("Where the client ID and secret go"),
                    _("basic: in the Authorization header. body: in the body of the request."),
                    default="basic",
                    choices=("basic", "body"),
                ),
            ),
            secret_label=_("Client secret"),
            check_secret=_any_line,
            reveals_secret=True,
        ),
        Kind(
            Auth.MTLS,
            _("A client certificate is presented when connecting."),
            secret_label=_("Certificate and private key"),
            secret_help=_("In PEM format: the certificate with its chain, followed by its unencrypted private key."),
            check_secret=_certificate,
            is_long=True,
        ),
    )
}


def clean_settings(kind: Kind, given: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the complete settings of a kind of authentication, and the errors in them by name."""
    known = {setting.name: setting for setting in kind.settings}
    wrong: dict[str, list[str]] = {
        str(name)[:60]: [str(_("This kind of authentication does not have this setting."))]
        for name in given
        if name not in known
    }
    clean = {}
    for name, setting in known.items():
        value = given.get(name, setting.default)
        if problem := _setting_problem(setting, value):
            wrong[name] = [str(problem)]
        else:
            clean[name] = value
    return clean, wrong


def _setting_problem(setting: Setting, value: Any) -> Words:
    if not isinstance(value, str) or len(value) > 500 or not value.isprintable():
        return _("Enter one line of at most 500 characters.")
    if not value:
        return _("This is required.") if setting.is_required or setting.choices else ""
    if setting.choices and value not in setting.choices:
        return _("Choose one of: %(choices)s.") % {"choices": ", ".join(setting.choices)}
    return setting.check(value) if setting.check else ""


def secret_problem(kind: Kind, secret: str, settings: Mapping[str, str]) -> Words:
    """Return what is wrong with a secret of this kind; "" if nothing is."""
    if kind.check_secret is None:
        return _("This kind of authentication has no secret.") if secret else ""
    if not secret:
        return _("Enter the secret.")
    if len(secret) > MAX_SECRET:
        return _("The secret is too long.")
    return kind.check_secret(secret, settings)
