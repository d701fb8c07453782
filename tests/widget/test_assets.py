"""The chat's files on a shop's page: budgets in bytes, rules for the sources, and how they are served."""

import gzip
import re
import shutil
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.test import Client

from supportbot.accounts.branding import greeting_in
from supportbot.chat.notices import ai_notice, end_notice
from supportbot.translation import LANGUAGES, text_in
from supportbot.widget import assets
from supportbot.widget.assets import DIST, edition

FRONTEND = DIST.with_name("frontend") / "src"
SOURCES = sorted([*FRONTEND.rglob("*.js"), *FRONTEND.rglob("*.css")])
TEXTS = ("texts.js", "more.js", "pages.js")
SCRIPTS = [file for file in SOURCES if file.suffix == ".js" and file.name not in TEXTS]

# Compressed, as a page loads them.
ON_LOAD_BYTES = 6_000
OPEN_CHAT_BYTES = 25_000  # with the texts of one language
LANGUAGE_BYTES = 2_000
ON_DEMAND_BYTES = 3_500  # choices, forms with dates and lists, and the ratings
RECORDS_BYTES = 1_500  # cards of records, receipts
CODES_BYTES = 400  # one-time codes, on the hosted page
MENU_BYTES = 1_800  # what the entries of the menu do
ENTRIES_BYTES = 1_100  # forms with several entries
ON_DEMAND_TEXT_BYTES = 300
MENU_TEXT_BYTES = 400

# What earlier bundles import from each file. A chat that was open before an upgrade runs the old panel, and may fetch
# the current version of the files that it loads on demand. So these names must stay.
EVER_IMPORTED = {
    "asking.js": {"asks", "rate"},
    "blocks.js": {"draw", "drawBlocks", "drawRating", "drawReasons"},
    "codes.js": {"redeem"},
    "entries.js": {"draw"},
    "menu_pages.js": {"attempt", "earlier", "endChat", "erase", "languageIs", "load", "privacy"},
    "panel.js": {"start"},
    "records.js": {"card", "receipt"},
}
_STATIC_IMPORT = re.compile(r"\bimport\s*\{([^}]*)\}\s*from\s*[\"']\./([\w-]+\.js)[\"']")
_IMPORT_ON_DEMAND = re.compile(
    r"\bimport\([\"']\./([\w-]+\.js)[\"']\)"
    r"(?:\.then\(\(\{([^}]*)\}\)=>|\.then\((\w+)=>\3\.(\w+))?"  # .then(({name})=>…) or .then(it=>it.name…)
)
_EXPORT = re.compile(r"\bexport\s*\{([^}]*)\}")


def size(name: str) -> int:
    today = edition()
    return len((today.loader if name == "v1.js" else today.files[name]).compressed)


def keys() -> set[str]:
    """Return the keys of the panel's texts, and of those fetched on demand."""
    texts = [(FRONTEND / name).read_text() for name in TEXTS]
    return set(re.findall(r"^  (\w+): ", "\n".join(texts), re.MULTILINE))


def exported_by(name: str) -> set[str]:
    return {one.split(" as ")[-1].strip() for names in _EXPORT.findall(bundle(name)) for one in names.split(",")}


def imported_by(name: str) -> set[tuple[str, str]]:
    """Return each name that a bundle imports from another, at once or on demand, with the other's file."""
    text = bundle(name)
    found = [(file, one.split(" as ")[0]) for names, file in _STATIC_IMPORT.findall(text) for one in names.split(",")]
    for file, names, _, one in _IMPORT_ON_DEMAND.findall(text):
        found += [(file, one)] if one else [(file, renamed.split(":")[0]) for renamed in names.split(",") if renamed]
    return {(file, one.strip()) for file, one in found}


def bundle_languages() -> list[str]:
    [found] = re.findall(r'"(en(?:,\w\w)+)"\.split', bundle("panel.js"))
    return str(found).split(",")


def bundle(name: str) -> str:
    return (DIST / name).read_text()


def test_each_name_that_a_bundle_imports_from_another_is_exported_by_it() -> None:
    imported = {pair for file in DIST.glob("*.js") for pair in imported_by(file.name)}
    assert {
        ("blocks.js", "draw"), ("blocks.js", "drawBlocks"), ("blocks.js", "drawRating"), ("blocks.js", "drawReasons"),
        ("codes.js", "redeem"), ("entries.js", "draw"), ("menu_pages.js", "attempt"),
    } <= imported  # fmt: skip
    assert [(file, name) for file, name in sorted(imported) if name not in exported_by(file)] == []
    assert [(file, name) for file, name in sorted(imported) if name not in EVER_IMPORTED[file]] == []


@pytest.mark.parametrize("name", EVER_IMPORTED)
def test_names_that_earlier_bundles_import_stay_exported(name: str) -> None:
    assert exported_by(name) >= EVER_IMPORTED[name]


def test_the_loader_stays_within_its_budget() -> None:
    assert size("v1.js") <= ON_LOAD_BYTES


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_open_chat_stays_within_its_budget(language: str) -> None:
    assert size(f"{language}.js") <= LANGUAGE_BYTES
    assert size("v1.js") + size("panel.js") + size(f"{language}.js") <= OPEN_CHAT_BYTES


def test_the_bundle_on_demand_stays_within_its_budget() -> None:
    assert size("blocks.js") <= ON_DEMAND_BYTES
    assert size("records.js") <= RECORDS_BYTES
    assert size("entries.js") <= ENTRIES_BYTES
    assert size("menu_pages.js") <= MENU_BYTES
    assert size("codes.js") <= CODES_BYTES
    assert max(size(f"more-{language}.js") for language in LANGUAGES) <= ON_DEMAND_TEXT_BYTES
    assert max(size(f"pages-{language}.js") for language in LANGUAGES) <= MENU_TEXT_BYTES


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


@pytest.mark.parametrize("name", ["panel.js", "blocks.js", "entries.js", "menu_pages.js", "asking.js", "en.js"])
def test_a_page_with_an_old_loader_gets_the_current_files_uncached(client: Client, name: str) -> None:
    response = client.get(f"/widget/0123456789abcdef/{name}")
    assert response.content == edition().files[name].body
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["chat.js", "manifest.json", "v1.js", "../../settings.py"])
def test_only_built_files_are_served(client: Client, path: str) -> None:
    assert client.get(f"/widget/{edition().name}/{path}").status_code == 404


@pytest.mark.parametrize("name", ["manifest.json", "v1.js", "panel.js"])
def test_a_missing_file_fails_the_check_before_the_start(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_checks(tags=["widget"]) == []
    shutil.copytree(DIST, tmp_path / "dist")
    (tmp_path / "dist" / name).unlink()
    monkeypatch.setattr(assets, "DIST", tmp_path / "dist")
    [problem] = run_checks(tags=["widget"])
    assert problem.id == "widget.E001" and f": {name} is missing" in problem.msg


def test_the_manifest_names_every_built_file() -> None:
    assert {file.name for file in DIST.iterdir()} == {"manifest.json", "v1.js", *edition().files}


@pytest.mark.parametrize("source", SOURCES, ids=lambda file: file.name)
def test_the_sources_never_turn_text_into_markup_or_code(source: Path) -> None:
    unsafe = r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval|new Function)\b"
    assert re.findall(unsafe, source.read_text()) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_bundle_contains_every_language_of_the_catalogues(language: str) -> None:
    """`make lint` rebuilds it and so finds changed translations; this test needs no Node.js."""
    texts = (DIST / f"{language}.js").read_text()
    assert text_in(language, "You are talking to an AI assistant. A person can take over at any time.") in texts
    assert text_in(language, "Open chat") in (DIST / "v1.js").read_text()
    assert language in bundle_languages()


def test_a_panel_knows_the_texts_that_have_its_keys() -> None:
    """A panel that is open during an upgrade gets the new texts: it must not take one text for another."""
    keys = re.findall(r"^  (\w+): ", (FRONTEND / "texts.js").read_text(), re.MULTILINE)
    mark = urlsafe_b64encode(sha256(",".join(keys).encode()).digest()).decode()[:4]
    assert f'"{",".join([*keys, mark])}".split(",")' in bundle("panel.js")
    for language in LANGUAGES:
        assert bundle(f"{language}.js").endswith(f',"{mark}"];\n')


@pytest.mark.parametrize("name", ["texts.js", "more.js", "pages.js", "loader/texts.js"])
def test_every_text_of_the_sources_is_on_its_own_line(name: str) -> None:
    """scripts/messages.py reads them by line."""
    lines = [line for line in (FRONTEND / name).read_text().splitlines() if re.match(r"  \S", line)]
    shape = re.compile(r'  // (Context|Translators): .+|  \w+: ("[^"]+"|\{ one: "[^"]+", other: "[^"]+" \}),')
    assert [line for line in lines if not shape.fullmatch(line)] == []


def test_the_server_offers_every_language_of_the_widget() -> None:
    for notice in (ai_notice, end_notice):
        assert len({notice(language) for language in LANGUAGES}) == len(LANGUAGES)
    ours = {greeting_in(language, own="", own_locale="", others={}) for language in LANGUAGES}
    assert len(ours) == len(LANGUAGES)
    assert all("{name}" in greeting for greeting in ours)


def test_every_used_text_exists_and_every_text_is_used() -> None:
    known = keys()
    assert len(known) > 80
    scripts = "\n".join(file.read_text() for file in SCRIPTS)
    assert set(re.findall(r'say\("(\w+)"', scripts)) <= known
    codes_and_states = {"digest_mismatch", "merchant_unavailable", "too_fast", "identity_required", "expired_card"}
    on_demand = set(re.findall(r"\btexts\.(\w+)|\{ (comment) \}", scripts))
    codes_and_states |= {name for names in on_demand for name in names}
    quoted = set(re.findall(r'"(\w+)"', scripts)) | set(re.findall(r"\b(\w+):", scripts)) | codes_and_states
    assert {key for key in known if key not in quoted} <= {"refused", "cancelled", "rejected"}
