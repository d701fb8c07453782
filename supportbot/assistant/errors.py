"""Reasons for refusing a model's tool call. The message is returned to the model, and the code goes into the audit
trail.
"""

from supportbot.assistant.turn_limits import MAX_CALLS, MAX_STEPS
from supportbot.errors import SupportBotError


class ToolRefused(SupportBotError):
    code = "tool_refused"
    status = 409


class NoSuchTool(ToolRefused):
    """The tool is not offered in this conversation, whether or not it exists elsewhere."""

    code = "unknown_tool"
    default_message = "There is no such tool."


class TooManyCalls(ToolRefused):
    code = "too_many_calls"
    default_message = f"At most {MAX_CALLS} tool calls at once."


class RepeatedCall(ToolRefused):
    code = "repeated_call"
    default_message = "You have already made exactly this call. Use its result."


class BadArguments(ToolRefused):
    code = "invalid_arguments"
    default_message = 'The arguments must be a JSON object like {"reason": "..."}.'


class TooManySteps(ToolRefused):
    code = "too_many_steps"
    default_message = f"At most {MAX_STEPS} answers in one turn."
