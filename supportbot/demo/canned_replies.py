"""What the demo's team writes often: canned replies in both languages of its customers."""

from typing import Final

from supportbot.handoff.desk.canned_replies import save_reply
from supportbot.handoff.models import CannedReply

REPLIES: Final = (
    (
        "Return label sent",
        "Hi {name}, the return label is in your e-mail. Please use the original packing. {agent}",
        "en",
    ),
    (
        "Return, item used",
        "Hi {name}, used items can be exchanged once for another size. Shall I do that? {agent}",
        "en",
    ),
    ("Looking into it", "Hi {name}, I am asking the warehouse and will be back within the hour. {agent}", "en"),
    ("Rücksendeetikett", "Hallo {name}, das Etikett für die Rücksendung ist in Ihrer E-Mail. {agent}", "de"),
    ("Wir fragen nach", "Hallo {name}, ich frage im Lager nach und melde mich innerhalb einer Stunde. {agent}", "de"),
)


def write_replies() -> None:
    """Give a workspace without canned replies the demo's; what people have written is left alone."""
    if not CannedReply.objects.exists():
        for title, text, locale in REPLIES:
            save_reply(title=title, text=text, locale=locale)
