"""A disk that is full when a file is uploaded: the page reports it, nothing is stored, and nothing is left behind."""

import asyncio
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from kb.models import Article, Picture, Source
from kb.sources import uploads
from supportbot.asgi_handler import Handler
from supportbot.console.articles import import_uploads
from tests.console.conftest import Enter
from tests.console.test_firststeps import png
from tests.kb.test_full_disk import FULL, full_database
from tests.patience import PATIENCE_SECONDS

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not FULL.exists(), reason="needs a device without space"),
]
TOLD = "The server’s disk is full".replace("’", "&#x27;")
NOT_STORED = "The request was not completed, so what you sent was not stored, or only in part."
WOOL = b"# Wool\n\nWash wool by hand.\n"


def full(*_: Any, **__: Any) -> IO[bytes]:
    return FULL.open("w+b", buffering=0)


@contextmanager
def full_folder(tmp_path: Path, *names: str) -> Iterator[str]:
    """Open a temporary folder in which files with these names have no space."""
    for name in names:
        (tmp_path / name).symlink_to(FULL)
    yield str(tmp_path)


def added(editor: Client, *files: SimpleUploadedFile) -> Any:
    sent = {"kind": "uploads", "how": "publish", "collection": "Care", "files": files}
    return editor.post("/admin/kb/source/add/", sent)


@pytest.fixture
def uploads_have_no_space(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10
    monkeypatch.setattr("django.core.files.temp.NamedTemporaryFile", full)


@pytest.mark.usefixtures("uploads_have_no_space")
def test_a_page_says_that_an_upload_does_not_fit_on_the_disk(enter: Enter) -> None:
    answer = added(enter("editor"), SimpleUploadedFile("wool.md", WOOL))
    assert answer.status_code == 503
    assert TOLD in answer.content.decode() and NOT_STORED in answer.content.decode()
    assert not Source.objects.exists()


@pytest.mark.usefixtures("uploads_have_no_space")
@pytest.mark.parametrize(
    ("path", "field", "content"), [("import/", "files", WOOL), ("kb/article/picture/", "picture", png())]
)
def test_a_pages_script_gets_the_reason_to_show(enter: Enter, path: str, field: str, content: bytes) -> None:
    sent = {"do": "publish", field: SimpleUploadedFile("wool.md", content)}
    answer = enter("editor").post(f"/admin/{path}", sent, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (503, "no_space")
    assert NOT_STORED in answer.json()["message"] and "free some space" in answer.json()["message"]
    assert not Article.objects.exists() and not Picture.objects.exists()


def test_an_import_whose_copy_does_not_fit_stores_nothing(
    enter: Enter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(import_uploads, "TemporaryDirectory", lambda **_: full_folder(tmp_path, "wool.md"))
    sent = {"do": "publish", "files": SimpleUploadedFile("wool.md", WOOL)}
    answer = enter("editor").post("/admin/import/", sent, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (503, "no_space")
    assert not Article.objects.exists()


def test_no_empty_source_is_left_if_its_files_cannot_be_stored(
    enter: Enter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    editor = enter("editor")
    with full_database("kb_sourcefile", ""):
        answer = added(editor, SimpleUploadedFile("wool.md", WOOL))
    assert (answer.status_code, TOLD in answer.content.decode()) == (503, True)
    monkeypatch.setattr(uploads, "TemporaryDirectory", lambda **_: full_folder(tmp_path, "upload.zip"))
    assert added(editor, SimpleUploadedFile("all.zip", b"PK")).status_code == 503
    refused = added(editor, SimpleUploadedFile(".hidden", WOOL))
    assert (refused.status_code, "file name cannot be used" in refused.content.decode()) == (400, True)
    assert not Source.objects.exists()


def test_a_body_that_does_not_fit_is_answered_by_the_server(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Django writes a large body to the disk before it knows the page."""
    monkeypatch.setattr("django.core.handlers.asgi.tempfile.SpooledTemporaryFile", full)

    more = [{"body": b"x" * 100, "more_body": True}, {"body": b"y" * 100}]
    status, html = asyncio.run(answered(more))
    assert status == 503 and "Die Festplatte des Servers ist voll" in html
    assert asyncio.run(answered(more, accept="application/json"))[1].startswith('{"code": "no_space"')


@pytest.mark.parametrize("buffering", [0, -1])  # written at once, or not before the end
def test_a_last_piece_that_does_not_fit_is_answered_at_once(
    monkeypatch: pytest.MonkeyPatch, settings: Any, buffering: int
) -> None:
    def opened(*_: Any, **__: Any) -> IO[bytes]:
        return FULL.open("w+b", buffering=buffering)

    monkeypatch.setattr("django.core.handlers.asgi.tempfile.SpooledTemporaryFile", opened)
    assert asyncio.run(answered([{"body": b"x" * 100}]))[0] == 503


def test_a_browser_that_stops_sending_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr("django.core.handlers.asgi.tempfile.SpooledTemporaryFile", full)
    monkeypatch.setattr("supportbot.asgi_handler.REST_SECONDS", 0.1)
    assert asyncio.run(answered([{"body": b"x" * 100, "more_body": True}]))[0] == 503


async def answered(pieces: list[dict[str, Any]], *, accept: str = "text/html") -> tuple[int, str]:
    """Return the status and text of the answer to an upload in these pieces, by a browser that then waits."""
    headers = [(b"accept", accept.encode()), (b"accept-language", b"de"), (b"host", b"testserver")]
    scope = {"type": "http", "method": "POST", "path": "/admin/import/", "headers": headers, "query_string": b""}
    sent = ApplicationCommunicator(Handler(), scope)  # type: ignore[no-untyped-call]
    for piece in pieces:
        await sent.send_input({"type": "http.request", **piece})
    begin, text = [await sent.receive_output(timeout=PATIENCE_SECONDS) for _ in range(2)]
    return begin["status"], text["body"].decode()


def test_another_error_of_a_disk_is_not_taken_for_an_empty_form(
    enter: Enter, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    def too_many(*_: Any, **__: Any) -> IO[bytes]:
        raise OSError(errno.EMFILE, "Too many open files")

    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10
    monkeypatch.setattr("django.core.files.temp.NamedTemporaryFile", too_many)
    editor = enter("editor")
    editor.raise_request_exception = False
    assert added(editor, SimpleUploadedFile("wool.md", WOOL)).status_code == 500
