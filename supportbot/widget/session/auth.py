"""Which page opens a socket: decided by the handshake's headers, before the socket says a word."""

from collections.abc import Iterable

from supportbot.accounts.auth import caller_of_bearer
from supportbot.accounts.callers import Staff
from supportbot.accounts.errors import AccountsError
from supportbot.accounts.origins import is_known, read_origin
from supportbot.asyncdb import db


async def origin_of(handshake: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the page's origin, empty for a program that shows an API key; None if it may not open a socket here.

    Which channel is meant comes out with the ticket; then the origin is compared with the one it was issued to.
    """
    headers = dict(handshake)
    header = headers.get(b"origin", b"").decode("latin-1")
    origin = read_origin(header)
    if origin is not None:
        return origin if await db(is_known, origin) else None
    credential = headers.get(b"authorization", b"").decode("latin-1")
    if header in ("", "null") and credential.startswith("Bearer sk_"):
        return "" if await db(_is_program, credential.removeprefix("Bearer ").strip()) else None
    return None


def _is_program(api_key: str) -> bool:
    try:
        _, caller = caller_of_bearer(api_key)
    except AccountsError:
        return False
    return isinstance(caller, Staff) and caller.may("conversations:write")
