"""An e-mail address in a message is used only if the customer says that it is their own, in each of our languages."""

import pytest

from supportbot.language.email_addresses import addresses_in, own_addresses_in, volunteered_addresses_in

MINE = "mara@example.com"
OFFERED = {
    "en": "I want to talk to a person, my address is {}",
    "de": "Bitte einen Menschen. Schreiben Sie mir an {}.",
    "fr": "Je voudrais parler à quelqu’un, vous pouvez m’écrire à {}",
    "es": "Quiero hablar con una persona, mi correo es {}",
    "it": "Vorrei parlare con qualcuno, potete scrivermi a {}",
    "nl": "Ik wil een medewerker spreken, mijn e-mailadres is {}",
    "pl": "Chcę rozmawiać z człowiekiem, mój adres to {}",
    "pt": "Quero falar com uma pessoa, o meu e-mail é {}",
    "tr": "Bir temsilci istiyorum, {} adresinden bana ulaşabilirsiniz",
    "ar": "أريد التحدث مع شخص، بريدي الإلكتروني هو {}",
}
MENTIONED = {
    "en": "I want a person, my daughter {} got the wrong parcel",
    "de": "Bitte einen Menschen, mein Nachbar {} hat das Paket",
    "fr": "Je veux un conseiller, ma fille {} a reçu le colis",
    "es": "Quiero una persona, mi hija {} recibió el paquete",
    "it": "Vorrei una persona, mia figlia {} ha ricevuto il pacco",
    "nl": "Ik wil iemand spreken, mijn buurman {} heeft het pakket",
    "pl": "Proszę o rozmowę, moja córka {} ma paczkę",
    "pt": "Quero uma pessoa, minha filha {} recebeu a encomenda",
    "tr": "Bir temsilci istiyorum, {} bana yanlış paketi yazdı",
    "ar": "أريد شخصا، ابنتي {} استلمت الطرد",
}
REPLACED = {
    "en": "new@example.com, not to my old {}",
    "de": "new@example.com, nicht mehr an {}",
    "fr": "new@example.com, pas l’ancienne adresse {}",
    "es": "new@example.com, no a la antigua {}",
    "it": "new@example.com, non al vecchio {}",
    "nl": "new@example.com in plaats van {}",
    "pl": "new@example.com, nie na stary {}",
    "pt": "new@example.com em vez do antigo {}",
    "tr": "{} değil, new@example.com",
    "ar": "new@example.com وليس على {}",
}


@pytest.mark.parametrize("language", OFFERED)
def test_an_address_that_the_customer_offers_is_theirs(language: str) -> None:
    text = OFFERED[language].format(MINE)
    assert (volunteered_addresses_in(text), own_addresses_in(text)) == ([MINE], [MINE])


@pytest.mark.parametrize("language", MENTIONED)
def test_somebody_elses_address_is_not_offered(language: str) -> None:
    assert volunteered_addresses_in(MENTIONED[language].format(MINE)) == []


@pytest.mark.parametrize("language", REPLACED)
def test_an_address_that_is_ruled_out_does_not_count(language: str) -> None:
    assert addresses_in(REPLACED[language].format(MINE)) == ["new@example.com"]


@pytest.mark.parametrize(
    "text",
    [
        "Is support@shop.test your address for complaints?",
        "Est-ce que support@shop.test est votre adresse de réclamation ?",
        "Bu support@shop.test sizin şikayet adresiniz mi acaba?",
        "Este mes support@shop.test no ha respondido a nadie",
    ],
)
def test_a_mentioned_address_is_not_the_customers(text: str) -> None:
    assert own_addresses_in(text) == []
