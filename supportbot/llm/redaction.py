"""Personal data and secrets out of stored bodies. Pure. Masks what has a form; a name in a sentence has none.

What is stored for a month is masked more widely than what a model reads (`personal`): any long number too, and what
only looks like an account. Nobody has to answer from it.
"""

import re
from typing import Final

from supportbot.language.personal import Kind, personal_data_in, replaced

_SECRET: Final = re.compile(r"\b(?:sk|pk|vs|whsec|ghp|xox[bp])[_-][\w-]{8,}|\beyJ[\w-]{10,}(?:\.[\w-]+){1,2}")
_NUMBER: Final = re.compile(r"(?<![\w.])\+?\d(?:[ ()./-]{0,3}\d){6,22}(?![\w.]*\d)")
_ACCOUNT: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
_MASKS: Final[dict[Kind, str]] = {"EMAIL": "[e-mail]", "CARD": "[card]", "IBAN": "[account]", "PHONE": "[number]"}


def redact(text: str) -> str:
    """Return `text` with addresses, keys, account, card and telephone numbers replaced by what they were."""
    text = _SECRET.sub("[secret]", text)
    text = replaced(text, personal_data_in(text), lambda one: _MASKS[one.kind])
    return _NUMBER.sub("[number]", _ACCOUNT.sub("[account]", text))
