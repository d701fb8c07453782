"""One script out of several modules: their sources one after the other, what is needed first, without comments.

No bundler: it knows one form of import, on a line of its own. The modules must not give two things of their top level
the same name; a browser would refuse the joined script, and so would every test that loads it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_IMPORT: Final = re.compile(r'import (?:\{ .+ \}|(?P<styles>\w+)) from "\./(?P<file>[\w./]+)";')
_EXPORT: Final = re.compile(r"export (?:\{.*)?")
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
# Text runs in lines from above here, whichever way the lines run: these are the same, in fewer letters.
_UPRIGHT: Final = {
    "inline-size": "width", "block-size": "height", "inset-block-start": "top", "inset-block-end": "bottom",
    "-block-start": "-top", "-block-end": "-bottom",
}  # fmt: skip
_LONG: Final = re.compile(rf"(?<!--)({'|'.join(_UPRIGHT)})(?=:)")
# Blanks that no style sheet needs: around the brackets of its rules and a child's sign, and after the colon of a
# declaration.
_LOOSE: Final = re.compile(r"\s*([{};,>])\s*|(?<=:)\s+")


def joined(module: Path) -> str:
    """Return the module with everything it imports; style sheets become texts."""
    return "".join(_pieces(module, set()))


def _pieces(module: Path, seen: set[Path]) -> Iterator[str]:
    is_first = not seen
    seen.add(module)
    own = []
    for line in without_comments(module.read_text(encoding="utf-8")).splitlines():
        wanted = _IMPORT.fullmatch(line)
        if wanted is None:
            # Only the module that a page fetches has something to give out.
            own.append(line if is_first else _EXPORT.sub("", line))
            continue
        file = (module.parent / wanted["file"]).resolve()
        if wanted["styles"]:
            styles = tight(file.read_text(encoding="utf-8"))
            yield f"const {wanted['styles']} = `{styles}`;\n"  # no style sheet has backticks or backslashes
        elif file not in seen:
            yield from _pieces(file, seen)
    yield "".join(f"{line}\n" for line in own)


def tight(styles: str) -> str:
    """Return a style sheet without comments and blanks it does not need, and with the shorter of two like names."""
    bare = _LOOSE.sub(lambda found: found[1] or "", _COMMENT.sub("", styles)).replace(";}", "}").strip()
    return _LONG.sub(lambda found: _UPRIGHT[found[1]], bare)


def without_comments(script: str) -> str:
    """Leave out indentation, and lines that are comment and nothing else; no text of ours has a line that looks so."""
    kept, is_in_comment = [], False
    for line in map(str.strip, script.splitlines()):
        is_in_comment = is_in_comment or line.startswith("/*")
        if line and not is_in_comment and not line.startswith("//"):
            kept.append(f"{line}\n")
        is_in_comment = is_in_comment and not line.endswith("*/")
    return "".join(kept)
