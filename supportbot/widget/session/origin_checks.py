"""Decides which pages and programs may open a chat, based on the origin and the API key that they send."""

from collections.abc import Iterable
from typing import Any, Final

from rest_framework.request import Request

from supportbot.accounts.errors import AccountsError
from supportbot.accounts.models import Channel
from supportbot.accounts.origins import is_allowed, is_known, own_origins, read_origin
from supportbot.accounts.principals import Staff
from supportbot.accounts.rest.auth import caller_of_bearer
from supportbot.async_db import db
from supportbot.widget.errors import OriginRefused

PROGRAM_SCOPE: Final = "conversations:write"


def allowed_origin(request: Request, channel: Channel) -> str:
    """Return the page's origin, or "" for a program that has one of the workspace's API keys.

    Raises OriginRefused.
    """
    header = request.headers.get("Origin")
    origin = read_origin(header)
    if origin is not None and is_allowed(origin, channel):
        return origin
    if header not in (None, "null"):
        raise OriginRefused()
    if not _is_program_of(channel, request.auth):
        raise OriginRefused(
            "The request has neither a page's origin nor an API key: send `Authorization: Bearer sk_…` with the scope "
            f"{PROGRAM_SCOPE}."
        )
    return ""


def _is_program_of(channel: Channel, caller: Any) -> bool:
    return isinstance(caller, Staff) and caller.workspace_id == channel.workspace_id and caller.may(PROGRAM_SCOPE)


def own_origin(request: Request) -> str:
    """Return the page's origin; raises OriginRefused unless the page belongs to this installation."""
    origin = read_origin(request.headers.get("Origin"))
    if origin is None or origin not in own_origins():
        raise OriginRefused("Only the hosted chat page can redeem a code.")
    return origin


async def handshake_origin(handshake: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the origin of a WebSocket handshake, "" for a program with an API key, or None if the handshake is
    refused.

    The channel is unknown until the ticket arrives. The origin is then compared with the ticket's.
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
    return isinstance(caller, Staff) and caller.may(PROGRAM_SCOPE)
