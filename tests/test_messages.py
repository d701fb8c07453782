"""`scripts/messages.py` keeps the catalogues of texts complete, tested on a small tree with errors. `make lint` checks
the product's own catalogues with it.
"""

import json
import re
from pathlib import Path

import pytest

from scripts import messages

PAGE = """{% load i18n %}<h1>{% translate "Welcome" %}</h1>
  {% blocktranslate count n=n %}{{ n }} parcel{% plural %}{{ n }} parcels{% endblocktranslate %}
"""
CODE = """from supportbot.translation import msgid, ntext_in, ptext_in, text_in

TITLE = msgid("Refund")


def said(locale):
    # Translators: the door of a house
    text_in(locale, "Order {order} is at the door.", order="A-1")
    ptext_in(locale, "noun", "Order")
    return ntext_in(locale, "{n} day", "{n} days", 3)
"""
GERMAN = {
    "Welcome": "Willkommen",
    "Refund": "Erstattung",
    "Order {order} is at the door.": "Die Bestellung {order} steht vor der Tür.",
    "Order": "Bestellung",
    "%(n)s parcel": ("%(n)s Paket", "%(n)s Pakete"),
    "{n} day": ("{n} Tag", "{n} Tage"),
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with a page, a module and their texts in German."""
    for name, text in {"templates/kb/page.html": PAGE, "supportbot/said.py": CODE}.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(messages, "ROOT", tmp_path)
    assert messages.main(["add", "de"]) == 0
    translate(tmp_path, GERMAN)
    assert messages.main(["compile"]) == 0
    return tmp_path


def catalogue_path(tree: Path) -> Path:
    return tree / "locale/customer/de/LC_MESSAGES/django.po"


def translate(tree: Path, texts: dict[str, str | tuple[str, ...]]) -> None:
    text = catalogue_path(tree).read_text()
    for message, translation in texts.items():
        one, forms = f'msgid "{message}"', translation if isinstance(translation, tuple) else (translation,)
        start = text.index(one)
        end = text.find("\n\n", start) + 1 or len(text)
        kept = [line for line in text[start:end].splitlines() if not line.startswith("msgstr")]
        strings = [f'msgstr[{at}] "{form}"' for at, form in enumerate(forms)]
        kept += strings if isinstance(translation, tuple) else [f'msgstr "{translation}"']
        text = text[:start] + "\n".join(kept) + "\n" + text[end:]
    catalogue_path(tree).write_text(text)


def complaints(capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    code = messages.main(["check"])
    lines = capsys.readouterr().err.splitlines()
    assert code == (1 if lines else 0)
    return lines


@pytest.mark.parametrize("catalogues", messages.SETS[:2], ids=lambda catalogues: catalogues.name)
def test_french_has_no_typewriter_apostrophes_and_no_space_that_breaks_before_a_sign(catalogues: messages.Set) -> None:
    path = next(path for path in messages.catalogues(catalogues) if path.parents[1].name == "fr")
    found = [told for message in messages.read(path) if message.id for told in _forms(message.string)]
    assert len(found) > 400
    breaking = re.compile(r"[^\W\d]'[^\W\d]| [:;?!»](?=[\s).,…]|$)|« ")
    assert [told for told in found if breaking.search(told)] == []


def test_german_has_one_word_for_a_suite() -> None:
    path = next(path for path in messages.catalogues(messages.SETS[1]) if path.parents[1].name == "de")
    found = [told for message in messages.read(path) if message.id for told in _forms(message.string)]
    assert [told for told in found if re.search(r"\bSuiten?\b", told)] == []


def _forms(string: str | tuple[str, ...]) -> tuple[str, ...]:
    return string if isinstance(string, tuple) else (string,)


# Words that are the same in English and in the other language.
SAME_AS_ENGLISH = {
    "de": {"(optional)", "Name", "Chat", "Status"},
    "fr": {
        "Assistant", "Conversation", "Menu", "Message", "Source {n}", "{n} source", "%(number)s article", "Note",
        "total {amount}", "Chat", "{title}, page {page}", "Total", "Date",
    },
    "es": {"No", "total {amount}", "Chat", "Total", "General"},
    "it": {"Menu", "No", "Chat"},
    "nl": {"AI", "Menu", "Help", "%(name)s Help", "Chat", "Status"},
    "pl": {"AI", "Menu", "Status"},
    "pt": {"Menu", "Chat", "total {amount}", "Total"},
}  # fmt: skip


@pytest.mark.parametrize("path", messages.catalogues(messages.SETS[0]), ids=lambda path: path.parents[1].name)
def test_no_text_of_customers_is_left_in_english(path: Path) -> None:
    ours = [message for message in messages.read(path) if message.id and message.context is None]
    english = {message.id[0] if isinstance(message.id, tuple) else message.id: message.string for message in ours}
    same = {text for text, told in english.items() if text == (told[0] if isinstance(told, tuple) else told)}
    same = {text for text in same if re.search(r"[^\W\d_]", re.sub(r"\{\w+\}", "", text))}  # it has words
    assert same == SAME_AS_ENGLISH.get(path.parents[1].name, set())


@pytest.mark.parametrize("path", messages.catalogues(messages.SETS[1]), ids=lambda path: path.parents[1].name)
def test_a_translation_that_quotes_a_label_quotes_its_translation(path: Path) -> None:
    told: dict[str, list[str]] = {}  # a text may have several contexts
    for message in messages.read(path):
        if isinstance(message.id, str) and message.id:
            told.setdefault(message.id, []).append(str(message.string))
    label = re.compile(r"\b(?:select|clear|under|press|choose) “([^”]+)”", re.IGNORECASE)
    quoted = [(text, name) for text in told for name in label.findall(text)]
    assert len(quoted) > 10
    assert [one for one in quoted if not any(name in told[one[0]][0] for name in told[one[1]])] == []


def test_the_widgets_texts_exist_in_every_language(tree: Path) -> None:
    panel = tree / messages.WIDGET_TEXTS["panel"]
    panel.parent.mkdir(parents=True)
    panel.write_text(
        'export default {\n  // Context: verb\n  to: "Order",\n  n: { one: "{n} day", other: "{n} days" },\n};\n'
    )
    for on_demand in ("more", "pages"):
        (tree / messages.WIDGET_TEXTS[on_demand]).write_text('export default {\n  yes: "Yes",\n};\n')
    (tree / messages.WIDGET_TEXTS["launcher"]).parent.mkdir()
    (tree / messages.WIDGET_TEXTS["launcher"]).write_text('export default {\n  hello: "Welcome",\n};\n')
    for language in ("ar", "pl"):
        messages.main(["add", language])
    assert messages.main(["widget"]) == 0
    found = json.loads((tree / messages.WIDGET / "texts.json").read_text())
    assert found["rightToLeft"] == ["ar"]
    assert list(found["launcher"]) == ["en", "ar", "de", "pl"]
    assert found["launcher"]["de"] == {"hello": "Willkommen"}
    assert found["panel"]["de"] == {"to": "Order", "n": {"one": "{n} Tag", "other": "{n} Tage"}}
    assert 'msgctxt "verb"' in catalogue_path(tree).read_text()


def test_texts_are_found_in_pages_and_in_code(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert complaints(capsys) == []
    text = catalogue_path(tree).read_text()
    assert text.count("msgid ") - 1 == len(GERMAN)
    assert "#. the door of a house\n#: supportbot/said.py\n" in text
    assert 'msgctxt "noun"\nmsgid "Order"' in text


@pytest.mark.parametrize(
    ("message", "translation", "problem"),
    [
        ("Welcome", "", "untranslated: 'Welcome'"),
        ("%(n)s parcel", ("%(n)s Paket", ""), "untranslated"),
        ("{n} day", ("{n} Tag",), "untranslated"),
        ("Order {order} is at the door.", "Die Bestellung {oder} ist da.", "placeholders ['{oder}']"),
        ("%(n)s parcel", ("%(n)s Paket", "%(m)s Pakete"), "placeholders ['%(m)s']"),
    ],
)
def test_an_incomplete_translation_is_named(
    tree: Path, capsys: pytest.CaptureFixture[str], message: str, translation: str | tuple[str, ...], problem: str
) -> None:
    translate(tree, {message: translation})
    messages.main(["compile"])
    [line] = complaints(capsys)
    assert line.startswith("locale/customer/de/LC_MESSAGES/django.po: ")
    assert problem in line


def test_a_singular_form_may_write_the_number_as_a_word(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    translate(tree, {"{n} day": ("ein Tag", "{n} Tage")})
    messages.main(["compile"])
    assert complaints(capsys) == []


def test_a_fuzzy_translation_is_not_complete(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = catalogue_path(tree)
    path.write_text(path.read_text().replace('msgid "Welcome"', '#, fuzzy\nmsgid "Welcome"'))
    assert any("fuzzy: 'Welcome'" in line for line in complaints(capsys))


def test_a_catalogue_that_was_not_compiled_is_stale(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    translate(tree, {"Welcome": "Guten Tag"})
    assert complaints(capsys) == ["locale/customer/de/LC_MESSAGES/django.mo is stale: run `make messages`."]


def test_a_new_text_is_missing_then_added_and_an_old_one_removed(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "templates/kb/page.html").write_text('{% load i18n %}{% translate "Goodbye" %}')
    assert "does not have the messages of the code" in complaints(capsys)[0]
    messages.main(["update"])
    text = catalogue_path(tree).read_text()
    assert 'msgid "Goodbye"\nmsgstr ""' in text
    assert "Willkommen" not in text
    assert "Die Bestellung {order} steht vor der Tür." in text


def test_a_message_hidden_in_an_f_string_is_named(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hidden = """def more(locale):\n    return f"{text_in(locale, 'Bye')}!"\n"""
    (tree / "supportbot/more.py").write_text(hidden)
    assert complaints(capsys) == ["supportbot/more.py:2: a message is inside an f-string. Move it out."]


def test_both_sets_translate_messages_of_customers_pages_in_the_same_way(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Django uses one of the two translations for both."""
    (tree / "templates/desk.html").write_text('{% load i18n %}{% translate "Welcome" %}')
    messages.main(["add", "de", "team"])
    path = tree / "locale/team/de/LC_MESSAGES/django.po"
    path.write_text(path.read_text().replace('"Welcome"\nmsgstr ""', '"Welcome"\nmsgstr "Hallo"'))
    messages.main(["compile"])
    assert complaints(capsys) == ["de: customer and team differ: 'Welcome'. Give one of them a context."]


def test_a_language_is_added_once_and_only_if_it_exists(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert messages.main(["add", "pt-br"]) == 0
    new = tree / "locale/customer/pt_BR/LC_MESSAGES/django.po"
    assert new.read_text().count('msgid "') - 1 == len(GERMAN)
    assert (messages.main(["add", "pt-br"]), messages.main(["add", "xx"])) == (1, 1)
    told = capsys.readouterr()
    assert "Translate locale/customer/pt_BR/LC_MESSAGES/django.po" in told.out
    assert "already exists" in told.err
    assert "xx is not a language" in told.err
