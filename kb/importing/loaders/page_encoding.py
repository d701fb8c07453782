"""Decoding web pages by their bytes and by the encoding that they declare. Pure."""

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
# By the Encoding Standard: the encodings that browsers use instead, and names of encodings that Python does not know.
_AS_BROWSERS: Final = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs",
}  # fmt: skip
_NAMES_OF_BROWSERS: Final = {
    "windows-874": "cp874", "dos-874": "cp874", "x-sjis": "cp932", "windows-31j": "cp932", "windows-949": "cp949",
    "ksc_5601": "cp949", "x-x-big5": "big5hkscs", "cn-big5": "big5hkscs", "x-gbk": "gb18030", "x-euc-jp": "euc_jp",
    "iso-8859-8-i": "iso8859-8", "iso-8859-8-e": "iso8859-8", "logical": "iso8859-8", "visual": "iso8859-8",
    "x-mac-roman": "mac-roman", "x-mac-cyrillic": "mac-cyrillic", "x-mac-ukrainian": "mac-cyrillic",
    **{f"x-cp{number}": f"cp{number}" for number in range(1250, 1259)},
}  # fmt: skip
_ONLY_ASCII_BYTES: Final = ("iso2022_jp", "hz", "utf-7")  # any text in them would pass for UTF-8
_LANGUAGE: Final = re.compile(rb"<html[^>]{0,300}\slang\s*=\s*[\"']?([a-z]{2,3}(?:-tw|-hk)?)", re.IGNORECASE)
# The encodings of pages that declare none or a wrong one, by the language that they declare: the HTML Standard's list
# (13.2.3.2), and a second encoding for Japanese, whose texts are never valid in the first one.
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
# The least number of multi-byte characters per damaged sequence. Text in another encoding contains hardly any that are
# valid UTF-8 by chance, while a UTF-8 page with a truncated or foreign character contains many.
LEAST_WHOLE: Final = 4


def decode(body: bytes, content_type: str = "") -> str:
    """Return the text of a page. A page in UTF-8, even with a few damaged bytes, is read as UTF-8, whatever it or
    `content_type` declares.
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
    """Return the text of a page in the encoding that it declares, or in UTF-8 if it is UTF-8, even with a few damaged
    bytes; "" if it declares no encoding or a wrong one.
    """
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return _strictly(body, encoding)
    known = _declared(body, "")
    if not (known and known[0] in _ONLY_ASCII_BYTES) and (text := _as_utf8(body)) is not None:
        return text
    return _strictly(body, known[0]) if known else ""


def _strictly(body: bytes, encoding: str) -> str:
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _declared(body: bytes, content_type: str) -> list[str]:
    found = _IN_TYPE.search(content_type)
    of_type = _known(found[1]) if found else ""
    found_here = _IN_PAGE.search(body[:MOST_SEARCHED])
    of_page = _known((found_here[1] or found_here[2]).decode("ascii")) if found_here else ""
    if of_page.startswith(("utf-16", "utf-32")):  # in such an encoding, the declaration could not have been found
        of_page = "utf-8"
    return [known for known in (of_type, of_page) if known]


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
    name = name.lower()
    try:
        found = codecs.lookup(_NAMES_OF_BROWSERS.get(name, name))
    except LookupError:
        return ""
    # Other codecs, such as base64, do not turn bytes into text.
    return _AS_BROWSERS.get(found.name, found.name) if found._is_text_encoding else ""
