"""Pictures in their stored format.

Only `kb.importing.picture_reencoding` creates them, in a confined process.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext

MAX_BYTES: Final = 20 * 1024 * 1024  # the limit for an uploaded file
ENDINGS: Final = {"image/png": "png", "image/webp": "webp"}


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:40]


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A re-encoded picture; `file_digest` is the digest of the original file."""

    content: bytes
    media_type: str
    width: int
    height: int
    file_digest: str = ""

    @property
    def digest(self) -> str:
        return digest_of(self.content)


def too_large() -> str:
    return gettext("The picture is larger than {megabytes} MB. Use a smaller one.").format(
        megabytes=MAX_BYTES // 1_048_576
    )
