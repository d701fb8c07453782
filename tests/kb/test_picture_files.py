"""Picture files: what is kept of them, and which ones are refused."""

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from django.test import Client
from PIL import Image, ImageCms

from kb.importing import confinement, picture_reencoding
from kb.importing.confined.picture import MAX_EDGE, MAX_PIXELS
from kb.importing.picture_reencoding import redrawn_logo
from kb.models import Picture
from kb.pictures import add_picture, address_of
from kb.services import Change, create_article, publish
from supportbot.accounts.models import Workspace
from supportbot.errors import InvalidInput
from tests.console.test_firststeps import chunk, png
from tests.kb.made_pictures import LEFT, RIGHT, encoded, near, painted, photo, shown, two_halves

pytestmark = pytest.mark.django_db


def stored(data: bytes) -> Image.Image:
    return shown(bytes(add_picture(data).content))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_each_format_is_stored_with_its_pixels(workspace: Workspace, kind: str) -> None:
    picture = stored(painted(kind))
    assert picture.size == (80, 40)
    assert near(picture.getpixel((10, 20)), LEFT) and near(picture.getpixel((70, 20)), RIGHT)


@pytest.mark.long
def test_a_drawing_stays_exact_and_a_photo_becomes_small(workspace: Workspace, client: Client) -> None:
    drawing, taken = add_picture(painted("PNG")), add_picture(encoded(photo(), "PNG"))
    assert shown(bytes(drawing.content)).getpixel((10, 20))[:3] == LEFT
    addresses = [address_of(drawing), address_of(taken)]
    assert [address.rpartition(".")[2] for address in addresses] == ["png", "webp"]
    publish(create_article(Change(title="T", body="".join(f"![x]({address})\n" for address in addresses))).pk)
    answers = [client.get(address) for address in addresses]
    assert [answer["Content-Type"] for answer in answers] == ["image/png", "image/webp"]
    assert {answer["X-Content-Type-Options"] for answer in answers} == {"nosniff"}
    assert len(answers[1].content) * 5 < len(encoded(photo(), "PNG"))
    assert client.get(addresses[0].replace(".png", ".webp")).status_code == 404
    page = client.get("/help/wrenfell/t/").content.decode()
    assert all(f'src="{address}"' in page for address in addresses)


def test_a_picture_is_rotated_upright_and_keeps_nothing_else_from_its_file(workspace: Workspace) -> None:
    notes = Image.Exif()
    notes[0x0112], notes[0x010E] = 6, "at home in Elm Street"  # to be rotated clockwise
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = add_picture(painted("JPEG", exif=notes, comment=b"Elm Street", icc_profile=profile, quality=95))
    image = shown(bytes(picture.content))
    assert image.size == (picture.width, picture.height) == (40, 80)
    assert near(image.getpixel((20, 10)), LEFT) and near(image.getpixel((20, 70)), RIGHT)
    assert b"Elm Street" not in bytes(picture.content)
    assert not {"exif", "icc_profile", "comment", "dpi"} & set(Image.open(io.BytesIO(bytes(picture.content))).info)


def test_only_the_first_frame_of_an_animation_is_kept(workspace: Workspace) -> None:
    more = [Image.new("RGB", (80, 40), (0, 255, 0))] * 3
    for kind in ("GIF", "WEBP", "PNG"):
        picture = add_picture(encoded(two_halves(), kind, save_all=True, append_images=more))
        image = Image.open(io.BytesIO(bytes(picture.content)))
        assert getattr(image, "n_frames", 1) == 1
        assert near(image.convert("RGB").getpixel((10, 20)), LEFT), kind


def test_cmyk_and_deep_greys_are_converted_and_transparency_is_kept(workspace: Workspace) -> None:
    picture = stored(encoded(two_halves().convert("CMYK"), "JPEG", quality=95))
    assert near(picture.getpixel((10, 20)), LEFT) and near(picture.getpixel((70, 20)), RIGHT)
    grey = stored(encoded(Image.new("I;16", (9, 9), 40_000), "PNG"))
    assert near(grey.getpixel((4, 4)), (156, 156, 156), most=2)
    for transparent in (
        encoded(Image.new("RGBA", (9, 9), (9, 9, 9, 0)), "PNG"),
        encoded(Image.new("RGBA", (9, 9), (9, 9, 9, 0)), "WEBP", lossless=True),
        encoded(Image.new("P", (9, 9)), "PNG", transparency=0),
        encoded(Image.new("P", (9, 9)), "GIF", transparency=0),
        encoded(Image.new("RGB", (9, 9)), "PNG", transparency=(0, 0, 0)),
    ):
        assert stored(transparent).getpixel((4, 4))[3] == 0


@pytest.mark.long
def test_a_large_picture_is_scaled_down(workspace: Workspace) -> None:
    for data in (painted("PNG", width=6_000, height=3_000), painted("JPEG", width=3_000, height=6_000)):
        picture = stored(data)
        assert max(picture.size) == MAX_EDGE and min(picture.size) == MAX_EDGE // 2
    logo = redrawn_logo(painted("JPEG", width=3_000, height=1_500))
    assert (logo.media_type, logo.width, logo.height) == ("image/png", 256, 128)
    largest = Image.new("P", (8_000, MAX_PIXELS // 8_000))
    assert max(stored(encoded(largest, "PNG", transparency=0)).size) == MAX_EDGE, "the memory limit allows it"


def _many_pixels() -> bytes:
    return png(width=60_000, height=60_000, rows=b"\0" * 60_001)


def _long_text() -> bytes:
    return png(more=chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 200_000_000)))


def _wide_frame() -> bytes:
    """Return an animation whose frame is far larger than its canvas."""
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", 4, 4, 0x80, 0, 0)
        + b"\0" * 6
        + (b"," + struct.pack("<HHHHB", 0, 0, 65_000, 65_000, 0) + b"\x02\x02\x4c\x01\0;")
    )


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: painted("PNG")[:-40], "damaged or incomplete"),
        (lambda: encoded(photo(), "JPEG")[:9_000], "damaged or incomplete"),
        (lambda: encoded(photo(), "WEBP")[:2_000], "damaged or incomplete"),
        (_many_pixels, "more than 40 million pixels"),
        (_wide_frame, "more than 40 million pixels"),
        (_long_text, "damaged or incomplete"),
        (lambda: b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG drawing"),
        (lambda: painted("BMP"), "not a PNG, JPEG, WebP or GIF"),
        (lambda: painted("TIFF"), "not a PNG, JPEG, WebP or GIF"),
        (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a PNG, JPEG, WebP or GIF"),
        (lambda: b"RIFF\0\0\0\0WAVEfmt ", "not a PNG, JPEG, WebP or GIF"),
        (lambda: b"GIF89a", "damaged or incomplete"),
        (lambda: b"\xff\xd8\xff\xe0 a photo", "damaged or incomplete"),
        (lambda: b"", "not a PNG, JPEG, WebP or GIF"),
        (lambda: b"\xff" * (20 * 1024 * 1024 + 1), "larger than 20 MB"),
    ],
)
def test_anything_but_a_harmless_picture_is_refused_with_the_reason(
    workspace: Workspace, make: Callable[[], bytes], said: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        add_picture(make())
    assert said in refusal.value.fields["picture"][0]
    assert not Picture.objects.exists()


@pytest.mark.usefixtures("new_reader")
def test_pictures_are_decoded_only_in_the_confined_process(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds: list[str] = []
    run = confinement._run
    monkeypatch.setattr(confinement, "_run", lambda kind, *more: kinds.append(kind) or run(kind, *more))
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("decoded in this process"))
    add_picture(painted("PNG"))
    redrawn_logo(painted("PNG"))
    assert kinds == ["picture", "logo"]


def test_a_known_file_and_one_that_was_exported_are_not_decoded_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded(photo(), "JPEG", quality=95)
    first = add_picture(data)
    monkeypatch.setattr(picture_reencoding, "facts_and_contents", lambda *_: pytest.fail("decoded again"))
    assert add_picture(data) == first == add_picture(bytes(first.content))
    assert Picture.objects.count() == 1
