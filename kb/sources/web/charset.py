"""The text of a page whose declared encoding may be wrong. Pure."""

import codecs
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from typing import Final

_IN_TYPE: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_IN_PAGE: Final = re.compile(rb"<meta[^>]{0,300}charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
# What browsers read instead, by the Encoding Standard.
_AS_BROWSERS: Final = {"iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030"}
FALLBACK: Final = "cp1252"


def decode(body: bytes, content_type: str) -> str:
    """Return the text; valid UTF-8 is read as such, whatever is declared, since other text hardly ever looks like
    it.
    """
    for mark, encoding in ((BOM_UTF8, "utf-8-sig"), (BOM_UTF16_LE, "utf-16"), (BOM_UTF16_BE, "utf-16")):
        if body.startswith(mark):
            return body.decode(encoding, errors="replace")
    declared = [_IN_TYPE.search(content_type), _IN_PAGE.search(body[:4_096])]
    names = [found.group(1) for found in declared if found]
    known = [name for found in names if (name := _known(found if isinstance(found, str) else found.decode("ascii")))]
    for encoding in ("utf-8", *known):
        try:
            # These escape everything into ASCII, so all of it would pass for UTF-8.
            if encoding == "utf-8" and known and known[0] in ("iso2022_jp", "hz", "utf-7"):
                continue
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    return body.decode(known[0] if known and known[0] != "utf-8" else FALLBACK, errors="replace")


def _known(name: str) -> str:
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return ""
    # Others, such as base64, do not make text of bytes.
    return _AS_BROWSERS.get(found, found) if codecs.lookup(found)._is_text_encoding else ""
