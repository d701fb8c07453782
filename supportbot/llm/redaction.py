"""Personal data and secrets out of stored bodies. Pure. Masks what has a form; a name in a sentence has none."""

import re

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_SECRET = re.compile(r"\b(?:sk|pk|vs|whsec|ghp|xox[bp])[_-][\w-]{8,}|\beyJ[\w-]{10,}(?:\.[\w-]+){1,2}")
_DIGITS = re.compile(r"(?<![\w.])\+?\d(?:[ ()./-]{0,3}\d){6,22}(?![\w.]*\d)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")


def redact(text: str) -> str:
    """Return `text` with addresses, keys, account, card and telephone numbers replaced by what they were."""
    text = _SECRET.sub("[secret]", text)
    text = _EMAIL.sub("[e-mail]", text)
    text = _IBAN.sub("[account]", text)
    return _DIGITS.sub(_number, text)


def _number(match: re.Match[str]) -> str:
    digits = [int(character) for character in match[0] if character.isdigit()]
    return "[card]" if 13 <= len(digits) <= 19 and _passes_luhn(digits) else "[number]"


def _passes_luhn(digits: list[int]) -> bool:
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
