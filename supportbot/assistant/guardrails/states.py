"""Words that say what state an order or a wish is in. Pure."""

import re
from typing import Final

_STATES: Final = re.compile(
    r"""\b(?:refunded|reimbursed|credited|cancell?ed|changed|updated|issued|processed|initiated|approved|completed
      |arranged|sent|confirmed|compensated|done|paid|packed|shipped|dispatched|delivered|arrived|returned|lost
      |bezahlt|gepackt|verschickt|versandt|versendet|zugestellt|geliefert|angekommen|zurückgeschickt|zurückgesendet
      |erstattet|rückerstattet|zurückerstattet|gutgeschrieben|storniert|geändert|aktualisiert|veranlasst|genehmigt
      |erledigt|bestätigt|überwiesen|ausgezahlt|abgeschlossen|bearbeitet)\b""",
    re.IGNORECASE | re.VERBOSE,
)


def states_in(text: str) -> str:
    """Return the words of a text that say what state something is in, or was brought into."""
    return " ".join(_STATES.findall(text))
