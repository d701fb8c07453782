"""The confined process: reads a file from standard input and writes its content to standard output.

    python -I child.py pdf|word|zip|page < FILE > RESULT

The first line of the result is a JSON object. For `zip`, the contents of its files follow.
"""

import json
import logging
import sys
from pathlib import Path
from typing import BinaryIO

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from kb.importing.confined.archive import read_archive
from kb.importing.confined.limits import confine
from kb.importing.confined.page import check_page
from kb.importing.confined.pdf import read_pdf
from kb.importing.confined.refusal import Refused
from kb.importing.confined.word import read_word

READERS = {"page": check_page, "pdf": read_pdf, "word": read_word, "zip": read_archive}


def main(kind: str, source: BinaryIO, target: BinaryIO) -> None:
    reader = READERS[kind]
    confine()
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
