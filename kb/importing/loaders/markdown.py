"""Markdown with front matter, and plain text."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import PurePosixPath

import yaml
from django.utils.translation import gettext

from kb.errors import InvalidDocument
from kb.help_centre.slugs import check_slug
from kb.importing.parsed_document import Document
from kb.phrasings import check_phrasings
from kb.validation import (
    MAX_TITLE_CHARACTERS,
    SWITCHES,
    check_article_text,
    check_audience,
    check_category,
    check_external_id,
    check_locale,
    check_name,
    check_state,
    check_switch,
    check_url,
)
from supportbot.language.blocks import Kind, blocks
from supportbot.language.plain_text import plain

# Enough for all known keys; longer front matter is not passed to the YAML parser.
MAX_FRONT_MATTER_CHARACTERS = 20_000
KEYS = (
    "id", "title", "url", "locale", "audience", "category", "collection", "state", *SWITCHES,
    "page_address", "translation_of", "phrasings",
)  # fmt: skip
# Keys whose value is a list; as text, it has one entry per line.
LISTS = ("phrasings",)
# The similarity of "audiance" and "audience" is 0.88, "status" and "state" 0.73, "subcategory" and "category" 0.84.
KEY_SIMILARITY = 0.85

_FENCE = re.compile(r"---[ \t]*\n")
_END = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.MULTILINE)


def read_markdown(text: str, path: str) -> Document:
    """Return the document of a Markdown file; `path` is its external id unless the front matter has one.

    Raises InvalidDocument, which says what to fix.
    """
    front, body = split_front_matter(text.replace("\r\n", "\n"))
    return document_of(front, body, path)


def read_text(text: str, path: str) -> Document:
    return document_of({}, text, path)


def document_of(facts: dict[str, str], body: str, path: str) -> Document:
    """Return a validated document; the title falls back to the first heading, then to the file's name."""
    external_id = check_external_id(facts.get("id") or path)
    title = facts.get("title") or first_heading(body) or PurePosixPath(external_id).stem
    return Document(
        external_id=external_id,
        wording=check_article_text(title, body),
        url=check_url(facts["url"]) if "url" in facts else None,
        locale=check_locale(facts["locale"]) if "locale" in facts else None,
        audience=check_audience(facts["audience"]) if "audience" in facts else None,
        category=check_category(facts["category"]) if "category" in facts else None,
        collection=check_name(facts["collection"]) if "collection" in facts else None,
        state=check_state(facts["state"]) if "state" in facts else None,
        on_help_pages=_switch("on_help_pages", facts),
        for_assistant=_switch("for_assistant", facts),
        address=check_slug(facts["page_address"]) if "page_address" in facts else None,
        translation_of=check_external_id(facts["translation_of"]) if "translation_of" in facts else None,
        phrasings=check_phrasings(facts["phrasings"], body=body) if "phrasings" in facts else None,
    )


def _switch(name: str, facts: dict[str, str]) -> bool | None:
    return check_switch(name, facts[name]) if name in facts else None


def check_keys(names: Iterable[object]) -> None:
    """Raise InvalidDocument for a misspelt key: "audiance: internal" must not publish to everyone.

    Keys unlike all known ones belong to other programs and are ignored.
    """
    given = {name for name in names if isinstance(name, str)}
    missing = [key for key in KEYS if key not in given]
    for name in sorted(given.difference(KEYS)):
        if meant := get_close_matches(name.strip().casefold(), missing, n=1, cutoff=KEY_SIMILARITY):
            raise InvalidDocument(
                gettext("The key “{name}” is unknown. Use “{meant}”, or rename it.").format(
                    name=name[:60], meant=meant[0]
                )
            )


def split_front_matter(text: str) -> tuple[dict[str, str], str]:
    """Return the known keys of the front matter and the body after it; without front matter, the whole text."""
    opening = _FENCE.match(text)
    if opening is None:
        return {}, text
    closing = _END.search(text, opening.end())
    if closing is None:
        raise InvalidDocument(gettext("The front matter has no end. Close it with a line of three hyphens (---)."))
    block = text[opening.end() : closing.start()]
    if len(block) > MAX_FRONT_MATTER_CHARACTERS:
        raise InvalidDocument(
            gettext("The front matter is too long. Close it with a line of three hyphens (---) after its keys.")
        )
    return _known_keys(_parsed(block)), text[closing.end() :]


def _parsed(block: str) -> object:
    try:
        # The base loader returns every value as text, so a numeric id stays as written, and "no" stays a word.
        return yaml.load(block, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        raise InvalidDocument(_problem_of(error, block)) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise InvalidDocument(_unreadable()) from error


def _problem_of(error: yaml.MarkedYAMLError, block: str) -> str:
    """Return the place of an error. The parser's own description is left out: it is in English, and in YAML's terms."""
    mark = error.problem_mark
    # An open bracket or quotation mark is noticed in a later line or at the end; the context is where it was opened.
    is_later = mark is None or mark.line >= block.count("\n") or "flow" in (error.context or "")
    if error.context_mark and is_later:
        mark = error.context_mark
    if mark is None:
        return _unreadable()
    text = gettext(
        "The front matter cannot be read (line {line}, column {column}). Put the value in quotes, or fix the line."
    )
    # The opening hyphens are line one.
    return text.format(line=mark.line + 2, column=mark.column + 1)


def _unreadable() -> str:
    return gettext("The front matter cannot be read. Write one `key: value` pair per line.")


def _known_keys(front: object) -> dict[str, str]:
    if front in ("", None):
        return {}
    if not isinstance(front, dict):
        raise InvalidDocument(gettext("The front matter is not a list of keys. Write one `key: value` pair per line."))
    check_keys(front)
    known = {key: front[key] for key in KEYS if key in front}
    for key, value in known.items():
        if key in LISTS and isinstance(value, list) and all(isinstance(one, str) for one in value):
            known[key] = "\n".join(" ".join(one.split()) for one in value)
        elif not isinstance(value, str):
            raise InvalidDocument(
                gettext("The front matter's {key} is not a single value. Write `{key}: value`.").format(key=key)
            )
    return {key: value.strip() for key, value in known.items() if value.strip()}


def first_heading(body: str) -> str:
    """Return the text of the first heading, cut to the maximum length of a title; empty if there is none."""
    texts = (without_id(block.text) for block in blocks(body) if block.kind is Kind.HEADING)
    return next((plain(text)[:MAX_TITLE_CHARACTERS].strip() for text in texts if text), "")


def without_id(heading: str) -> str:
    """Return a heading without the `{#id}` at its end."""
    begin = heading.rfind("{#") if heading.endswith("}") else -1
    is_id = begin >= 0 and not set(heading[begin + 2 : -1]) & {"{", "}"}
    return heading[:begin].rstrip() if is_id else heading
