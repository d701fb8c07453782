"""The encoding of a web page, by its bytes and by what it declares. Pure."""

import codecs
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from typing import Final

_IN_TYPE: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_IN_PAGE: Final = re.compile(
    rb"<meta[^>]{0,300}charset\s*=\s*[\"']?([\w.:-]{1,40})|<\?xml[^>]{0,100}encoding\s*=\s*[\"']([\w.:-]{1,40})",
    re.IGNORECASE,
)
MOST_SEARCHED: Final = 4_096  # bytes at the beginning of a page
# The encodings that browsers use instead, by the Encoding Standard.
_AS_BROWSERS: Final = {"iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030"}
_ONLY_ASCII_BYTES: Final = ("iso2022_jp", "hz", "utf-7")  # any text in them would pass for UTF-8
_LANGUAGE: Final = re.compile(rb"<html[^>]{0,300}\slang\s*=\s*[\"']?([a-z]{2,3}(?:-tw|-hk)?)", re.IGNORECASE)
# The encodings of pages that do not declare theirs, or a wrong one, by the language that they declare: the HTML
# Standard's list (13.2.3.2), and the other encoding of Japanese, which is never valid in the first one.
_BY_LANGUAGE: Final = {
    **dict.fromkeys(("ba", "be", "bg", "kk", "ky", "mk", "ru", "sah", "sr", "tg", "tt", "uk"), ("cp1251",)),
    **dict.fromkeys(("ar", "fa"), ("cp1256",)), **dict.fromkeys(("cs", "hr", "sk"), ("cp1250",)),
    **dict.fromkeys(("hu", "pl", "sl"), ("iso8859_2",)), **dict.fromkeys(("et", "lt", "lv"), ("cp1257",)),
    **dict.fromkeys(("ku", "tr"), ("cp1254",)), "el": ("iso8859_7",), "he": ("cp1255",), "th": ("cp874",),
    "vi": ("cp1258",), "ja": ("euc_jp", "cp932"), "ko": ("cp949",), "zh": ("gb18030",), "zh-tw": ("big5hkscs",),
    "zh-hk": ("big5hkscs",),
}  # fmt: skip
FALLBACK: Final = "cp1252"
_MARKS: Final = ((BOM_UTF8, "utf-8-sig"), (BOM_UTF16_LE, "utf-16"), (BOM_UTF16_BE, "utf-16"))
# Characters of several bytes per damaged place. Text in another encoding contains hardly any bytes that are valid UTF-8
# by chance, while a page in UTF-8 with a truncated or foreign character contains many.
LEAST_WHOLE: Final = 4


def decode(body: bytes, content_type: str = "") -> str:
    """Return the text of a page. Bytes that are UTF-8, except for a few damaged ones, are read as UTF-8, whatever the
    page or `content_type` declares.
    """
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body.decode(encoding, errors="replace")
    known = [name for name in _declared(body, content_type) if name != "utf-8"]
    if not (known and known[0] in _ONLY_ASCII_BYTES) and (text := _as_utf8(body)) is not None:
        return text
    for encoding in (*known, *_by_language(body)):
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    return body.decode(known[0] if known else FALLBACK, errors="replace")


def declared_text(body: bytes) -> str:
    """Return the text of a page in the encoding that it declares itself; "" if it declares none or is not in it."""
    marked = [encoding for mark, encoding in _MARKS if body.startswith(mark)]
    found = [*marked, *_declared(body, "")]
    try:
        return body.decode(found[0]) if found else ""
    except UnicodeDecodeError:
        return ""


def _declared(body: bytes, content_type: str) -> list[str]:
    names = [found[1] for found in [_IN_TYPE.search(content_type)] if found]
    names += [(found[1] or found[2]).decode("ascii") for found in [_IN_PAGE.search(body[:MOST_SEARCHED])] if found]
    return [known for name in names if (known := _known(name))]


def _by_language(body: bytes) -> tuple[str, ...]:
    found = _LANGUAGE.search(body[:MOST_SEARCHED])
    return _BY_LANGUAGE.get(found[1].decode("ascii").lower(), ()) if found else ()


def _as_utf8(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        text = body.decode(errors="replace")
    damaged = text.count("\N{REPLACEMENT CHARACTER}")
    whole = sum(not sign.isascii() for sign in text) - damaged
    return text if whole >= LEAST_WHOLE * damaged else None


def _known(name: str) -> str:
    try:
        found = codecs.lookup(name)
    except LookupError:
        return ""
    # Other codecs, such as base64, do not turn bytes into text.
    return _AS_BROWSERS.get(found.name, found.name) if found._is_text_encoding else ""
