"""Why a call to another system got no response. The third possible outcome is a response, whatever its status."""


class OutboundError(Exception):
    """`why` is a sentence, free of secrets, for the person who set up the call."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class NotSent(OutboundError):
    """The other side has done nothing, because not a single byte of the request can have reached it."""


class NoAnswer(OutboundError):
    """The request was sent, at least in part, but there was no usable response, so anything may have happened.

    `status` is the unusable response's status. If it is 0, no response has begun, and the call may still be in
    progress.
    """

    def __init__(self, why: str, *, status: int = 0) -> None:
        super().__init__(why)
        self.status = status
