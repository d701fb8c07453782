"""Text that is encrypted at rest, with keys that are never stored in the database."""

from collections.abc import Iterable, Iterator
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


def _cipher() -> MultiFernet:
    if not settings.FIELD_KEYS:
        raise ImproperlyConfigured("FIELD_KEYS is empty. Set at least one key (32 bytes in URL-safe base64).")
    return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]  # Django's own is not subscriptable
    """Stores text as Fernet ciphertext. The first of `FIELD_KEYS` encrypts; any of them decrypts."""

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return text if not text else _cipher().encrypt(text.encode()).decode()

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        if not value:
            return value
        try:
            return _cipher().decrypt(value.encode()).decode()
        except InvalidToken as error:
            raise ImproperlyConfigured(
                "A stored secret cannot be decrypted with any of FIELD_KEYS. Add the key that encrypted it."
            ) from error


def encrypted_columns() -> Iterator[tuple[str, str]]:
    """Yield the table and column names of encrypted text."""
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, EncryptedTextField):
                yield model._meta.db_table, str(field.column)


def number_of_undecryptable(stored: Iterable[str]) -> int:
    """Return how many of these ciphertexts none of `FIELD_KEYS` can decrypt."""
    cipher, number = _cipher(), 0
    for text in stored:
        try:
            cipher.decrypt(text.encode())
        except InvalidToken:
            number += 1
    return number
