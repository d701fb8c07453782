from supportbot.errors import SupportBotError
from supportbot.widget.socket.parsing import is_client_id
from supportbot.widget.socket.protocol import Choose, ClientFrame, Confirm, CustomerMessage, Decline, Refusal, Submit


def refusal(error: SupportBotError, frame: ClientFrame | None = None, *, client_id: str | None = None) -> Refusal:
    """Return the `error` frame: what is wrong, with which field, and which message or request it was about."""
    request = None
    match frame:
        case CustomerMessage() | Choose() | Submit() if is_client_id(frame.client_id):
            client_id = frame.client_id
        case Confirm() | Decline():
            request = frame.request
    return Refusal(error.code, error.message, next(iter(error.fields), None), client_id, request)
