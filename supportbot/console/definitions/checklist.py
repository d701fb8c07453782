"""What is missing, invalid or doubtful in a draft, each with the page and field where it can be corrected."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from actions.definitions.document_warnings import advice
from actions.definitions.parsing.document import missing, reasons
from supportbot.console.definitions.form_elements import Part
from supportbot.console.definitions.form_layout import parts_of
from supportbot.console.definitions.forms import PartForm, closest, field_name, kind_of


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is missing in a draft, with the page and field where it can be entered."""

    path: str
    part: str
    part_title: str
    row: str
    field: str
    field_label: str
    why: str = ""  # the reason, if the path does not explain it

    @property
    def short(self) -> str:
        """Where the field is on its page: its row and its label."""
        return ", ".join(filter(None, [self.row, self.field_label]))

    @property
    def label(self) -> str:
        return ", ".join(filter(None, [self.part_title, self.row, self.field_label])) or self.path


@dataclass(slots=True)
class Checklist:
    gaps: list[Gap] = field(default_factory=list)

    def of_part(self, slug: str) -> list[Gap]:
        return [gap for gap in self.gaps if gap.part == slug]


def missing_parts(document: Mapping[str, Any]) -> Checklist:
    """Return what is still missing before the document can be published."""
    found = checklist(document, missing(document))
    why = reasons(document) if found.gaps else {}
    return Checklist([replace(gap, why=why.get(gap.path, "")) for gap in found.gaps])


def warnings_about(document: Mapping[str, Any], hints: Iterable[tuple[str, str]] = ()) -> Checklist:
    """Return the warnings about parts that are complete but should be checked, including `hints`, which are (path,
    text) pairs.
    """
    advised = advice(document)
    missing_there = set(reasons(document)) if advised else set()
    warnings = [(one.path, one.text) for one in advised if one.path not in missing_there] + list(hints)
    found = checklist(document, [path for path, _ in warnings])
    return Checklist([replace(gap, why=text) for gap, (_, text) in zip(found.gaps, warnings, strict=True)])


def checklist(document: Mapping[str, Any], paths: Iterable[str]) -> Checklist:
    """Return the missing or invalid parts at these paths, each with its field."""
    wanted = list(paths)
    if not wanted:  # do not build all the forms, which have hundreds of fields
        return Checklist()
    forms_of = [(part, PartForm(part, document, {})) for part in parts_of(kind_of(document))]
    return Checklist([_gap(path, document, forms_of) for path in wanted])


def _gap(path: str, document: Mapping[str, Any], forms_of: list[tuple[Part, PartForm]]) -> Gap:
    name = field_name(_with_place(path, document))
    fits = [(closest(name, form.fields), part, form) for part, form in forms_of]
    held = [(one, part, form) for one, part, form in fits if one]
    if not held:
        return Gap(path, "", "", "", "", "")
    one, part, form = max(held, key=lambda entry: _common(str(entry[0]), name))
    row = next((group.legend for group in form.groups if one in group.names and group.legend), "")
    return Gap(path, part.slug, str(part.title), row, str(one), str(form.fields[str(one)].label))


def _common(field_of: str, name: str) -> int:
    pairs = zip(field_of.split("-"), name.split("-"), strict=False)
    count = 0
    for a, b in pairs:
        if a != b:
            break
        count += 1
    return count


def _with_place(path: str, document: Mapping[str, Any]) -> str:
    """Return a path in which each named row is replaced by its index: arguments.order_id becomes arguments[0]."""
    for whole in ("arguments", "values"):
        named = document.get(whole)
        head, _, rest = path.partition(".")
        name, _, inner = rest.partition(".")
        if head == whole and isinstance(named, Mapping) and name in named:
            return f"{whole}[{list(named).index(name)}].{inner}"
    return path
