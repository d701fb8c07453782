"""Forms for the parts of a definition.

They read their fields from the document and write them back, keeping values that the form does not show. Empty fields
are left out of the document.
"""

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.utils.translation import gettext

from actions.connections.selectors import listed_connections
from actions.definitions.kind_change import as_kind, unreadable_method
from actions.definitions.parsing.document import expanded
from actions.definitions.parsing.field_reader import ARGUMENTS
from actions.definitions.references import bound_names, entry_names, uses_of, with_renamed, with_renamed_names
from actions.definitions.selectors import imported_tools
from supportbot.console.definitions.box_values import ABSENT, form_field, shown, value_of
from supportbot.console.definitions.form_elements import Box, Kind, Part, Rows
from supportbot.console.fields import LanguageCode
from supportbot.team_formats import active_language, labelled

REMOVE: Final = "remove"
_READ_BY_NAME: Final = ("lookups", "values")
# The fields for titles, descriptions and examples.
_TEXTS: Final = re.compile(r"(title|description)-[A-Za-z0-9-]+|arguments-\d+-(description|example)", re.ASCII)


def field_name(path: str) -> str:
    """Return the name of the form field for a path in the document: "guards[0].words.en" becomes guards-0-words-en."""
    return re.sub(r"[.\[\]]+", "-", path).strip("-")


def locales_of(document: Mapping[str, Any]) -> list[str]:
    """Return a definition's languages, which are those of its title."""
    title = document.get("title")
    return [str(one) for one in title] if isinstance(title, Mapping) and title else ["en"]


def kind_of(document: Mapping[str, Any]) -> str:
    return "read" if document.get("kind") == "read" else "write"


@dataclass(slots=True)
class Group:
    """Fields shown together.

    `remove` is the name of the checkbox that removes a row; `row` is the row's kind and number.
    """

    legend: str
    names: list[str]
    remove: str = ""
    is_blank: bool = False
    form: "PartForm | None" = None
    row: str = ""
    further: frozenset[str] = frozenset()  # names of fields that this row rarely needs
    summary: str = ""  # the text of a collapsed row
    is_only: bool = False  # there is no other row
    gaps: frozenset[str] = frozenset()  # names of incomplete fields

    def fields(self) -> Iterator[tuple[Any, str]]:
        """Yield each field that is visible at first, with the text that the imported file suggests for it."""
        return self._with_suggestions(name for name in self.names if name not in self.further)

    def further_fields(self) -> list[tuple[Any, str]]:
        return list(self._with_suggestions(name for name in self.names if name in self.further))

    def is_opened(self) -> bool:
        """Return whether the further fields start open, because one of them is invalid or incomplete."""
        return any(field.errors or field.html_name in self.gaps for field, _ in self.further_fields())

    def is_expanded(self) -> bool:
        """Return whether a collapsible row starts open, because it is the only one or something in it is invalid or
        missing.
        """
        return self.is_only or bool(self.wrong()) or not self.gaps.isdisjoint(self.names)

    def _with_suggestions(self, names: Iterable[str]) -> Iterator[tuple[Any, str]]:
        assert self.form is not None
        for name in names:
            yield self.form[name], self.form.suggestions.get(name, "")

    def wrong(self) -> list[Any]:
        """Return the fields that have errors, and the checkbox that removes the row."""
        assert self.form is not None
        boxes = [self.form[name] for name in filter(None, [*self.names, self.remove])]
        return [box for box in boxes if box.errors]

    def remove_box(self) -> Any:
        assert self.form is not None
        return self.form[self.remove] if self.remove else None


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the form, with its object and key in the document. A blank row has neither."""

    prefix: str
    stored: Mapping[str, Any]
    key: str = ""


class PartForm(forms.Form):
    """The form for one part of a document."""

    def __init__(
        self, part: Part, document: Mapping[str, Any], suggestions: Mapping[str, str], data: Any = None
    ) -> None:
        super().__init__(_with_taken(data, suggestions))
        self.part = part
        self.suggestions = suggestions
        self.groups: list[Group] = []
        self._document = document = expanded(document)
        self._locales = locales_of(document)
        self._kind = kind_of(document)
        self._rows: dict[str, list[_Row]] = {}
        self._renamed: dict[str, str] = {}
        self._renamed_names: dict[str, str] = {}  # of look-ups and values
        self._renamed_at: dict[str, str] = {}  # the form field with the new name, by old name
        self._kept: set[str] = set()  # rows that are written
        self.uses: list[str] = []  # paths at which a removed argument is still used
        boxes = [box for box in part.boxes if self._kind in box.of]
        if boxes:
            self._group("", list(self._add(boxes, "", document)))
        if part.slug == "basics":
            self._offer_connections()
            self._add_language()
        for rows in part.rows:
            if self._kind in rows.of:
                self._add_rows(rows)

    def _group(
        self,
        legend: str,
        names: list[str],
        remove: str = "",
        *,
        is_blank: bool = False,
        row: str = "",
        further: frozenset[str] = frozenset(),
        summary: str = "",
        is_only: bool = False,
    ) -> None:
        self.groups.append(Group(legend, names, remove, is_blank, self, row, further, summary, is_only=is_only))

    def offers_texts(self) -> bool:
        """Return whether the imported file suggests text for an empty field."""
        return any(name in self.fields and _is_text(name) and not self.initial.get(name) for name in self.suggestions)

    def show_gaps(self, names: Iterable[str]) -> None:
        """Open the rows that have these fields incomplete."""
        for group in self.groups:
            group.gaps = frozenset(names)

    def _offer_connections(self) -> None:
        stored = str(self.initial.get("connection", ""))
        names = sorted({stored, *(one.name for one in listed_connections())} - {""})
        self.fields["connection"] = forms.ChoiceField(
            choices=[("", "–"), *((name, name) for name in names)],
            required=False,
            label=self.fields["connection"].label,
            help_text=self.fields["connection"].help_text,
        )

    def _add_language(self) -> None:
        self.fields["new_language"] = LanguageCode(
            required=False,
            label=gettext("Another language"),
            help_text=gettext("Type its name, or a code such as de or pt-BR."),
        )
        self.fields["new_title"] = forms.CharField(required=False, label=gettext("Title in that language"))
        self._group("", ["new_language", "new_title"])

    def _add_rows(self, rows: Rows) -> None:
        stored = list(_stored_rows(rows, self._document))
        made = self._rows[rows.at] = [
            _Row(field_name(f"{rows.at}[{place}]"), *(stored[place] if place < len(stored) else ({}, "")))
            for place in range(len(stored) + rows.blank)
        ]
        for place, row in enumerate(made):
            names = list(self._add(rows.boxes, row.prefix, row.stored))
            is_blank = place >= len(stored)
            remove = f"{row.prefix}-{REMOVE}"
            if not is_blank:
                self.fields[remove] = forms.BooleanField(required=False, label=gettext("Remove"))
            text = gettext("{kind} {number}").format(kind=rows.one, number=place + 1)
            name = row.stored.get("name", "") if isinstance(row.stored.get("name", ""), str) else ""
            legend = gettext("{row}, new").format(row=text) if is_blank else labelled(text, name) if name else text
            kind = str(row.stored.get("type") or "string")
            further = frozenset(
                name
                for box in rows.boxes
                for name in self._names(box, row.prefix)
                if (box.is_rare or (box.types and kind not in box.types)) and _dig(row.stored, box.at) is ABSENT
            )
            summary = summary_of(rows, row.stored) if rows.is_collapsed else ""
            self._group(
                legend, names, "" if is_blank else remove,
                is_blank=is_blank, row=text, further=further, summary=summary or (legend if rows.is_collapsed else ""),
                is_only=not stored or (len(stored) == 1 and not is_blank),
            )  # fmt: skip

    def _add(self, boxes: Iterable[Box], prefix: str, stored: Mapping[str, Any]) -> Iterator[str]:
        for box in boxes:
            for locale in self._read_first() if box.kind in (Kind.WORDS, Kind.SENTENCES) else [""]:
                name = "-".join(filter(None, [prefix, field_name(box.at), locale]))
                value = _dig(stored, box.at)
                if locale:
                    value = value.get(locale, ABSENT) if isinstance(value, Mapping) else ABSENT
                self.fields[name] = form_field(box, locale if len(self._locales) > 1 else "", value, self._locales)
                self.initial[name] = shown(box, value)
                yield name

    def _names(self, box: Box, prefix: str) -> list[str]:
        """Return the names of a box's form fields: a single one, or one per language."""
        name = "-".join(filter(None, [prefix, field_name(box.at)]))
        return [f"{name}-{one}" for one in self._read_first()] if box.kind in (Kind.WORDS, Kind.SENTENCES) else [name]

    def _read_first(self) -> list[str]:
        """Return the languages, with the page's own first."""
        return sorted(self._locales, key=lambda locale: locale.partition("-")[0] != active_language())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        code, title = cleaned.get("new_language", ""), cleaned.get("new_title", "")
        if bool(code) != bool(title) and "new_language" not in self.errors:
            self.add_error("new_language" if title else "new_title", gettext("Enter both, or neither."))
        return cleaned

    @property
    def renamed(self) -> Mapping[str, str]:
        """Return a mapping from the arguments' old names to their new ones. Call `written` first."""
        return self._renamed

    def written(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the document with the entered values, and the prefix of the form's fields for each row, by the row's
        path.
        """
        document = copy.deepcopy(dict(self._document))
        self._write([box for box in self.part.boxes if self._kind in box.of], "", document)
        if code := self.cleaned_data.get("new_language"):
            document["title"] = {**document.get("title", {}), code: self.cleaned_data["new_title"]}
        places: dict[str, str] = {}
        for rows in self.part.rows:
            if rows.at in self._rows:
                places |= self._write_rows(rows, document)
        self._add_fingerprints(document)
        if self._renamed:
            document = with_renamed(document, self._renamed)
        if self._renamed_names:
            self._refuse_names_with_two_meanings(document)
            document = with_renamed_names(document, self._renamed_names)
        self._keep_what_is_used(document)
        return self._of_chosen_kind(document), places

    def _of_chosen_kind(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the document as the kind that was chosen on this page.

        On a page without this choice, nothing changes.
        """
        chosen = self.cleaned_data.get("kind") or self._kind
        if chosen == self._kind:
            return {**document, "kind": chosen} if "kind" in self.fields else document
        if chosen == "read" and (method := unreadable_method(document)):
            words = gettext(
                "A look-up reads by GET or POST, but this action's call is a {method}. Change the call first."
            )
            self.add_error("kind", words.format(method=method))
            return document
        return as_kind(document, chosen)

    def _add_fingerprints(self, document: dict[str, Any]) -> None:
        """Give each newly entered tool the fingerprint that it had when it was imported.

        A tool that was already there keeps its fingerprint, since saving a page must not accept a change that the
        server has made to the tool.
        """
        for name, call, before in self._calls(document):
            tool = call.get("tool")
            if not tool:
                call.pop("schema_hash", None)
            elif tool != before:
                connection = str(document.get("connection", ""))
                found = imported_tools(connection).get(tool)
                if found is None:
                    words = gettext(
                        "No tool {tool} was read from the connection {connection}. Read its tools under New action, "
                        "From an MCP server."
                    )
                    self.add_error(name, words.format(tool=tool, connection=connection or "–"))
                call["schema_hash"] = found or ""

    def _calls(self, document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
        """Yield each call on this page, with the name of the field for its tool and its previous tool."""
        if "call-tool" in self.fields and isinstance(document.get("call"), dict):
            yield "call-tool", document["call"], str(_dig(self._document, "call.tool"))
        rows = [row for row in self._rows.get("lookups", ()) if f"{row.prefix}-call-tool" in self.fields]
        kept = [row for row in rows if row.prefix in self._kept]
        for row, lookup in zip(kept, document.get("lookups", ()), strict=False):
            if isinstance(lookup.get("call"), dict):
                yield f"{row.prefix}-call-tool", lookup["call"], str(_dig(row.stored, "call.tool"))

    def _keep_what_is_used(self, document: Mapping[str, Any]) -> None:
        """Refuse to remove arguments that are still used elsewhere in the document."""
        for row in self._rows.get(ARGUMENTS, ()):
            remove = f"{row.prefix}-{REMOVE}"
            if self.cleaned_data.get(remove) and (uses := uses_of(document, row.key)):
                self.uses += [path for path in uses if path not in self.uses]
                words = gettext("{name} is still used elsewhere. Remove it there first.")
                self.add_error(remove, words.format(name=row.key))

    def _refuse_names_with_two_meanings(self, document: Mapping[str, Any]) -> None:
        """Refuse to rename look-ups and values if a part of the document would then refer to something else."""
        bound, entries, removed = bound_names(document), set(entry_names(document)), set(self._removed())
        for old, new in self._renamed_names.items():
            if new in bound:
                words = gettext(
                    "{name} is already the name of a list's entries in this action. Choose a different name."
                )
                self.add_error(self._renamed_at[old], words.format(name=new))
            elif old in entries:
                words = gettext("{name} is also the name of a list's entries in this action. Rename the entries first.")
                self.add_error(self._renamed_at[old], words.format(name=old))
            elif new in removed:
                words = gettext("{name} is being removed at the same time. Save the removal first, then use its name.")
                self.add_error(self._renamed_at[old], words.format(name=new))

    def _removed(self) -> Iterator[str]:
        """Yield the names of the look-ups and values that this page removes."""
        for at in _READ_BY_NAME:
            for row in self._rows.get(at, ()):
                if row.prefix not in self._kept:
                    yield row.key or str(row.stored.get("name", ""))

    def _write(self, boxes: Iterable[Box], prefix: str, target: dict[str, Any]) -> bool:
        """Write the fields into an object. Return whether any of them has a value, not counting flags."""
        has_any = False
        for box in boxes:
            value = self._typed(box, "-".join(filter(None, [prefix, field_name(box.at)])), _dig(target, box.at))
            _put(target, box.at.split("."), value)
            has_any |= value is not ABSENT and box.kind is not Kind.FLAG
        return has_any

    def _typed(self, box: Box, name: str, stored: Any) -> Any:
        cleaned = self.cleaned_data
        if box.kind in (Kind.WORDS, Kind.SENTENCES):
            kept = dict(stored) if isinstance(stored, Mapping) else {}
            for locale in self._locales:
                value = value_of(box, cleaned.get(f"{name}-{locale}", ""))
                kept.pop(locale, None)
                if value is not ABSENT:
                    kept[locale] = value
            return kept or ABSENT
        return value_of(box, cleaned.get(name, ""))

    def _write_rows(self, rows: Rows, document: dict[str, Any]) -> dict[str, str]:
        found: list[tuple[str, dict[str, Any]]] = []
        places: dict[str, str] = {}
        for row in self._rows[rows.at]:
            target = copy.deepcopy(dict(row.stored))
            if not self._write(rows.boxes, row.prefix, target) or self.cleaned_data.get(f"{row.prefix}-{REMOVE}"):
                continue
            name = str(target.get("name", ""))
            if rows.is_named and any(name == other for other, _ in found):
                self.add_error(f"{row.prefix}-name", gettext("This name is already used."))
            if rows.is_named and not name:
                self.add_error(f"{row.prefix}-name", gettext("This field is required."))
            if rows.at == ARGUMENTS and row.key and name and name != row.key:
                self._renamed[row.key] = name
            before = row.key or str(row.stored.get("name", ""))
            if rows.at in _READ_BY_NAME and before and name and name != before:
                self._renamed_names[before], self._renamed_at[before] = name, f"{row.prefix}-name"
            self._kept.add(row.prefix)
            places[f"{rows.at}.{name}" if rows.is_named else f"{rows.at}[{len(found)}]"] = row.prefix
            found.append((name, target))
        if rows.is_named:
            named = {name: {key: one for key, one in target.items() if key != "name"} for name, target in found}
            value: Any = {n: t.get(rows.plain, "") for n, t in named.items()} if rows.plain else named
        else:
            value = [target for _, target in found]
        _put(document, rows.at.split("."), value or ABSENT)
        return places

    def show_problems(self, problems: Mapping[str, Iterable[str]], places: Mapping[str, str]) -> None:
        """Show the document's errors at their fields. Errors on other pages are shown above the form."""
        for path, texts in problems.items():
            name = self._name_of(path, places)
            for text in texts:
                self.add_error(name, text if name else labelled(path, text))

    def _name_of(self, path: str, places: Mapping[str, str]) -> str | None:
        for place, prefix in places.items():
            if path == place or path.startswith((f"{place}.", f"{place}[")):
                path = prefix + path[len(place) :]
                break
        return closest(field_name(path), self.fields)


def summary_of(rows: Rows, stored: Mapping[str, Any]) -> str:
    """Return a row as one line: its name and its selected options; "" for an empty row."""
    parts = [str(stored.get("name", ""))]
    for box in rows.boxes:
        value = _dig(stored, box.at)
        if box.kind is Kind.CHOICE and stored and "." not in box.at:
            named = dict(box.choices)
            parts.append(str(named.get(value, named[box.choices[0][0]])))
        elif box.at == "required" and stored:
            parts.append(gettext("optional") if value is False else gettext("required"))
    return " · ".join(filter(None, parts))


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the field for a path, or the field that contains it: call-body-items is part of call-body."""
    names = [one for one in known if not one.endswith(f"-{REMOVE}")]
    while name:
        inner = next((one for one in names if one == name or one.startswith(f"{name}-")), None)
        if inner:
            return inner
        name = name.rpartition("-")[0]
    return None


def _with_taken(data: Any, suggestions: Mapping[str, str]) -> Any:
    """Return the submitted values. The file's suggestions are filled in where they were selected or, on request, in
    every field that was left empty.
    """
    if data is None:
        return None
    sent = data.copy()
    texts = [name for name in suggestions if _is_text(name)] if "take_all" in data else []
    empty = [name for name in texts if name in data and not data[name].strip()]
    for name in (*data.getlist("take"), *empty):
        if name in suggestions:
            sent[name] = suggestions[name]
    return sent


def _is_text(name: str) -> bool:
    """Return whether a suggestion may be accepted together with others. Anything that is not text, such as an owner, a
    tool or a record's id, decides what is called and who may see it, so it is accepted on its own.
    """
    return _TEXTS.fullmatch(name) is not None


def _stored_rows(rows: Rows, document: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    value = _dig(document, rows.at)
    if rows.is_named and isinstance(value, Mapping):
        for name, one in value.items():
            if rows.plain:
                yield {"name": name, rows.plain: one}, str(name)
            elif isinstance(one, Mapping):
                yield {"name": name, **one}, str(name)
    elif isinstance(value, list):
        yield from ((one, "") for one in value if isinstance(one, Mapping))


def _dig(value: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return ABSENT
        value = value[part]
    return value


def _put(target: dict[str, Any], path: list[str], value: Any) -> None:
    """Set a value. If it is absent, remove it, along with objects that become empty."""
    first, *rest = path
    if not rest:
        if value is ABSENT:
            target.pop(first, None)
        else:
            target[first] = value
        return
    inner = target.get(first)
    inner = dict(inner) if isinstance(inner, Mapping) else {}
    _put(inner, rest, value)
    if inner:
        target[first] = inner
    else:
        target.pop(first, None)
