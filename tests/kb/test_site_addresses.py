"""Addresses that mean the same page of a site, and the encodings in which pages are read."""

import pytest

from kb.importing.loaders.page_encoding import declared_text, decode
from kb.sources.web.urls import is_page_of_key, one_spelling, scope_of

SITE = "https://help.fern.example"
TOKEN = "8f3e2c1d9b7a6f5e4d3c2b1a0f9e8d7c"
UMLAUTS = "<p>Größe für Füße über 40</p>"


@pytest.mark.parametrize(
    "address",
    [
        f"/a?PHPSESSID={TOKEN}", "/a?PHPSESSID=1", f"/a?sid={TOKEN}", f"/a?osCsid={TOKEN}", f"/a;sid={TOKEN}",
        f"/a?zenid={TOKEN}", f"/a?s={TOKEN}", "/a;jsessionid=A.b!1", "/(S(lit3py55t21z5v55vlm25s55))/a",
        "/(X(1)S(lit3py55t21z5v55vlm25s55))/a", "/a?sid=1732958812", f"/a?session_id={TOKEN}", "/a?ASP.NET_SessionId=f",
        "/a?s=0b2f6c1e-9a3d-4f57-8e21-5d7c9b1a2e3f", "/a?sid=k3v8q1m5t7b2n9r4c6x0z5",
        "/a?utm_source=mail&gclid=1#top", "/b/../a", "/a?",
    ],
)  # fmt: skip
def test_session_ids_and_tracking_parameters_are_removed(address: str) -> None:
    assert one_spelling(f"{SITE}{address}") == f"{SITE}/a"


@pytest.mark.parametrize(
    "address",
    [
        "/a?sid=12", "/a?cid=5", "/a?session=keynote", "/a?s=boots", "/a?s=boots2024", f"/a?id={TOKEN}", "/a?inside=x1",
        "/a?newsid=n17", "/a?newsid=1732958812", "/a?classid=CS101", f"/a?classid={TOKEN}", "/a?lessonsid=b2",
        "/a?assess=q1", "/a?cid=A12", "/a?cid=4155550100", "/a?sid=s3", "/a?session_id=keynote", "/a;sid=12",
        "/a?session=introduction-to-felting-2024", "/a?s=waterproofing2024", "/a;newsid=5", "/a/(b(c))/d",
    ],
)  # fmt: skip
def test_parameters_that_choose_a_page_stay(address: str) -> None:
    assert one_spelling(f"{SITE}{address}") == f"{SITE}{address}"


@pytest.mark.parametrize(
    ("address", "key", "expected"),
    [
        ("/a", f"/a?osCsid={TOKEN}", True),  # kept by an earlier version, removed today
        ("/a?sid=12", "/a", True),  # removed by an earlier version
        ("/a?page=2&session_id=keynote", "/a?page=2", True),
        ("/a;newsid=5", "/a", True),
        ("/a", "/a?sid=12", False),
        ("/a?sid=13", "/a?sid=12", False),
        ("/a?page=2", "/a", False),
        ("/b?sid=12", "/a", False),
    ],
)
def test_a_key_of_an_earlier_version_is_recognised(address: str, key: str, expected: bool) -> None:
    assert is_page_of_key(f"{SITE}{address}", f"{SITE}{key}") is expected


@pytest.mark.parametrize(
    ("home", "linked", "is_ours"),
    [
        ("https://help.fern.example/en/", "http://help.fern.example/en/a", True),
        ("https://help.fern.example/en/", "https://www.help.fern.example/en/a", True),
        ("https://www.fern.example/en/", "http://fern.example/en/a", True),
        ("https://help.fern.example/en/", "https://fern.example/en/a", False),
        ("https://help.fern.example/en/", "http://help.fern.example:8080/en/a", False),
        ("http://help.fern.example/en/", "https://help.fern.example/en/a", False),
        ("https://help.fern.example/en/", "http://help.fern.example.evil.example/en/a", False),
    ],
)
def test_pages_linked_by_another_spelling_of_the_site_belong_to_it(home: str, linked: str, is_ours: bool) -> None:
    scope = scope_of(home, (), (), ())
    address = scope.at_home(linked)
    assert scope.holds(address) is is_ours
    assert address == (f"{scope.origins[0]}/en/a" if is_ours else linked)


@pytest.mark.parametrize(
    ("body", "declared"),
    [
        (UMLAUTS.encode(), "text/html; charset=iso-8859-1"),
        (UMLAUTS.encode("cp1252"), "text/html; charset=utf-8"),
        (UMLAUTS.encode("cp1252"), "text/html"),
        (UMLAUTS.encode("utf-16"), "text/html; charset=utf-8"),
        (b'<meta http-equiv=Content-Type content="text/html; charset=macintosh">' + UMLAUTS.encode("macroman"), ""),
        (b'<?xml version="1.0" encoding="ibm850"?>' + UMLAUTS.encode("cp850"), "application/xhtml+xml"),
    ],
)
def test_a_page_is_read_whatever_it_declares(body: bytes, declared: str) -> None:
    assert decode(body, declared).endswith(UMLAUTS)


@pytest.mark.parametrize(
    ("language", "text", "encoding"),
    [
        ("ru", "Возврат товара в течение 30 дней", "cp1251"),
        ("ja-JP", "返品は三十日以内です。", "cp932"),
        ("ja", "返品は三十日以内です。", "euc_jp"),
        ("ZH-TW", "三十天內可以退貨。", "big5"),
        ("pl", "Zwrot w ciągu 30 dni: łatwo i zażyć", "iso8859_2"),
        ("ar", "الإرجاع خلال 30 يومًا", "cp1256"),
    ],
)
@pytest.mark.parametrize("declared", ["text/html", "text/html; charset=utf-8"])
def test_an_undeclared_encoding_is_that_of_the_pages_language(
    language: str, text: str, encoding: str, declared: str
) -> None:
    page = f'<!doctype html><html class=x lang="{language}"><p>{text}</p>'
    assert decode(page.encode(encoding), declared) == page


@pytest.mark.parametrize(
    ("declared", "encoding", "text"),
    [
        ("windows-874", "cp874", "คืนสินค้าได้ภายใน 30 วัน"),
        ("tis-620", "cp874", "คืนสินค้า “ฟรี”"),
        ("x-sjis", "cp932", "①返品は三十日以内"),
        ("shift_jis", "cp932", "①返品は三十日以内"),
        ("windows-31j", "cp932", "㈱返品"),
        ("ks_c_5601-1987", "cp949", "똠방각하 반품"),
        ("big5", "big5hkscs", "退貨碁粧"),
        ("gbk", "gb18030", "退货€"),
        ("iso-8859-8-i", "iso8859-8", "החזרה תוך 30 יום"),
        ("x-mac-roman", "mac-roman", "Größe für Füße"),
        ("x-cp1251", "cp1251", "Возврат товара"),
        ("utf-16", "utf-8", "Größe für Füße"),
    ],
)
def test_encodings_are_known_by_the_names_that_browsers_use(declared: str, encoding: str, text: str) -> None:
    page = f'<meta charset="{declared}"><p>{text}</p>'
    assert decode(page.encode(encoding)) == page
    assert declared_text(page.encode(encoding)) == page


@pytest.mark.parametrize("damage", [b"\xff", b"\xe4", b"\xc3"])
def test_damage_in_one_place_leaves_the_others(damage: bytes) -> None:
    text = decode(UMLAUTS.encode() + damage, "text/html; charset=windows-1252")
    assert text == f"{UMLAUTS}\N{REPLACEMENT CHARACTER}"
