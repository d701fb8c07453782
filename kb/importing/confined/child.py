"""The confined process: reads a file from standard input and writes its content to standard output.

    python -I child.py pdf|pdf_text|word|zip|page|picture|logo < FILE > RESULT

The first line of the result is a JSON object. The contents of files that it names follow.
"""

import json
import logging
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from kb.importing.confined.limits import confine
from kb.importing.confined.refusal import Refused

Reader = Callable[[BinaryIO], tuple[dict[str, Any], list[bytes]]]

# A reader, and the packages that import parts of themselves when a file needs them. Only what one file needs is loaded.
READERS = {
    "page": ("page", "check_page", ()),
    "pdf": ("pdf", "read_pdf", ("encodings", "pypdf", "xml")),
    "pdf_text": ("pdf", "read_pdf_text", ("encodings", "pypdf", "xml")),
    "word": ("word", "read_word", ("encodings", "mammoth", "xml")),
    "zip": ("archive", "read_archive", ("encodings",)),
    "picture": ("picture", "read_picture", ()),
    "logo": ("picture", "read_logo", ()),
}


def main(kind: str, source: BinaryIO, target: BinaryIO) -> None:
    module, name, packages = READERS[kind]
    reader: Reader = getattr(import_module(f"kb.importing.confined.{module}"), name)
    confine(packages)
    contents: list[bytes] = []
    try:
        facts, contents = reader(source)
    except Refused as refusal:
        facts = {"error": refusal.code, "values": refusal.values}
    except MemoryError:
        facts = {"error": "memory"}
    except Exception as error:  # noqa: BLE001  # the process's edge: a parser may raise anything on a hostile file
        facts = {"error": "damaged", "values": {"what": type(error).__name__}}
    target.write(json.dumps(facts).encode() + b"\n")
    for content in contents:
        target.write(content)
    target.flush()


if __name__ == "__main__":
    logging.disable()
    main(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
