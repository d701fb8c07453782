"""A conversation is in the customer's language, here always on a page in English."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.core import mail

from actions.services import confirm
from actions.testing import FakeShop, run_queued
from supportbot.accounts.models import Customer, User
from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.runner import carry_out
from supportbot.async_db import db
from supportbot.builtin import phrases
from supportbot.chat.models import Conversation
from supportbot.chat.services import add_agent_message
from supportbot.chat.signals import EventView
from supportbot.handoff.mail.customer_presence import mark_customers_absent
from supportbot.handoff.models import Ticket
from supportbot.handoff.tasks import send_mail
from supportbot.handoff.tickets import services as handoff
from supportbot.language.detection import detect
from supportbot.llm.testing import Says
from supportbot.outbox.delivery import deliver_due
from tests.actions.conftest import signed_in_as
from tests.assistant.conftest import payloads
from tests.assistant.test_actions import call, turn
from tests.assistant.test_turn import say

pytestmark = pytest.mark.django_db(transaction=True)
Log = Callable[[], list[EventView]]


@dataclass(frozen=True)
class Speech:
    """The texts of a conversation in one language: those the customer writes and those they read."""

    unknown: str
    abstention: str
    wish: str
    card: str
    confirm: str
    done: str
    person: str
    away: str
    noted: str
    subject: str


POLISH = Speech(
    unknown="Czy można u Państwa płacić kryptowalutą?",
    abstention="Nie znalazłem tego na naszych stronach pomocy i wolę nie zgadywać. "
    "Czy chcą Państwo porozmawiać z konsultantem?",
    wish="Proszę o zwrot pieniędzy za zamówienie A-1001, dotarło uszkodzone.",
    card="Zwrot 49,90 € za zamówienie A-1001.",
    confirm="Prosimy sprawdzić kartę. Bez potwierdzenia nic się nie stanie.",
    done="Zwróciliśmy 49,90 € za zamówienie A-1001. Numer sprawy: ",
    person="Chciałbym porozmawiać z człowiekiem o moim zamówieniu.",
    away="Nasz zespół jest teraz niedostępny.",
    noted="Dziękujemy. Odpowiemy na adres mara@example.com.",
    subject="Odpowiedź od Wrenfell Outdoor",
)
PORTUGUESE = Speech(
    unknown="Posso pagar a minha encomenda com criptomoedas?",
    abstention="Não encontrei isto nas nossas páginas de ajuda e prefiro não adivinhar. Deseja falar com uma pessoa?",
    wish="Gostaria que me devolvessem o dinheiro da encomenda A-1001, chegou danificada.",
    card="Reembolsar 49,90 € da encomenda A-1001.",
    confirm="Por favor, verifique o cartão. Nada acontece sem a sua confirmação.",
    done="Reembolsámos 49,90 € da encomenda A-1001. A sua referência é ",
    person="Queria falar com uma pessoa sobre a minha encomenda, por favor.",
    away="A nossa equipa não está disponível neste momento.",
    noted="Obrigado. Responderemos para mara@example.com.",
    subject="Resposta de Wrenfell Outdoor",
)
TURKISH = Speech(
    unknown="Siparişimi kripto para ile ödeyebilir miyim?",
    abstention="Bunu yardım sayfalarımızda bulamadım ve tahmin yürütmek istemem. "
    "Bir temsilciyle görüşmek ister misiniz?",
    wish="A-1001 numaralı siparişim hasarlı geldi, lütfen paramı iade edin.",
    card="A-1001 siparişi için €49,90 iade.",
    confirm="Lütfen kartı kontrol edin. Siz onaylamadan hiçbir şey yapılmaz.",
    done="A-1001 siparişi için €49,90 iade ettik. Referans numaranız: ",
    person="Siparişim hakkında bir temsilciyle görüşmek istiyorum lütfen.",
    away="Ekibimize şu anda ulaşılamıyor.",
    noted="Teşekkürler. Yanıtımızı mara@example.com adresine göndereceğiz.",
    subject="Wrenfell Outdoor yanıtı",
)
ARABIC = Speech(
    unknown="هل يمكنني الدفع بالعملات الرقمية؟",
    abstention="لم أجد هذا في صفحات المساعدة لدينا، ولا أريد أن أخمّن. هل ترغبون في التحدث إلى شخص؟",
    wish="أريد استرداد ثمن الطلب A-1001 لأنه وصل تالفًا.",
    card="استرداد \u200f49.90 € عن الطلب A-1001.",
    confirm="يُرجى مراجعة البطاقة. لن يحدث شيء قبل تأكيدكم.",
    done="لقد رددنا \u200f49.90 € عن الطلب A-1001. الرقم المرجعي: ",
    person="أريد التحدث إلى موظف بخصوص طلبي من فضلكم.",
    away="فريقنا غير متاح في الوقت الحالي.",
    noted="شكرًا لكم. سنرد على mara@example.com.",
    subject="رد من Wrenfell Outdoor",
)
every_language = pytest.mark.parametrize("speech", [POLISH, PORTUGUESE, TURKISH, ARABIC], ids=["pl", "pt", "tr", "ar"])


def plain(text: Any) -> str:
    """Return the text with normal spaces instead of those that keep an amount together."""
    return str(text).replace("\u00a0", " ")


@pytest.mark.one_in(2)
@every_language
async def test_a_missing_answer_is_reported_in_the_customers_language(
    conversation: Conversation, speech: Speech, log: Log
) -> None:
    await carry_out(await db(say, conversation, speech.unknown))
    [final] = payloads(await db(log), "assistant.final")
    assert (final["text"], final["abstained"]) == (speech.abstention, True)


async def test_random_keystrokes_are_answered_in_the_language_of_the_conversation(
    conversation: Conversation, log: Log
) -> None:
    for text in ("Peut-on payer avec des cryptomonnaies ?", "asdf qwer lol"):
        await carry_out(await db(say, conversation, text))
    finals = payloads(await db(log), "assistant.final")
    assert finals[-1]["text"] == phrases.say("not_understood", "fr")
    assert [final["locale"] for final in finals] == ["fr", "fr"]


@pytest.mark.one_in(4)
@every_language
async def test_a_card_and_its_receipt_are_in_the_customers_language(
    alice: Customer, conversation: Conversation, shop: FakeShop, speech: Speech, log: Log
) -> None:
    refund = call("refund_order", order_id="A-1001", reason=speech.wish)
    await turn(conversation, speech.wish, Says("", calls=(refund,)))
    [card] = payloads(await db(log), "action.proposed")
    [final] = payloads(await db(log), "assistant.final")
    assert (plain(card["summary"]), final["text"]) == (speech.card, speech.confirm)
    assert card["locale"] == final["locale"] == detect(speech.wish, "en")

    def confirm_and_run() -> None:
        with workspace_scope(conversation.workspace_id):
            confirm(card["request"], principal=signed_in_as(alice), digest=card["digest"])
            run_queued()
        deliver_due()

    await db(confirm_and_run)
    outcome = payloads(await db(log), "assistant.final")[-1]
    assert plain(outcome["text"]).startswith(speech.done)
    [done] = payloads(await db(log), "action.succeeded")
    assert outcome["locale"] == done["locale"] == card["locale"]


@pytest.mark.one_in(4)
@every_language
def test_notices_and_mails_are_in_the_customers_language(
    conversation: Conversation, bob: User, speech: Speech, log: Log
) -> None:
    say(conversation, speech.person)
    handoff.request(conversation.pk, reason="customer_asked", by="customer")
    ticket = Ticket.objects.get()
    handoff.set_contact_email(ticket.pk, email="mara@example.com")
    notices = [event["text"] for event in payloads(log(), "message") if event["source"] == "system"]
    assert notices[0].startswith(speech.away)
    assert notices[1] == speech.noted
    handoff.claim(ticket.pk, agent=bob)
    mark_customers_absent([conversation.pk])
    add_agent_message(conversation.pk, text="OK.", author=bob, client_id="1")
    deliver_due()
    send_mail()
    assert mail.outbox[-1].subject == speech.subject
