"""The customers of Wrenfell Outdoor: the people of the demo's story first, then generated ones.

All names, streets and e-mail addresses are made up; `mail.example` can never receive anything (RFC 2606).
"""

import unicodedata
from dataclasses import dataclass

from shop.models import Currency, Customer


@dataclass(frozen=True)
class Person:
    name: str
    locale: str
    line1: str
    postal_code: str
    city: str
    country: str
    payment: str

    @property
    def currency(self) -> str:
        return Currency.CHF if self.country == "CH" else Currency.EUR


# Scripts and visitors see the first ten first; all of them pay in euros.
FIRST_TEN = (
    Person("Mara Lindner", "en", "Habsburgerstraße 62", "79104", "Freiburg", "DE", "Visa •••• 4417"),
    Person("Jonas Weber", "de", "Talstraße 8", "79102", "Freiburg", "DE", "Mastercard •••• 2093"),
    Person("Priya Raman", "en", "Sonnenallee 140", "12059", "Berlin", "DE", "Visa •••• 8120"),
    Person("Tom Okafor", "en", "Eppendorfer Weg 31", "20259", "Hamburg", "DE", "PayPal"),
    Person("Samir Haddad", "ar", "Venloer Straße 221", "50823", "Köln", "DE", "Visa •••• 6034"),
    Person("Élodie Garnier", "fr", "14 rue des Orfèvres", "67000", "Strasbourg", "FR", "Visa •••• 5518"),
    Person("Léa Martin", "fr", "3 quai Saint-Vincent", "69001", "Lyon", "FR", "Mastercard •••• 7746"),
    Person("Anna Hofer", "de", "Leopoldstraße 9", "6020", "Innsbruck", "AT", "Visa •••• 3371"),
    Person("Felix Brenner", "de", "Karlstraße 77", "76137", "Karlsruhe", "DE", "SEPA •••• 902"),
    Person("Greta Sommer", "de", "Marienplatz 4", "88212", "Ravensburg", "DE", "Mastercard •••• 1180"),
)

_GIVEN_NAMES = (
    "Aylin", "Ben", "Carla", "David", "Eva", "Finn", "Hannes", "Ida", "Jakob", "Klara",
    "Lukas", "Mila", "Nils", "Olga", "Paul", "Rosa", "Simon", "Tilda", "Urs", "Vera",
    "Wanda", "Yusuf", "Zoe", "Andrea", "Beat",
)  # fmt: skip
_FAMILY_NAMES = ("Ackermann", "Bachmann", "Conti", "Dietrich", "Egger", "Fuchs", "Gerber", "Huber")
_PLACES = (
    ("Lindenweg", "79100", "Freiburg", "DE", "de"),
    ("Bahnhofstrasse", "8001", "Zürich", "CH", "de"),
    ("Gartenstraße", "72074", "Tübingen", "DE", "de"),
    ("Rue du Lac", "1003", "Lausanne", "CH", "fr"),
    ("Hauptstraße", "69117", "Heidelberg", "DE", "en"),
    ("Mariahilfer Straße", "1060", "Wien", "AT", "de"),
)
_INVENTED = 50


def people() -> list[Person]:
    """Return everyone in the order of their customer numbers, the same every time."""
    return [*FIRST_TEN, *(_invent(index) for index in range(_INVENTED))]


def _invent(index: int) -> Person:
    street, postal_code, city, country, locale = _PLACES[index % len(_PLACES)]
    given = _GIVEN_NAMES[index % len(_GIVEN_NAMES)]
    # 25 given names, and family names shifted each round, so that no two people share both.
    family = _FAMILY_NAMES[(index + index // len(_GIVEN_NAMES)) % len(_FAMILY_NAMES)]
    card = f"{'Visa' if index % 2 else 'Mastercard'} ending {1000 + 173 * index % 9000}"
    return Person(f"{given} {family}", locale, f"{street} {3 + 2 * index}", postal_code, city, country, card)


def customer_id(number: int) -> str:
    """Return the id of the person at this position in `people()`."""
    return f"cus_{1001 + number}"


def customer_of(number: int, person: Person) -> Customer:
    plain = unicodedata.normalize("NFKD", person.name).encode("ascii", "ignore").decode()
    email = f"{plain.lower().replace(' ', '.')}@mail.example"
    return Customer(id=customer_id(number), name=person.name, email=email, locale=person.locale)
