"""What the chat costs a shop's page: budgets in bytes, rules for the sources, and how the files are served."""

import gzip
import re
from pathlib import Path

import pytest
from django.test import Client

from supportbot.accounts.branding import greeting_in
from supportbot.chat.notice import ai_notice, end_notice
from supportbot.widget.assets import DIST, edition
from supportbot.widget.hosted import WORDS

FRONTEND = DIST.with_name("frontend") / "src"
SOURCES = sorted([*FRONTEND.rglob("*.js"), *FRONTEND.rglob("*.css")])
SCRIPTS = [file for file in SOURCES if file.suffix == ".js" and file.parent.name != "languages"]
LANGUAGES = {file.stem: file for file in sorted((FRONTEND / "languages").glob("*.js"))}

# Compressed, as a page loads them.
ON_LOAD_BYTES = 6_000
OPEN_CHAT_BYTES = 25_000  # with the texts of one language
LANGUAGE_BYTES = 2_000
ON_DEMAND_BYTES = 3_000  # choices, forms and the rating


def size(name: str) -> int:
    today = edition()
    return len((today.loader if name == "v1.js" else today.files[name]).compressed)


# The plural forms of whole numbers by language (Unicode CLDR); the others have the two of English.
PLURALS = {"pl": {"one", "few", "many", "other"}, "ar": {"zero", "one", "two", "few", "many", "other"}}
# What is the same word in English and the other language.
SAME_AS_ENGLISH = {
    "de": {"optional"},
    "fr": {"assistant", "conversation", "menu", "message", "source", "sources.one", "sources.other"},
    "es": {"no"},
    "it": {"menu", "no"},
    "nl": {"ai", "menu"},
    "pl": {"ai", "menu"},
    "pt": {"menu"},
}


def texts(language: str) -> dict[str, str]:
    """Return a language's texts by key; those that count by key and plural form, as `sources.one`."""
    found = {}
    for key, text in re.findall(r"^  (\w+): (.*),$", LANGUAGES[language].read_text(), re.MULTILINE):
        if text.startswith("{"):
            found |= {f"{key}.{form}": one for form, one in re.findall(r'(\w+): "([^"]*)"', text)}
        else:
            found[key] = text.strip('"')
    return found


def keys(language: str) -> set[str]:
    return {key.partition(".")[0] for key in texts(language)}


def test_the_loader_stays_within_its_budget() -> None:
    assert size("v1.js") <= ON_LOAD_BYTES


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_open_chat_stays_within_its_budget(language: str) -> None:
    assert size(f"{language}.js") <= LANGUAGE_BYTES
    assert size("v1.js") + size("panel.js") + size(f"{language}.js") <= OPEN_CHAT_BYTES


def test_the_bundle_on_demand_stays_within_its_budget() -> None:
    assert size("blocks.js") <= ON_DEMAND_BYTES


def test_a_page_gets_the_loader_and_the_files_it_names(client: Client) -> None:
    response = client.get("/widget/v1.js", headers={"Origin": "https://shop.test"})
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "max-age=300" in response.headers["Cache-Control"]
    today = edition()
    assert f'"{today.name}/"'.encode() in response.content
    for name, asset in today.files.items():
        response = client.get(f"/widget/{today.name}/{name}", headers={"Accept-Encoding": "gzip"})
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(response.content) == asset.body
        assert "Accept-Encoding" in response.headers["Vary"]


def test_an_unchanged_loader_is_not_sent_again(client: Client) -> None:
    etag = client.get("/widget/v1.js").headers["ETag"]
    again = client.get("/widget/v1.js", headers={"If-None-Match": etag})
    assert again.status_code == 304
    assert again.content == b""
    assert client.post("/widget/v1.js").status_code == 405


@pytest.mark.parametrize("name", ["panel.js", "blocks.js", "en.js"])
def test_a_page_with_yesterdays_loader_gets_todays_files_and_keeps_nothing(client: Client, name: str) -> None:
    response = client.get(f"/widget/0123456789abcdef/{name}")
    assert response.content == edition().files[name].body
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["chat.js", "manifest.json", "v1.js", "../../settings.py"])
def test_only_built_files_are_served(client: Client, path: str) -> None:
    assert client.get(f"/widget/{edition().name}/{path}").status_code == 404


def test_the_manifest_names_every_built_file() -> None:
    assert {file.name for file in DIST.iterdir()} == {"manifest.json", "v1.js", *edition().files}


@pytest.mark.parametrize("source", SOURCES, ids=lambda file: file.name)
def test_the_sources_never_turn_text_into_markup_or_code(source: Path) -> None:
    unsafe = r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval|new Function)\b"
    assert re.findall(unsafe, source.read_text()) == []


def test_the_loader_and_the_panel_know_every_language() -> None:
    loader = (FRONTEND / "loader" / "element.js").read_text()
    panel = re.search(r"LANGUAGES = \[(.*)\];", (FRONTEND / "i18n.js").read_text())
    assert panel is not None
    assert sorted(re.findall(r'"(\w+)"', panel[1])) == sorted(LANGUAGES)
    assert sorted(re.findall(r"^  (\w\w): \{ open:", loader, re.MULTILINE)) == sorted(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_there_in_every_language(language: str) -> None:
    assert len(keys("en")) > 80
    lines = [line for line in LANGUAGES[language].read_text().splitlines() if line.startswith("  ")]
    shape = re.compile(r'  \w+: ("[^"]+"|\{ (\w+: "[^"]+",? )+\}),')
    assert [line for line in lines if not shape.fullmatch(line)] == []
    assert len(lines) == len(keys(language))
    assert keys(language) == keys("en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_gaps_of_a_text_are_the_same_in_every_language(language: str) -> None:
    english = {key.partition(".")[0]: gaps(text) for key, text in texts("en").items()}
    for key, text in texts(language).items():
        name, _, form = key.partition(".")
        # A language may write one and two as words.
        assert gaps(text) == english[name] or (form in {"one", "two"} and not gaps(text)), key


def gaps(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}", text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_that_counts_has_every_plural_of_its_language(language: str) -> None:
    counting = {key for key in keys("en") if f"{key}.other" in texts("en")}
    assert counting == {"sources", "openFor"}
    for key in counting:
        forms = {name.partition(".")[2] for name in texts(language) if name.startswith(f"{key}.")}
        assert forms == PLURALS.get(language, {"one", "other"}), key


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_no_text_is_left_in_english(language: str) -> None:
    english = texts("en")
    same = {key for key, text in texts(language).items() if text == english.get(key)}
    assert same == SAME_AS_ENGLISH.get(language, set())


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en", "de"}))
def test_a_machines_translation_says_so(language: str) -> None:
    assert LANGUAGES[language].read_text().startswith("// Translated by a machine and to be reviewed")


def test_the_server_speaks_every_language_of_the_widget() -> None:
    assert set(WORDS) == set(LANGUAGES)
    for words in WORDS.values():
        assert words.keys() == WORDS["en"].keys()
        assert {key: gaps(text) for key, text in words.items()} == {
            key: gaps(text) for key, text in WORDS["en"].items()
        }
    for notice in (ai_notice, end_notice):
        assert len({notice(language) for language in LANGUAGES}) == len(LANGUAGES)
    ours = {greeting_in(language, own="", own_locale="", others={}) for language in LANGUAGES}
    assert len(ours) == len(LANGUAGES)
    assert all("{name}" in greeting for greeting in ours)


def test_every_text_that_is_asked_for_is_there_and_none_is_left_over() -> None:
    known = keys("en")
    scripts = "\n".join(file.read_text() for file in SCRIPTS)
    assert set(re.findall(r'say\("(\w+)"', scripts)) <= known
    codes_and_states = {"digest_mismatch", "merchant_unavailable", "too_fast", "identity_required", "expired_card"}
    quoted = set(re.findall(r'"(\w+)"', scripts)) | set(re.findall(r"\b(\w+):", scripts)) | codes_and_states
    assert {key for key in known if key not in quoted} <= {"refused", "cancelled", "rejected"}
