"""Re-encoding of uploaded pictures, in the confined process."""

import re
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final, Literal

from kb.errors import InvalidDocument
from kb.importing.confinement import facts_and_contents, reason_in_words
from supportbot.accounts.stored_pictures import MAX_BYTES, StoredPicture, digest_of, too_large
from supportbot.errors import InvalidInput

_SIGNATURE: Final = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8|RIFF.{4}WEBP", re.DOTALL)


def reencoded(data: bytes) -> StoredPicture:
    """Return the first picture of a PNG, JPEG, WebP or GIF file, upright and fitted to a page; raises InvalidInput."""
    return _redrawn("picture", data)


def redrawn_logo(data: bytes) -> StoredPicture:
    """Return a file's picture as a small PNG file. Raises InvalidInput."""
    return _redrawn("logo", data)


def _redrawn(kind: Literal["picture", "logo"], data: bytes) -> StoredPicture:
    if len(data) > MAX_BYTES:
        raise InvalidInput(fields={"picture": [too_large()]})
    if not _SIGNATURE.match(data):
        code = "picture_svg" if b"<svg" in data[:1_000].lower() else "picture_format"
        raise InvalidInput(fields={"picture": [reason_in_words(code, {})]})
    with NamedTemporaryFile(prefix="supportbot-picture-") as file:
        file.write(data)
        file.flush()
        try:
            facts, [content] = facts_and_contents(kind, Path(file.name))
        except InvalidDocument as error:
            raise InvalidInput(fields={"picture": [error.message]}) from error
    return StoredPicture(content, facts["type"], facts["width"], facts["height"], digest_of(data))
