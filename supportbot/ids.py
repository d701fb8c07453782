"""Identifiers: UUIDv7 (RFC 9562). They are generated here because PostgreSQL 16 and 17 have no function for it."""

import os
import time
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def uuid7() -> UUID:
    """Return a new UUIDv7: 48 bits of Unix milliseconds, 12 bits of the fraction below it, 62 random bits."""
    return _uuid7(time.time_ns())


def uuid7_at(moment: datetime) -> UUID:
    """Return a UUIDv7 for a given time, so that rows written later can still be sorted by that time."""
    return _uuid7((moment - _EPOCH) // timedelta(microseconds=1) * 1000)


def _uuid7(nanoseconds: int) -> UUID:
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    random_bits = int.from_bytes(os.urandom(8)) & (1 << 62) - 1
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random_bits)
