#!/usr/bin/env python3
"""Maintain the gettext catalogues: what customers read (`locale/customer`) and what the team reads (`locale/team`).

    .venv/bin/python scripts/messages.py update          add new messages to all catalogues, remove unused ones
    .venv/bin/python scripts/messages.py compile         write the .mo files
    .venv/bin/python scripts/messages.py check           report what is missing, wrong or stale; exit code 1 if any is
    .venv/bin/python scripts/messages.py add LANGUAGE [customer|team]     begin a language, such as `sv` or `pt-br`
    .venv/bin/python scripts/messages.py widget          write the widget's texts, for its bundle

`make messages` runs update and compile. GNU gettext is not needed: Babel reads Python code, and templates once Django's
`templatize` has converted them. Messages of the functions in `supportbot/translation.py` are always for customers. For
gettext's own functions and `{% translate %}`, the table below decides.
"""

import argparse
import gettext
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import generate_po, read_po
from django.utils.translation.template import templatize

ROOT: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Set:
    """Catalogues with the same messages: those in the folders `paths`, except `skipped`, and in `scripts`."""

    name: str
    folder: str
    paths: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()  # folders of JavaScript that calls gettext and ngettext


# The sets to which messages of gettext's own functions and of templates belong.
CUSTOMER_PAGES: Final = ("templates/kb", "templates/widget")
TEAM_SCRIPTS: Final = ("supportbot/handoff/static/desk", "supportbot/console/static/console")
SETS: Final = (
    Set("customer", "locale/customer", CUSTOMER_PAGES),
    Set("team", "locale/team", ("supportbot", "kb", "actions", "templates"), CUSTOMER_PAGES, TEAM_SCRIPTS),
    # The demo's shop is a separate program, with its own languages.
    Set("shop", "examples/shop/shop/locale", ("examples/shop",)),
)
# Functions of supportbot/translation.py, with the positions of the arguments that are messages.
CUSTOMER_KEYWORDS: Final = {
    "msgid": (1,),
    "nmsgid": (1, 2),
    "text_in": (2,),
    "ptext_in": ((2, "c"), 3),
    "ntext_in": (2, 3),
}
CUSTOMER_CODE: Final = ("supportbot", "kb", "actions")
# The files with the widget's texts in English, by key.
WIDGET: Final = "supportbot/widget/frontend"
WIDGET_TEXTS: Final = {
    "panel": f"{WIDGET}/src/texts.js",
    "more": f"{WIDGET}/src/more.js",
    "pages": f"{WIDGET}/src/pages.js",
    "launcher": f"{WIDGET}/src/loader/texts.js",
}
TEAM_KEYWORDS: Final = DEFAULT_KEYWORDS | {
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
TRANSLATORS_COMMENT: Final = "Translators:"
PLACEHOLDER: Final = re.compile(r"%\(\w+\)s|(?<!\{)\{\w*\}(?!\})")
Key = tuple[str, str]  # context, msgid


class PlainCatalog(Catalog):
    """A catalogue with a minimal header, without dates and versions."""

    mime_headers = property(
        lambda self: [
            ("Language", str(self.locale)),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
            ("Plural-Forms", self.plural_forms),
        ]
    )

    @classmethod
    def of(cls, catalogue: Catalog) -> "PlainCatalog":
        plain = cls(locale=catalogue.locale, fuzzy=False, header_comment="#")
        for message in catalogue:
            if message.id:
                plain[message.id] = message
        return plain


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Maintain the gettext catalogues.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("update", "compile", "check", "widget"):
        commands.add_parser(name)
    add = commands.add_parser("add")
    add.add_argument("language")
    add.add_argument("set", nargs="?", default="customer", choices=[one.name for one in SETS])
    options = parser.parse_args(arguments)
    if options.command == "check":
        problems = [*(problem for one in SETS for problem in check(one)), *disagreements(), *hidden()]
        sys.stderr.writelines(f"{problem}\n" for problem in problems)
        return 1 if problems else 0
    if options.command == "add":
        return begin(options.language, next(one for one in SETS if one.name == options.set))
    if options.command == "widget":
        write_widget_texts()
        return 0
    for one in SETS:
        (update if options.command == "update" else compile_all)(one)
    return 0


def begin(language: str, one: Set) -> int:
    """Create a language's catalogue without translations; return the exit code."""
    try:
        new = Catalog(locale=Locale.parse(language.replace("-", "_")))
    except (UnknownLocaleError, ValueError) as error:
        sys.stderr.write(f"{language} is not a language: {error}. Use a tag such as sv or pt-br.\n")
        return 1
    path = ROOT / one.folder / str(new.locale) / "LC_MESSAGES" / "django.po"
    if path.exists():
        sys.stderr.write(f"{path.relative_to(ROOT)} already exists.\n")
        return 1
    path.parent.mkdir(parents=True)
    _write(path, new)
    update(one)
    compile_all(one)
    widget = " and `make widget`" if one.name == "customer" else ""
    sys.stdout.write(f"Translate {path.relative_to(ROOT)}, then run `make messages`{widget}.\n")
    return 0


def update(one: Set) -> None:
    """Give every catalogue of a set the messages of the code, in the code's order; unused ones are dropped."""
    template = extracted(one)
    for path in catalogues(one):
        known = read(path)
        known.update(template, no_fuzzy_matching=True, update_header_comment=False, keep_user_comments=True)
        known.obsolete.clear()
        _write(path, known)


def compile_all(one: Set) -> None:
    for path in catalogues(one):
        path.with_suffix(".mo").write_bytes(compiled(read(path)))


def check(one: Set) -> Iterator[str]:
    """Yield a sentence for each fault in the catalogues of a set: a message that is missing, wrong or stale."""
    wanted = {_key(message): message for message in extracted(one) if message.id}
    for path in catalogues(one):
        catalogue, name = read(path), path.relative_to(ROOT)
        present = {_key(message): message for message in catalogue if message.id}
        if list(present) != list(wanted):
            yield f"{name} does not have the messages of the code: run `make messages`."
        for message in present.values():
            yield from (f"{name}: {problem}: {_msgid(message)!r}" for problem in problems_of(message))
        if not is_fresh(path, catalogue):
            yield f"{path.with_suffix('.mo').relative_to(ROOT)} is stale: run `make messages`."


def disagreements() -> Iterator[str]:
    """Yield messages of customers' pages that the team's set translates differently: Django shows the team's for both.

    Code for customers reads only their own set (`supportbot/translation.py`).
    """
    customer, team = (
        {(path.parents[1].name, *_key(message)): message for path in catalogues(one) for message in read(path)}
        for one in SETS[:2]
    )
    for language, context, message in sorted(customer.keys() & team.keys()):
        own, other = customer[language, context, message], team[language, context, message]
        is_of_a_page = any(name.startswith(CUSTOMER_PAGES) for name, _ in own.locations)
        if message and is_of_a_page and own.string != other.string:
            yield f"{language}: customer and team differ: {message!r}. Give one of them a context."


def hidden() -> Iterator[str]:
    """Yield the places where a message is inside an f-string, so that no extractor finds it."""
    call = re.compile(rf"\{{\s*({'|'.join(CUSTOMER_KEYWORDS)})\(")
    for path in _files(CUSTOMER_CODE):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if path.suffix == ".py" and call.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: a message is inside an f-string. Move it out."


def problems_of(message: Message) -> Iterator[str]:
    """Yield the errors of one translation."""
    forms = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
    sources = message.id if isinstance(message.id, (tuple, list)) else (message.id,)
    if not all(forms):  # a missing plural form is read as an empty one
        yield "untranslated"
        return
    if message.fuzzy:
        yield "fuzzy"
    wanted = set(PLACEHOLDER.findall(sources[-1]))
    for form in forms:
        found = set(PLACEHOLDER.findall(form))
        # The plural form for one or two may spell out the number instead of using the placeholder.
        if found != wanted and not (len(sources) > 1 and found < wanted and len(wanted - found) == 1):
            yield f"placeholders {sorted(found)} instead of {sorted(wanted)}"
        if form.strip() == form and sources[0].strip() != sources[0]:
            yield "leading or trailing spaces are missing"


def is_fresh(path: Path, catalogue: Catalog) -> bool:
    """Return whether the .mo file matches its .po file. Headers are ignored, since they depend on Babel's version."""
    binary = path.with_suffix(".mo")
    if not binary.exists():
        return False
    return _entries(binary.read_bytes()) == _entries(compiled(catalogue))


def compiled(catalogue: Catalog) -> bytes:
    target = io.BytesIO()
    write_mo(target, PlainCatalog.of(catalogue))
    return target.getvalue()


def _entries(binary: bytes) -> dict[object, object]:
    catalogue = vars(gettext.GNUTranslations(io.BytesIO(binary)))["_catalog"]
    return {message: text for message, text in catalogue.items() if message}


def catalogues(one: Set) -> list[Path]:
    return sorted((ROOT / one.folder).glob("*/LC_MESSAGES/django.po"))


def read(path: Path) -> Catalog:
    locale = path.parents[1].name
    with path.open("rb") as file:
        return read_po(file, locale=locale, domain="django", ignore_obsolete=True, abort_invalid=True)


def _write(path: Path, catalogue: Catalog) -> None:
    text = "".join(generate_po(PlainCatalog.of(catalogue), width=118, include_lineno=False))
    path.write_text(text.removeprefix("#\n"), encoding="utf-8")


def extracted(one: Set) -> Catalog:
    """Return the messages of a set's files, ordered by file name."""
    catalogue = Catalog()
    for path, keywords in _sources(one):
        name = path.relative_to(ROOT).as_posix()
        for line, message, comments, context in _messages(path, keywords):
            catalogue.add(message, locations=[(name, line)], auto_comments=comments, context=context)
    return catalogue


def write_widget_texts() -> None:
    """Write the widget's texts in every language. Only the server's pages and mails use regional variants."""
    customer = SETS[0]
    known = [read(path) for path in catalogues(customer)]
    languages = [Catalog(locale="en"), *(one for one in known if one.locale is not None and not one.locale.territory)]
    found: dict[str, object] = {
        part: {str(one.locale): _texts_by_key(ROOT / name, one) for one in languages}
        for part, name in WIDGET_TEXTS.items()
    }
    found["rightToLeft"] = [str(one.locale) for one in languages if one.locale.text_direction == "rtl"]
    (ROOT / WIDGET / "texts.json").write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")


def _texts_by_key(path: Path, catalogue: Catalog) -> dict[str, object]:
    """Return a file's texts in a language, by key; plural forms are by the category names of `Intl.PluralRules`."""
    texts: dict[str, object] = {}
    for _, key, message, _, context in _widget_texts(path):
        found = catalogue.get(message, context)
        if isinstance(message, str):
            texts[key] = found.string if found and found.string else message
        else:
            is_translated = found is not None and all(found.string)
            names = _plural_names(catalogue) if is_translated else ["one", "other"]
            named = dict(zip(names, found.string if is_translated else message, strict=True))
            named.setdefault("other", named[names[-1]])
            texts[key] = {name: form for name, form in named.items() if name == "other" or form != named["other"]}
    return texts


def _plural_names(catalogue: Catalog) -> list[str]:
    """Return the CLDR names of a catalogue's plural forms ("one", "other"), in the catalogue's order."""
    place, rule = gettext.c2py(catalogue.plural_expr), catalogue.locale.plural_form
    names = {place(number): rule(number) for number in (1_000_000, *range(200, -1, -1))}
    return [names[number] for number in range(catalogue.num_plurals)]


def _widget_texts(path: Path) -> Iterator[tuple[int, str, str | tuple[str, ...], list[str], str | None]]:
    """Yield the line, key, message, comments and context of each text."""
    comments: list[str] = []
    context = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if found := re.fullmatch(r"  // (Context|Translators): (.*)", line):
            context = found[2] if found[1] == "Context" else context
            comments += [found[2]] if found[1] == "Translators" else []
        elif found := re.fullmatch(r"  (\w+): (.*),", line):
            strings = tuple(json.loads(text) for text in re.findall(r'"(?:[^"\\]|\\.)*"', found[2]))
            yield number, found[1], strings if len(strings) > 1 else strings[0], comments, context
            comments, context = [], None


def _sources(one: Set) -> Iterator[tuple[Path, dict[str, object]]]:
    """Yield the files of a set, each with the functions whose messages belong to the set."""
    own = set(_files(one.paths)) - set(_files(one.skipped))
    for_customers = set(_files(CUSTOMER_CODE)) if one.name == "customer" else set()
    for path in sorted(path for folder in one.scripts for path in (ROOT / folder).glob("*.js")):
        yield path, {"gettext": None, "ngettext": (1, 2)}
    if one.name == "customer":
        yield from ((ROOT / name, {}) for name in WIDGET_TEXTS.values() if (ROOT / name).exists())
    for path in sorted(own | {path for path in for_customers if path.suffix == ".py"}):
        yield path, (TEAM_KEYWORDS if path in own else {}) | (CUSTOMER_KEYWORDS if path in for_customers else {})


def _files(paths: Iterable[str]) -> Iterator[Path]:
    for name in paths:
        for path in sorted((ROOT / name).rglob("*")):
            if path.suffix in (".py", ".html", ".svg", ".txt") and "node_modules" not in path.parts:
                yield path


def _messages(path: Path, keywords: dict[str, object]) -> Iterator[tuple[int, object, list[str], str | None]]:
    if path.relative_to(ROOT).as_posix() in WIDGET_TEXTS.values():
        for line, _, message, comments, context in _widget_texts(path):
            yield line, message, comments, context
        return
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".js":
        yield from extract("javascript", io.BytesIO(source.encode()), keywords, [TRANSLATORS_COMMENT])
        return
    if path.suffix != ".py":
        if "{%" not in source and "_(" not in source:
            return
        # `templatize` turns everything but messages into X's; their indentation is not Python syntax and has to be
        # removed.
        source = re.sub(r"^[ \t]+", "", templatize(source, origin=str(path)), flags=re.MULTILINE)
    # Babel splits every file into its tokens, which takes far longer than this check.
    if not re.search(rf"\b(?:{'|'.join(keywords)})\s*\(", source):
        return
    file = io.BytesIO(source.encode())
    yield from extract("python", file, keywords, [TRANSLATORS_COMMENT], {"encoding": "utf-8"}, strip_comment_tags=True)


def _key(message: Message) -> Key:
    return message.context or "", _msgid(message)


def _msgid(message: Message) -> str:
    return str(message.id[0] if isinstance(message.id, (tuple, list)) else message.id)


if __name__ == "__main__":
    sys.exit(main())
