"""System checks that reject settings at start-up that would otherwise fail at the first call."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.translation import gettext

from supportbot.llm.budget import daily_allowance
from supportbot.llm.call_settings import is_remote_configured
from supportbot.llm.errors import ModelMisconfigured
from supportbot.llm.pricing import parse_prices


@register("llm", "settings")
def model_settings(**_: Any) -> list[CheckMessage]:
    """Check that prices, budgets and deadlines are well-formed, and that a budget can be enforced."""
    try:
        prices = parse_prices(settings.LLM_PRICES)
        allowance = daily_allowance()
        daily_allowance("verify")
    except ModelMisconfigured as error:
        return [Error(error.message, id="llm.E001")]
    found: list[CheckMessage] = []
    if settings.OPENAI_BASE_URL and not _is_address(settings.OPENAI_BASE_URL):
        # Do not repeat the value: it may be the key, set under the wrong name.
        problem = gettext("OPENAI_BASE_URL must be an address like {example}.").format(
            example="http://127.0.0.1:11434/v1"
        )
        found.append(Error(problem, id="llm.E003"))
    for setting, seconds in (
        ("SUPPORTBOT_MODEL_DEADLINE_SECONDS", settings.MODEL_DEADLINE_SECONDS),
        ("LLM_VERIFY_DEADLINE_SECONDS", settings.LLM_VERIFY_DEADLINE_SECONDS),
    ):
        if seconds <= 0:
            found.append(Error(gettext("{setting} must be above 0.").format(setting=setting), id="llm.E002"))
    if settings.OPENAI_VERIFY_MODEL and not is_remote_configured():
        problem = gettext("OPENAI_VERIFY_MODEL needs a server. Set OPENAI_API_KEY or OPENAI_BASE_URL.")
        found.append(Error(problem, id="llm.E004"))
    if allowance is not None and settings.OPENAI_MODEL and settings.OPENAI_MODEL not in prices:
        problem = gettext("LLM_DAILY_BUDGET has no effect, because the model has no price.")
        hint = gettext("Give LLM_PRICES a price for {model}.").format(model=settings.OPENAI_MODEL)
        found.append(Warning(problem, hint=hint, id="llm.W001"))
    return found


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is not a number
        return False
