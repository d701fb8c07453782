"""Why a model's tool call is not carried out; the message goes back to the model, the code on record."""

from supportbot.assistant.limits import MAX_CALLS, MAX_STEPS
from supportbot.errors import SupportBotError


class ToolRefused(SupportBotError):
    code = "tool_refused"
    status = 409


class NoSuchTool(ToolRefused):
    """Not offered in this conversation, whether it exists elsewhere or not: both look the same."""

    code = "unknown_tool"
    default_message = "There is no such tool."


class TooManyCalls(ToolRefused):
    code = "too_many_calls"
    default_message = f"At most {MAX_CALLS} calls at once."


class RepeatedCall(ToolRefused):
    code = "repeated_call"
    default_message = "You have asked exactly this before: go by the first answer."


class BadArguments(ToolRefused):
    code = "invalid_arguments"
    default_message = 'The arguments must be a JSON object like {"reason": "..."}.'


class TooManySteps(ToolRefused):
    code = "too_many_steps"
    default_message = f"At most {MAX_STEPS} answers in one turn."
