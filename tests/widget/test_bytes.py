"""What the chat costs a shop's page: budgets in bytes, what its files are made of, and how they are served."""

import gzip
import re

import pytest
from django.test import Client

from supportbot.widget.joined import joined, tight
from supportbot.widget.scripts import FOLDER, edition
from supportbot.widget.shorter import flags_of, shorter

ON_LOAD_BYTES = 6_000
IN_ALL_BYTES = 25_000
ASKING_BYTES = 3_000  # more, for a chat that asks for more than words
SOURCES = sorted([*FOLDER.rglob("*.js"), *FOLDER.rglob("*.css")])


def packed(body: bytes) -> int:
    return len(gzip.compress(body, 9))


def test_the_budgets() -> None:
    today = edition()
    on_load, in_all = packed(today.loader.body), packed(today.loader.body) + packed(today.panel.body)
    assert on_load <= ON_LOAD_BYTES, f"{on_load} bytes on load"
    assert in_all <= IN_ALL_BYTES, f"{in_all} bytes in all, both languages included"
    assert packed(today.asking.body) <= ASKING_BYTES


def test_pages_get_the_loader_and_the_panel_it_names(client: Client) -> None:
    answer = client.get("/widget/v1.js", headers={"Origin": "https://shop.test"})
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "max-age=300" in answer.headers["Cache-Control"]
    name = edition().name
    assert f'"{name}/"'.encode() in answer.content
    assert b"edition/" not in answer.content
    panel = client.get(f"/widget/{name}/panel.js", headers={"Accept-Encoding": "gzip"})
    assert panel.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert panel.headers["Access-Control-Allow-Origin"] == "*"
    assert panel.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(panel.content) == edition().panel.body
    assert "Accept-Encoding" in panel.headers["Vary"]


def test_an_unchanged_loader_is_not_sent_again(client: Client) -> None:
    etag = client.get("/widget/v1.js").headers["ETag"]
    again = client.get("/widget/v1.js", headers={"If-None-Match": etag})
    assert again.status_code == 304
    assert again.content == b""
    assert client.post("/widget/v1.js").status_code == 405


def test_yesterdays_page_gets_todays_panel_and_keeps_nothing(client: Client) -> None:
    answer = client.get("/widget/0123456789abcdef/panel.js")
    assert answer.content == edition().panel.body
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.get(f"/widget/{edition().name}/chat.js").status_code == 404
    assert client.get("/widget/../settings.py").status_code == 404


@pytest.mark.parametrize("source", SOURCES, ids=lambda file: file.name)
def test_the_sources_make_no_markup_and_no_code_of_text(source: object) -> None:
    text = source.read_text()  # type: ignore[attr-defined]  # a Path, which the parameter cannot say
    found = re.findall(
        r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval|new Function)\b", text
    )
    assert found == []


def test_what_asks_is_fetched_beside_the_panel_and_knows_none_of_its_renamed_flags(client: Client) -> None:
    answer = client.get(f"/widget/{edition().name}/asking.js")
    assert answer.content == edition().asking.body
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert client.get("/widget/0123456789abcdef/asking.js").headers["Cache-Control"] == "no-store"
    flags = set(re.findall(r"\.((?:is|has)[A-Z]\w*)", (FOLDER / "asking.js").read_text()))
    assert flags == set()


def test_every_word_is_said_in_both_languages() -> None:
    rows = re.findall(r'^  (\w+): \["(.*)", "(.*)"\],$', (FOLDER / "strings.js").read_text(), re.MULTILINE)
    lines = [line for line in (FOLDER / "strings.js").read_text().splitlines() if line.startswith("  ")]
    assert len(rows) == len(lines) > 80
    for key, english, german in rows:
        assert english, key
        assert german, key
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", german)), key


def test_every_word_that_is_said_is_there_and_none_is_left_over() -> None:
    known = set(re.findall(r"^  (\w+): \[", (FOLDER / "strings.js").read_text(), re.MULTILINE))
    scripts = "\n".join(file.read_text() for file in SOURCES if file.suffix == ".js" and file.name != "strings.js")
    said = set(re.findall(r'say\("(\w+)"', scripts))
    assert said <= known
    codes_and_states = {"digest_mismatch", "merchant_unavailable", "too_fast", "identity_required", "expired_card"}
    quoted = set(re.findall(r'"(\w+)"', scripts)) | set(re.findall(r"\b(\w+):", scripts)) | codes_and_states
    assert {key for key in known if key.removesuffix("1") not in quoted} <= {"refused", "cancelled", "rejected"}


def test_joining_keeps_what_a_page_runs_and_nothing_else() -> None:
    script = joined(FOLDER / "panel.js")
    assert script.count("export ") == 1  # what the loader calls
    assert "import " not in script
    assert "@typedef" not in script


@pytest.mark.parametrize(
    ("script", "short"),
    [
        ("const long = 1;\nfoo(long);", "let x=1;foo(x);"),
        ("wait(10_000 * 0.5 + 0);", "wait(10000*.5+0);"),
        ("const { long } = page;\nlong.long();", "let{long:x}=page;x.long();"),
        ("const page = { long, other: long };", None),
        ("class Thing {\n#own = 1;\nlong() { return this.#own; }\n}", "class x{#e=1;long(){return this.#e}}"),
        ("const one = () => {\ngo();\n};\nconst two = 2;", "let x=()=>{go()};let j=2;"),
        ("set({ open: true });\nif (false) {\nstop();\n}\nrest();", "set({open:!0});if(!1){stop()}rest();"),
        ('const rule = /[/"]long/g.test("long");', 'let x=/[/"]long/g.test("long");'),
        ("const say = (long) => `${long.long} long ${say(long)}`;", "let j=x=>`${x.long} long ${j(x)}`;"),
        (
            "const one = async (long, other) => go(long,\n);\nreturn (long) => 1;",
            "let x=async(e,t)=>go(e);return(e)=>1;",
        ),
        ('const LONG_MS = 1_000;\nconst EDGE = 2;\nwait(LONG_MS - EDGE, "EDGE");', 'wait(1000-2,"EDGE");'),
        ("throw { long: [1, 2,],\n};", "throw{long:[1,2]};"),
        ("document.title = window.name;", "document.title=window.name;"),
    ],
)
def test_shorter_names_keep_properties_keys_texts_and_patterns(script: str, short: str | None) -> None:
    if short is None:
        assert re.fullmatch(r"let x=\{long,other:long\};", shorter(script))
    else:
        assert shorter(script) == short


@pytest.mark.parametrize(
    ("script", "short"),
    [
        ("set({ isOver: true });\nitem.isOver.isOver();", "set({e:!0});item.e.e();"),
        ("const { isOver, text } = item;\ngo(isOver, text);", "let{e:x,text:j}=item;go(x,j);"),
        ("const isOver = 1;\nput({ isOver, isShared: isOver });", "let x=1;put({e:x,isShared:x});"),
        ("class Thing {\nget isOver() { return this.hasCard; }\n}", "class x{get e(){return this.t}}"),
        ("event.isComposing || node.hasAttribute(name);", "event.isComposing||node.hasAttribute(name);"),
        ('say("isOver", `isOver ${item.isOver}`);', 'say("isOver",`isOver ${item.e}`);'),
    ],
)
def test_flags_are_ours_and_get_short_names_too(script: str, short: str) -> None:
    assert shorter(script, shared=frozenset(["isShared"])) == short


def test_no_script_shares_a_flag_under_two_names() -> None:
    loader, panel = (script.body.decode() for script in (edition().loader, edition().panel))
    assert flags_of(panel) <= flags_of(loader) | {"isComposing"}
    assert {"isOpen", "isQuiet"} <= flags_of(panel) & flags_of(loader)


def test_a_style_sheet_keeps_what_it_says_in_fewer_letters() -> None:
    styles = "p > b { min-inline-size: 0; inset-block-end: 2px; border-block-start: 0; margin-inline: 1px; }\n/* No. */"
    assert tight(styles) == "p>b{min-width:0;bottom:2px;border-top:0;margin-inline:1px}"


def test_a_name_is_shared_or_local_never_both() -> None:
    script = (
        "const count = 1;\nfunction one(item) { return item + count; }\nfunction two(item, count) { return count; }"
    )
    short = shorter(script)
    first, second, third = re.split(r"(?=function)", short)
    shared = re.fullmatch(r"let (\w+)=1;", first)
    assert shared is not None
    assert re.search(rf"return \w+\s*\+\s*{shared[1]}}}", second)
    assert re.search(rf"\(\w+,{shared[1]}\)", third)  # shadowed there, as before
