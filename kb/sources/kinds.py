"""The kinds of sources. A new one needs a class like these, and its line here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kb.sources.files import Folder, Uploads
from kb.sources.ports import Kind
from kb.sources.web.site import Site

SITE: Final = "site"
FOLDER: Final = "folder"
UPLOADS: Final = "uploads"


@dataclass(frozen=True, slots=True)
class Described:
    """The display of a kind: its name, and whether its address is entered in the console."""

    title: "str | Promise"
    make: type[Kind]
    is_typed: bool = False


KINDS: Final[Mapping[str, Described]] = {
    SITE: Described(_("Website"), Site, is_typed=True),
    FOLDER: Described(_("Folder on the server"), Folder),
    UPLOADS: Described(_("Uploaded files"), Uploads),
}
