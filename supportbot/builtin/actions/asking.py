"""Questions about the missing values of an action, as text and as typed blocks for clients that support them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from supportbot.builtin.actions.form_fields import LISTED, Part, Shape, parts_in
from supportbot.builtin.actions.limits_in_words import day_bounds, example_day, number_bounds
from supportbot.builtin.actions.slots import TEXT_MOST
from supportbot.builtin.actions.tool_fields import OF_OBJECTS, Kind, fields_of, kind_of, parts_of
from supportbot.builtin.actions.values_in_text import option_titles, record_lines
from supportbot.builtin.phrases import field_title, say
from supportbot.formats import format_choice, format_day
from supportbot.llm.types import ToolCall, ToolSpec

_OF_A_FIELD: Final = frozenset({"type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum"})
# constraints on a value, which do not apply to the line that describes a record
_OF_A_VALUE: Final = frozenset({"pattern", "minLength", "maxLength"})
_ENTRIES_MOST: Final = 1_000  # characters per list
_FORM_TEXT_MOST: Final = 1_000  # characters per form field; a message may be longer
_OBJECTS_MOST: Final = 20  # entries per form
_BUTTONS_MOST: Final = 20
_NAMED_MOST: Final = 900  # characters for the titles of fields in a question
_UNLIMITED: Final = 1_000_000  # the limit if a definition sets no maximum
_PATIENCE: Final = 2  # number of repetitions after which a handoff is offered
# A day whose number cannot be a month, so that an example date shows the order of its parts.
_EXAMPLE: Final = date(2027, 5, 31)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: text, calls, or neither if the result of a look-up is itself the answer. `blocks` contains typed blocks
    of the protocol: choices or a form. `part` is the name of the requested field.
    """

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    blocks: tuple[dict[str, Any], ...] = ()
    part: str = ""
    expected: str = ""  # a sentence that describes the field's valid values


def again(reply: Reply, unread: int, language: str) -> Reply:
    """Return a question with a note that the last answer could not be read. After a few such answers, it also offers to
    hand over to a person.
    """
    if not unread or reply.calls or not reply.text:
        return reply
    if unread > _PATIENCE and reply.part:
        sentences = (say("cannot_read", language, part=reply.part), reply.expected, say("offer", language))
        return replace(reply, text=" ".join(sentence for sentence in sentences if sentence))
    sentences = (say("unread", language), "" if reply.expected in reply.text else reply.expected, reply.text)
    text = " ".join(sentence for sentence in sentences if sentence)
    return replace(reply, text=f"{text}\n\n{say('offer', language)}" if unread > _PATIENCE else text)


def ask_for(tool: ToolSpec, name: str, language: str, days: Sequence[date] = ()) -> Reply:
    """Return the question about a field: with buttons for a choice or a yes-or-no field, otherwise with a form that has
    a field for each part.

    `days` contains days that the customer has already named; the customer may mean one of them.
    """
    shape, labels = fields_of(tool)[name], tool.option_labels.get(name, {})
    part = _asked(name, shape, language)
    match kind_of(name, shape):
        case "choice" if len(shape["enum"]) > _BUTTONS_MOST:
            return _ask_to_select(name, shape, [*option_titles(shape["enum"], labels).values()], part, language)
        case "choice":
            return _ask_to_choose(part, option_titles(shape["enum"], labels), language)
        case "flag":
            return _ask_to_choose(part, {"yes": say("yes", language), "no": say("no", language)}, language)
        case "choices":
            titles = [*option_titles(shape["items"]["enum"], labels).values()]
            prompt = say("several", language, part=part, choices=format_choice(titles, language))
            titled = {**shape, "items": {"type": "string", "enum": titles}}
            return Reply(prompt, blocks=_form(prompt, {name: titled}, [name], language), part=part)
        case "date":
            return _ask_for_date(name, shape, part, language, days)
        case "address":
            return _ask_for_address(shape, part, language)
        case "list" if shape.get("items", {}).get("type") not in LISTED:
            return _cannot_take(part, language)
        case "list":
            prompt = say("entries", language, part=part)
            written = {"type": "string", "title": field_title(name, shape, language), "maxLength": _ENTRIES_MOST}
            return Reply(prompt, blocks=_form(prompt, {name: written}, [name], language), part=part)
        case "object" | "objects" | "items" as kind:
            return _ask_for_parts(tool, name, kind, language)
    expected = _expected(shape, language)
    is_limited = shape.get("maximum", 0) < _UNLIMITED
    prompt = f"{say('other', language, part=part)} {expected if is_limited else ''}".rstrip()
    return Reply(prompt, blocks=_form(prompt, {name: shape}, [name], language), part=part, expected=expected)


def ask_which_record(tool: ToolSpec, name: str, options: Mapping[str, str], language: str) -> Reply:
    """Return a question that asks which of their records the customer means, with buttons or, if there are many, with a
    list to select from.
    """
    shape = fields_of(tool)[name]
    prompt = say("which_record", language, part=_asked(name, shape, language))
    lines = record_lines(options)
    text = "\n".join([prompt, *(f"- {line}" for line in lines.values())])
    if len(lines) <= _BUTTONS_MOST:
        return Reply(text, blocks=(choices_block(prompt, lines),))
    kept = {key: value for key, value in shape.items() if key not in _OF_A_VALUE}
    select = {**kept, "enum": [*lines.values()], "maxLength": max(map(len, lines.values()))}
    return Reply(text, blocks=_form(prompt, {name: select}, [name], language))


def _asked(name: str, shape: Shape, language: str) -> str:
    """Return a field's label in the form that it takes at the end of a sentence."""
    title = field_title(name, shape, language)
    return title.rstrip(" .:?!") or title


def _ask_to_choose(part: str, options: Mapping[str, str], language: str) -> Reply:
    prompt = say("choice", language, part=part, choices=format_choice([*options.values()], language))
    return Reply(prompt, blocks=(choices_block(prompt, options),), part=part)


def _ask_to_select(name: str, shape: Shape, titles: Sequence[str], part: str, language: str) -> Reply:
    """Return the question that asks for one of several options, with a list to select from because there are too many
    for buttons.
    """
    prompt = say("choice", language, part=part, choices=_named(titles))
    return Reply(prompt, blocks=_form(prompt, {name: {**shape, "enum": titles}}, [name], language), part=part)


def _ask_for_date(name: str, shape: Shape, part: str, language: str, days: Sequence[date]) -> Reply:
    bounds = day_bounds(shape, language)
    example = example_day(shape) or _EXAMPLE
    prompt = f"{say('date', language, part=part, example=format_day(example, language))} {bounds}".rstrip()
    named = {day.isoformat(): format_day(day, language) for day in days}
    buttons = (choices_block(prompt, named),) if named else ()
    return Reply(prompt, blocks=(*buttons, *_form(prompt, {name: shape}, [name], language)), part=part, expected=bounds)


def _ask_for_address(shape: Shape, part: str, language: str) -> Reply:
    prompt, required = say("address", language), shape.get("required", ())
    # Optional parts with a format of their own are left out: customers cannot be expected to know a country code.
    parts = {part: own for part, own in shape["properties"].items() if part in required or "pattern" not in own}
    return Reply(prompt, blocks=_form(prompt, parts, required, language), part=part)


def _ask_for_parts(tool: ToolSpec, name: str, kind: Kind, language: str) -> Reply:
    """Return the question about the fields of an object, with a form. For a list of objects, the form has several
    entries.
    """
    shape = fields_of(tool)[name]
    part = _asked(name, shape, language)
    parts = parts_in(parts_of(kind, shape))
    least = max(shape.get("minItems", 1), 1) if kind in OF_OBJECTS else 1
    if not parts or least > _OBJECTS_MOST:
        return _cannot_take(part, language)
    titles = [one.title(language) for one in parts if one.is_required] or [one.title(language) for one in parts]
    prompt = say("parts", language, part=part, fields=_named(titles))
    fields = [_part_field(one, tool.option_labels.get(f"{name}.{one.name}", {}), language) for one in parts]
    form: dict[str, Any] = {"type": "form", "prompt": prompt, "fields": fields}
    most = min(shape.get("maxItems", _OBJECTS_MOST), _OBJECTS_MOST) if kind in OF_OBJECTS else 1
    # Forms need no such explanation. Clients without forms show it after an answer that could not be read.
    expected = say("parts_in_lines", language)
    if most == 1:
        return Reply(prompt, blocks=(form,), part=part, expected=expected)
    limits = say("several_parts", language, minimum=str(least), maximum=str(most))
    words = {
        "title": field_title(name, shape, language),
        "add": say("add", language),
        "remove": say("remove", language),
    }
    entries = {"minItems": least, "maxItems": most, **words}
    return Reply(f"{prompt} {limits}", blocks=({**form, "entries": entries},), part=part, expected=expected)


def _named(titles: Sequence[str]) -> str:
    """Return text with as many titles as fit in a question. The form shows all of them."""
    joined = ", ".join(titles)
    return joined if len(joined) <= _NAMED_MOST else f"{joined[:_NAMED_MOST].rpartition(', ')[0]}, …"


def _part_field(part: Part, labels: Mapping[str, str], language: str) -> dict[str, Any]:
    field = _field(part.name, _in_words(part.shape, labels, language), part.is_required, language)
    others = [".".join(path) for path in part.required_with]
    return {**field, "title": part.title(language)} | ({"requiredWith": others} if others else {})


def _in_words(shape: Shape, labels: Mapping[str, str], language: str) -> Shape:
    """Return a form field whose options are the labels that customers see."""
    match kind_of("", shape):
        case "choice":
            return {**shape, "enum": [*option_titles(shape["enum"], labels).values()]}
        case "choices":
            titles = [*option_titles(shape["items"]["enum"], labels).values()]
            return {**shape, "items": {"type": "string", "enum": titles}}
        case "flag":
            return {**shape, "type": "string", "enum": [say("yes", language), say("no", language)]}
        case "list":
            return {"type": "string", "maxLength": _ENTRIES_MOST}
    return shape


def _cannot_take(part: str, language: str) -> Reply:
    return Reply(f"{say('cannot_take', language, part=part)} {say('offer', language)}", part=part)


def _expected(shape: Shape, language: str) -> str:
    """Return a description of valid values: an example or the range of numbers; "" if the schema has neither."""
    if "examples" in shape:
        return say("example", language, example=str(shape["examples"][0]))
    return number_bounds(shape, language)


def choices_block(prompt: str, options: Mapping[str, str]) -> dict[str, Any]:
    return {"type": "choices", "prompt": prompt, "options": [{"id": one, "label": options[one]} for one in options]}


def _form(
    prompt: str, shapes: Mapping[str, Shape], required: Sequence[str], language: str
) -> tuple[dict[str, Any], ...]:
    """Return the form for these fields; () if one of the required fields is not supported in forms."""
    plain = {name: shape for name, shape in shapes.items() if _fits_a_form(shape)}
    if not set(required) <= plain.keys():
        return ()
    fields = [_field(name, shape, name in required, language) for name, shape in plain.items()]
    return ({"type": "form", "prompt": prompt, "fields": fields},)


def _fits_a_form(shape: Shape) -> bool:
    return shape.get("type") in ("string", "integer") or "enum" in shape.get("items", {})


def _field(name: str, shape: Shape, is_required: bool, language: str) -> dict[str, Any]:
    kept = {key: value for key, value in shape.items() if key in _OF_A_FIELD}
    if shape["type"] == "string":
        # the bounds of a decimal; form fields for text have none
        kept = {key: value for key, value in kept.items() if key not in ("minimum", "maximum")}
        kept["maxLength"] = min(shape.get("maxLength", TEXT_MOST), _FORM_TEXT_MOST)
    if shape["type"] == "array":
        kept |= {"items": shape["items"], "maxItems": shape.get("maxItems", len(shape["items"]["enum"]))}
        kept["minItems"] = shape.get("minItems", 0)
    return {"name": name, "title": field_title(name, shape, language), "required": is_required, **kept}
