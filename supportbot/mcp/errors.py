"""Why an external agent or a confirmation page was refused."""

from typing import ClassVar

from supportbot.errors import SupportBotError


class McpError(SupportBotError):
    code = "mcp_error"


class UnusableRequest(McpError):
    """The HTTP request never reaches a tool. `headers` are added to the response."""

    headers: ClassVar[dict[str, str]] = {}


class UnknownHost(UnusableRequest):
    """The host name is unknown. Someone else's DNS name may point here, and their pages must not count as ours."""

    code = "unknown_host"
    status = 421
    default_message = "This server does not accept requests for this Host. Add it to ALLOWED_HOSTS if it should."


class ForeignPage(UnusableRequest):
    code = "origin_not_allowed"
    status = 403
    default_message = "Pages of other sites cannot use this server. Call it from your own server, without Origin."


class PostOnly(UnusableRequest):
    code = "method_not_allowed"
    status = 405
    headers = {"Allow": "POST"}
    default_message = "This server keeps no sessions and no streams. Send each message with POST."


class NoKey(UnusableRequest):
    code = "not_authenticated"
    status = 401
    headers = {"WWW-Authenticate": "Bearer"}
    default_message = "Send `Authorization: Bearer` with an API key that has the scope mcp:use."


class ScopeMissing(UnusableRequest):
    code = "scope_missing"
    status = 403
    headers = {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="mcp:use"'}
    default_message = "This API key lacks the scope mcp:use."


class TooManyCalls(UnusableRequest):
    code = "throttled"
    status = 429
    headers = {"Retry-After": "60"}
    default_message = "This API key has made too many calls in the last minute. Wait a minute, then try again."


class BodyTooLong(UnusableRequest):
    code = "body_too_large"
    status = 413
    default_message = "The body is larger than 128 KiB and was not read. Send less at a time."


class BodyTooSlow(UnusableRequest):
    code = "body_too_slow"
    status = 408
    headers = {"Connection": "close"}
    default_message = "The body did not arrive in time."


class UnreadableBody(UnusableRequest):
    code = "unreadable"
    default_message = "The body is not valid JSON."


class IdentityMissing(McpError):
    code = "identity_required"
    status = 401
    default_message = (
        "This call concerns a customer, so it needs their identity token: in the header Customer-Identity, or in "
        "`supportbot/identity` in `_meta`."
    )


class NotForCustomers(McpError):
    code = "scope_missing"
    status = 403
    default_message = "This API key lacks the scope mcp:customers, so it cannot act for a customer."


class TwoIdentities(McpError):
    code = "two_identities"
    status = 400
    default_message = "The header and `_meta` contain different identity tokens. Send only one."


class TooManyQuestions(McpError):
    code = "throttled"
    status = 429
    default_message = "This API key has asked too many questions in the last minute. Wait a minute, then ask again."


class TooManyProposals(McpError):
    code = "throttled"
    status = 429
    default_message = "This API key has made too many proposals in the last minute. Wait a minute, then try again."


class LinkRefused(McpError):
    """The link is unknown, used or expired, or belongs to another channel. The caller cannot tell which."""

    code = "link_refused"
    status = 403
    default_message = "This link has been used or has expired. Ask for a new one."
