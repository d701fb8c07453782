"""The reasons why a call to another system got no response. The third outcome is a response with any status."""


class OutboundError(Exception):
    """`why` is a sentence for the person who set up the call, without secrets."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class NotSent(OutboundError):
    """The other side has done nothing, because no byte of the request can have reached it."""


class NoAnswer(OutboundError):
    """The request was sent, at least in part, but there was no usable answer, so anything may have happened. `status`
    is the status of an unusable answer, or 0 if none began; then the call may still be in progress.
    """

    def __init__(self, why: str, *, status: int = 0) -> None:
        super().__init__(why)
        self.status = status
