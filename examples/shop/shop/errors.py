"""Why the shop refuses a request. Each class has one meaning; `middleware.JsonErrors` turns it into a response."""

from collections.abc import Mapping, Sequence


class ShopError(Exception):
    """A refusal with a sentence that the caller may show; nothing has changed when it is raised."""

    code = "error"
    status = 400

    def __init__(self, message: str, *, fields: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = {name: list(messages) for name, messages in (fields or {}).items()}

    def as_json(self) -> dict[str, object]:
        """Return the response body: `{"code", "message", "fields"}`."""
        return {"code": self.code, "message": self.message, "fields": self.fields}


class InvalidInput(ShopError):
    code = "invalid_input"


class HostNotAllowed(ShopError):
    code = "host_not_allowed"


class OriginNotAllowed(ShopError):
    code = "origin_not_allowed"
    status = 403


class NotSigned(ShopError):
    code = "signature_invalid"
    status = 401


class NotFound(ShopError):
    code = "not_found"
    status = 404


class MethodNotAllowed(ShopError):
    code = "method_not_allowed"
    status = 405


class KeyReused(ShopError):
    """The idempotency key has been used for a different order or with different arguments."""

    code = "key_reused"
    status = 409


class TooLarge(ShopError):
    code = "too_large"
    status = 413


class NotJson(ShopError):
    code = "unsupported_media_type"
    status = 415


class RuleRefused(ShopError):
    """A rule of the shop forbids it; the refusal is final for its key."""

    status = 422


class AmountTooHigh(RuleRefused):
    code = "amount_above_remaining"


class WrongCurrency(RuleRefused):
    code = "wrong_currency"


class ItemsDoNotMatch(RuleRefused):
    code = "items_do_not_match"


class OrderCancelled(RuleRefused):
    code = "order_cancelled"


class AlreadyShipped(RuleRefused):
    code = "already_shipped"


class OtherCountry(RuleRefused):
    code = "other_country"


class OutOfOrder(ShopError):
    """A fault ordered with POST /api/faults."""

    code = "fault_injected"
    status = 500


class Interrupted(ShopError):
    """The shop was reset or stopped while the call was delayed."""

    code = "interrupted"
    status = 503
