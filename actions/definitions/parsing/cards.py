"""The parts of a definition that people read: card, receipt, result, and the labels of values. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from django.utils.translation import gettext

from actions.definitions import parsed_parts
from actions.definitions.parsing.arguments import NAME
from actions.definitions.parsing.field_reader import ObjectReader, Scope

MAX_LABELLED: Final = 20  # paths whose values have labels
MAX_LABELS: Final = 50  # labelled values of one path
MAX_ROWS: Final = 30
_LABELLED: Final = r"[A-Za-z_][A-Za-z0-9_]{0,39}(\.[A-Za-z_][A-Za-z0-9_]{0,60}){1,6}"
_HOST: Final = r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"


class CardReader:
    """A reader of a document's card, receipt, result and labels; each text is required in all of the document's
    `locales`.
    """

    def __init__(self, top: ObjectReader, document: Mapping[str, Any], locales: Sequence[str]) -> None:
        self._top = top
        self._document = document
        self._locales = locales

    def card(self, scope: Scope) -> parsed_parts.CardTemplate | None:
        spec = self._top.object("card", needed=True)
        if spec is None:
            return None
        title = spec.words("title", scope, most=120, locales=self._locales)
        summary = spec.words("summary", scope, locales=self._locales)
        button = spec.words("button", scope, most=60, locales=self._locales)
        rows = tuple(self.rows(spec, "rows", scope, MAX_ROWS, named=False))
        spec.close()
        return parsed_parts.CardTemplate(title, summary, button, rows)

    def rows(
        self, outer: ObjectReader, name: str, scope: Scope, most: int, *, named: bool
    ) -> Iterator[parsed_parts.LabelledValue]:
        for spec in outer.objects(name, most):
            key = spec.text("name", pattern=NAME, needed=named, example="reference")
            label = spec.texts("label", most=100, locales=self._locales)
            words = spec.words("words", scope, most=300, locales=self._locales, needed=spec.has("words"))
            value = spec.expression("value", scope, needed=not spec.has("words"))
            if value and spec.has("words"):
                spec.add("words", gettext('Write either "value" or "words", not both.'))
            spec.close()
            if value or words:
                yield parsed_parts.LabelledValue(key, label, value, words, scope.labels_of(value) if value else {})

    def result(self, scope: Scope) -> parsed_parts.Result | None:
        spec = self._top.object("result", needed=True)
        if spec is None:
            return None
        each = spec.expression("list", scope)
        element = spec.text("as", pattern=NAME, needed=each is not None, example="order")
        inside = scope.with_names(element) if each and element else scope
        fields = tuple(self.rows(spec, "fields", inside, MAX_ROWS, named=True))
        words = spec.words("words", scope, locales=self._locales)
        at_most = spec.whole("at_most", 1, 100, 20)
        handoff_text = spec.text("hand_over", most=1_000)
        hand_over = spec.template(handoff_text, spec.path("hand_over"), scope) if handoff_text else None
        card = self._record_card(spec.object("card"), inside)
        spec.close()
        return parsed_parts.Result(fields, words, each, element, at_most, card, hand_over)

    def _record_card(self, spec: ObjectReader | None, scope: Scope) -> parsed_parts.RecordCard | None:
        if spec is None:
            return None
        title = spec.words("title", scope, locales=self._locales)
        link, picture = spec.expression("link", scope), spec.expression("picture", scope)
        hosts = spec.list_of_texts("hosts", 10, _HOST, "shop.example")
        if (link or picture) and not hosts:
            spec.lacks("hosts")
        spec.close()
        return parsed_parts.RecordCard(title, frozenset(hosts), link, picture)

    def labels(self, arguments: Mapping[str, parsed_parts.Argument], lookups: Sequence[str]) -> dict[str, Any]:
        """Return the labels of values by path: those of choices, and those that the document lists."""
        labels: dict[str, Any] = {f"arguments.{one.name}": one.labels for one in arguments.values() if one.labels}
        for one in arguments.values():
            labels |= {f"arguments.{one.name}.{path}": inner for path, inner in one.inner_labels.items()}
        given = self._top.raw("labels")
        if given is not None and (not isinstance(given, Mapping) or len(given) > MAX_LABELLED):
            text = gettext("Write an object with at most {most} paths, such as order.status.")
            self._top.add("labels", text.format(most=MAX_LABELLED))
            return labels
        spec = ObjectReader(given or {}, "labels", self._top.findings)
        known = {"arguments", "body", *lookups, *self._elements(), *(self._document.get("values") or ())}
        for path in given or {}:
            if not re.fullmatch(_LABELLED, str(path), re.ASCII) or str(path).partition(".")[0] not in known:
                spec.add(str(path)[:60], gettext("Enter a field of a record, such as order.status."))
                continue
            labels[path] = dict(self._options(spec, path))
        return labels

    def _options(self, spec: ObjectReader, path: str) -> Iterator[tuple[str, parsed_parts.Texts]]:
        for option in spec.objects(path, MAX_LABELS):
            value = option.text("value", most=100, needed=True)
            label = option.texts("label", most=100, locales=self._locales)
            option.close()
            yield value, label

    def _elements(self) -> Iterator[str]:
        """Yield the names of list elements in look-ups and in the result."""
        given = self._document.get("lookups")
        for one in (*(given if isinstance(given, list) else ()), self._document.get("result")):
            if isinstance(one, Mapping) and isinstance(one.get("as"), str):
                yield one["as"]
