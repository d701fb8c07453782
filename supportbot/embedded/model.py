"""The operator's model server as a start and `doctor` see it."""

import asyncio

from django.conf import settings

from supportbot.installation.errors import StartRefused
from supportbot.installation.plan import Plan

# A start must not hang on a server that accepts and says nothing; a person who asks `doctor` waits longer.
NAME_SECONDS = 10.0
ANSWER_SECONDS = 60.0


def check_model_name(plan: Plan) -> str:
    """Return the model that answers will use. Raises StartRefused with the server's list when none was named.

    A named model whose server is down is no obstacle: the built-in answerer stands in until it is back.
    """
    from supportbot.llm.errors import ModelMisconfigured
    from supportbot.llm.probe import resolve_model  # here, since the SDK takes half a second to import

    try:
        return asyncio.run(asyncio.wait_for(resolve_model(), NAME_SECONDS))
    except ModelMisconfigured as error:
        raise StartRefused(error.message) from error
    except TimeoutError as error:
        raise _silent(NAME_SECONDS) from error


def check_model_answers(plan: Plan) -> str:
    """Return what the model can do, after one short question. Raises StartRefused."""
    from supportbot.llm.probe import check_model

    try:
        is_well, message = asyncio.run(asyncio.wait_for(check_model(), ANSWER_SECONDS))
    except TimeoutError as error:
        raise _silent(ANSWER_SECONDS) from error
    if not is_well:
        raise StartRefused(message)
    return message


def _silent(seconds: float) -> StartRefused:
    return StartRefused(
        f"The model server {settings.OPENAI_BASE_URL or 'of OPENAI_API_KEY'} did not answer in {seconds:.0f} s: check "
        "OPENAI_BASE_URL, or set OPENAI_MODEL to start without asking it."
    )
