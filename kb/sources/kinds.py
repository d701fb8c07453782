"""The kinds of sources. To add a kind, write a class like these and add its line here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kb.sources.files import Folder
from kb.sources.models import FOLDER, SITE, UPLOADS, Source
from kb.sources.ports import Kind, Origin
from kb.sources.uploads import Uploads
from kb.sources.web.site import Site


@dataclass(frozen=True, slots=True)
class Described:
    """How a kind of source is shown: its name, and whether people enter its address in the console."""

    title: "str | Promise"
    make: type[Kind]
    is_typed: bool = False


KINDS: Final[Mapping[str, Described]] = {
    SITE: Described(_("Website"), Site, is_typed=True),
    FOLDER: Described(_("Folder on the server"), Folder),
    UPLOADS: Described(_("Uploaded files"), Uploads),
}


def kind_of(source: Source, *, is_check: bool = False, still_working: Callable[[], None] = lambda: None) -> Kind:
    origin = Origin(
        source_id=source.pk,
        address=source.address,
        config=source.config,
        memory=source.memory,
        delay_seconds=source.delay_seconds,
        allows_private=source.allows_private,
        is_check=is_check,
        still_working=still_working,
    )
    return KINDS[source.kind].make(origin)
