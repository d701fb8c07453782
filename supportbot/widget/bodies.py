"""What a page may post: JSON by the rules of the socket's frames, up to a size."""

from typing import Any, Final

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from supportbot.widget import strictjson

MAX_BODY_BYTES: Final = 32 * 1024


class StrictJsonParser(BaseParser):
    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise ParseError(f"The body has at most {MAX_BODY_BYTES:,} bytes.")
        try:
            return strictjson.loads(body.decode())
        except UnicodeDecodeError as error:
            raise ParseError("The body is not UTF-8.") from error
        except strictjson.BadJson as error:
            raise ParseError(str(error)) from error
