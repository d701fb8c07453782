"""Figures of texts, compared across spellings, units and languages."""

import pytest

from supportbot.language.figure_vocabulary import units_of
from supportbot.language.figures import all_figures_in, figures_in, figures_read_in, known_figures


def holds(source: str, sentence: str) -> bool:
    known = known_figures([source])
    found = figures_in(sentence)
    assert found, "the sentence has no figure"
    return all(known.holds(figure) for figure in found)


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("Open from 9 to 18 Uhr.", "Mon-Fri 9:00-18:00"),
        ("It takes two weeks.", "within 14 days"),
        ("Innerhalb von 14 Tagen.", "within two weeks"),
        ("Innerhalb von 30 Tagen.", "innerhalb von dreißig Tagen"),
        ("Kostet 6,90 €.", "costs €6.90"),
        ("It costs £1,234.50.", "1234,5 GBP"),
        ("Departure: 18:00 EST", "18:00:00"),
        ("Paid within 5 Werktagen.", "paid within 5 working days"),
        ("Paid in 2-3 working days.", "2 to 3 working days"),
        ("Am 5. März.", "on March 5th, 2024"),
        ("On 05.03.2024.", "5 March"),
        ("Le 6 mars.", "5 to 7 March and 6 March"),
        ("Up to 5 may be returned.", "5 items"),
        ("Mittwoch geöffnet.", "Monday to Saturday"),
        ("Samedi de 9 h à 18 h 30.", "9 am to 6:30 pm on Saturday"),
        ("Your order WF-20418.", "wf-20418 shipped"),
        ("60 minutes a day.", "one hour"),
        ("24 months.", "2 years"),
        ("16.5 % interest.", "16,5 percent"),
        ("There are 3 colours.", "three colours"),
        ("Dans un délai de 14 jours.", "14 Tage"),
        ("W ciągu 14 dni.", "within 14 days"),
        ("14 gün içinde.", "14 days"),
        ("50,000 miles.", "50 000 miles"),
        ("5 days", "| Germany | 5 |"),
        ("A charge of $45 a day.", "$45 per day"),
        ("5 € in 20 min.", "for 5 €, 20 minutes"),
        ("Le 2 février.", "02/02/2025"),
        ("17 Şubat'ta.", "17 February 2025"),
        ("Arrivée le 14 juillet, départ le 16.", "14–16 July"),
        ("Sur d'OL-2290.", "Order OL-2290"),
        ("Until 4 pm.", "| Sunday | 12–16 |"),
        ("Om 8.30 uur.", "at 8:30"),
        ("13.50'de.", "at 13:50"),
        ("At 13:50.", "Termin um 13.50 Uhr"),
        ("Saturday: 9.30 am – 7.30 pm", "| Saturday | 9.30 am – 7.30 pm |"),
        ("Until 7:30 p.m.", "from 9.30 am to 7.30 pm"),
        ("Treffpunkt: 14.30 am Montag.", "Montag, 14:30 Uhr"),
        ("Treffpunkt: 12.30 am Montag.", "Montag, 12:30 Uhr"),
        ("Kostet 2,5 am Tag.", "2,5 am Tag"),
        ("Kostet 2.50 am Tag.", "2.50 Franken pro Tag"),
        ("A partir de 1º de agosto.", "from 1 August"),
        ("Am Mittwoch.", "moved to Wednesdays"),
    ],
)
def test_a_figure_is_equal_in_another_spelling(sentence: str, source: str) -> None:
    assert holds(source, sentence)


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("It takes 30 minutes.", "30 days at 30 °C"),
        ("Return it within 90 days.", "within 60 days"),
        ("It costs $5.", "It costs 5 €."),
        ("Your order WF-99999.", "WF-20418"),
        ("On 5 March.", "5 April"),
        ("Sonntag geöffnet.", "Monday to Saturday"),
        ("Open until 19:00.", "9:00 to 18:00"),
        ("10 % off.", "10 days"),
        ("Pay $45.", "after 45 days"),
        ("Your reference is RF-3A9F.", "Reference RF-3F9A"),
        ("Le 2 mars.", "02/02/2025"),
        ("For three weeks.", "14 days"),
        ("Version 6.16.1.", "Version 6.16.0"),
        ("Om 8.30 uur.", "at 8:20"),
        ("Until 7.30 pm.", "from 7.30 am to 7 pm"),
        ("Until 7.30 pm on Saturdays.", "from 7.30 am to 7 pm"),
        ("From 7.30 am on Saturdays.", "from 7 am, for 7.30 €"),
        ("Am Mittwoch.", "moved to Tuesdays"),
    ],
)
def test_another_figure_or_unit_is_not_equal(sentence: str, source: str) -> None:
    assert not holds(source, sentence)


@pytest.mark.parametrize(
    "text", ["One of them, a second time.", "MP3, A4 and COVID-19", "It may be so.", "On my way to you"]
)
def test_a_word_that_looks_like_a_figure_is_not_one(text: str) -> None:
    assert figures_in(text) == ()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("zum 31.10. gekündigt", "Ihr Vertrag läuft am 31. Oktober aus."),
        ("baja con fecha 30/06", "Termina el 30 de junio."),
        ("opgezegd per 31-03", "Je abonnement eindigt op 31 maart."),
        ("frozen from 01/09 to 30/09", "It is frozen from 1 to 30 September."),
        ("on 5 March", "Am 5.3. kommt das Paket."),
        ("abonnement: 01/07-31/08", "Il est en pause du 1er juillet au 31 août."),
    ],
)
def test_a_day_and_month_without_a_year_may_be_written_in_digits(source: str, said: str) -> None:
    known = known_figures([source])
    assert all(known.holds(figure) for figure in figures_in(said))


@pytest.mark.parametrize(
    ("source", "said", "is_known"),
    [
        ("10 December, 8:00", "on 8 December", False),
        ("moved to 2026-12-09, 13:00", "am 13. Dezember", False),
        ("within 5 days, on 7 March at the latest", "on 5 March", False),
        ("from 5 to 7 March", "on 5 March", True),
        ("3 boxes for €8, until noon", "a las 8:00", False),
        ("open from 8 to 12 Uhr", "at 8:00", True),
    ],
)
def test_the_number_of_a_time_or_amount_is_neither_a_day_nor_an_hour(source: str, said: str, is_known: bool) -> None:
    known = known_figures([source])
    assert all(map(known.holds, figures_in(said))) is is_known


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("We hebben u een brief gestuurd.", "nl"),  # ends like "uur"
        ("Er is een auto voor u gehuurd.", "nl"),
        ("Ihr Arzt hat ein Rezept gestundet.", "de"),
    ],
)
def test_a_word_that_ends_almost_like_a_unit_is_none(text: str, language: str) -> None:
    assert figures_in(text, language) == ()


def test_a_decimal_at_the_end_of_a_sentence_is_not_a_date() -> None:
    assert known_figures(["costs €31.10."]).holds(figures_in("It costs €31.10.")[0])
    assert not known_figures(["on 31 October"]).holds(figures_in("It costs €31.10.")[0])
    assert not known_figures(["per 31-03"]).holds(figures_in("on 30 March")[0])


@pytest.mark.parametrize(
    ("text", "language", "unit"),
    [
        ("Size 42 fits.", "en", ""),
        ("42 programs, 3 buttons, 3 times", "en", ""),
        ("3 times om dagen", "da", "second"),
        ("5 Werktagen", "de", "second"),
        ("5 Werktagen", "en", ""),
        ("14 napos", "hu", "second"),
        ("w 14 dniach", "pl", "second"),
        ("42 feet, 42 ft, €42, 42 euros", "en", "millimetre EUR foot"),
    ],
)
def test_a_units_word_is_inflected_only_in_the_language_of_the_text(text: str, language: str, unit: str) -> None:
    read = {unit for figure in figures_read_in(text, language) for unit, _ in figure.readings if unit != "time"}
    assert read <= set(unit.split(" ")) and read
    assert [one.numbers for one in figures_read_in(text, language)] == [one.numbers for one in figures_in(text)]


def test_an_endless_word_is_not_a_unit() -> None:
    assert units_of("x" * 1_000_000 + "days") == frozenset() and units_of("days") == {"day"}


def test_a_word_of_the_texts_own_language_is_not_a_number_of_another() -> None:
    assert not all_figures_in("Blocked once you report the one card.", "en")
    assert len(all_figures_in("Hay once tarjetas.", "es")) == 1


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Het label is nog niet gebruikt.", "nl"),
        ("We zoeken een andere datum.", "nl"),
        ("Der Hersteller hat sich noch nicht gemeldet.", "de"),
        ("Piec jest w porządku.", "pl"),
    ],
)
def test_words_of_two_languages_are_not_a_figure(text: str, language: str) -> None:
    assert figures_in(text, language) == ()


@pytest.mark.parametrize(
    ("text", "language"),
    [("Een dag later.", "nl"), ("Za pięć dni.", "pl"), ("In zwei Wochen.", "de"), ("Faltan once semanas.", "es")],
)
def test_a_number_in_words_before_a_unit_is_a_figure(text: str, language: str) -> None:
    assert [one.kind for one in figures_in(text, language)] == ["measure"]


@pytest.mark.parametrize(
    ("text", "language", "kind", "reading"),
    [
        ("ten % off", "", "measure", ("percent", "10")),
        ("ten % off", "en", "measure", ("percent", "10")),
        ("fünf € mehr", "", "money", ("EUR", "5")),
        ("fünf € mehr", "de", "money", ("EUR", "5")),
        ("Only five $ more", "en", "money", ("USD", "5")),
        ("five US$ back", "en", "money", ("USD", "5")),
        ("€ five back", "en", "money", ("EUR", "5")),
        ("five €, 10 days ago", "en", "money", ("EUR", "5")),
        ("één € terug", "nl", "money", ("EUR", "1")),
        ("Het is twintig °C.", "nl", "measure", ("celsius", "20")),
    ],
)
def test_a_number_in_words_before_a_sign_is_a_figure_in_every_language(
    text: str, language: str, kind: str, reading: tuple[str, str]
) -> None:
    figure, *_ = figures_in(text, language)
    assert figure.kind == kind and reading in figure.readings


@pytest.mark.parametrize(
    ("text", "language"),
    [("Der Hersteller hat € 5 erstattet.", "de"), ("Een bon van het € 5 pakket.", "nl"), ("Hai € 5 di sconto.", "it")],
)
def test_a_sign_before_digits_is_not_counted_by_a_word_that_means_little(text: str, language: str) -> None:
    assert [one.numbers for one in figures_in(text, language)] == [{"5"}]


@pytest.mark.parametrize("text", ["One of the two $59.99 payments", "Two players pay $59.99, three or four $59.99"])
def test_a_sign_close_to_digits_belongs_to_them(text: str) -> None:
    assert {number for one in figures_in(text, "en") for number in one.numbers} == {"59.99"}


def test_a_weekdays_plural_has_six_letters_at_least() -> None:
    assert [len(all_figures_in(text, "en")) for text in ("on mons", "on Fridays", "on sundays")] == [0, 1, 1]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Delivery moved to Sat 18 Oct", {5}),
        ('{"day": "Thu", "window": "08:00-12:00"}', {3}),
        ("RDV créé : mar. 06/05 14:30", {1}),
        ("vr 3-4, zaal 2", {4}),
        ("| Sat | closed |", {5}),
        ("Mon–Fri 9–17", {0, 1, 2, 3, 4}),
        ("Mo-Fr", {0, 1, 2, 3, 4}),
        ("lun.-ven.", {0, 1, 2, 3, 4}),
        ("seg. a sex. das 9h", {0, 1, 2, 3, 4}),
        ("Freitag-Sonntag", {4, 5, 6}),
        ("do 08:00-17:00, wo 13-17 uur", {2, 3}),
        ("**Monday** to **Wednesday**", {0, 1, 2}),
        ("closed on Monday. Friday is market day", {0, 4}),
        ("Monday, Friday", {0, 4}),
        ("lundi et vendredi", {0, 4}),
        ("Mon or Fri at 9:00", {4}),
    ],
)
def test_an_abbreviated_weekday_is_recognised_where_it_means_a_day(text: str, days: set[int]) -> None:
    readings = {("weekday", str(day)) for day in days}
    assert {one for one in known_figures([text]).readings if one[0] == "weekday"} == readings


@pytest.mark.parametrize(
    "text",
    ["we sat 10 minutes", "from 10 to 12", "20 km per 10 hours", "So 14 days later", "So 2-3 weeks", "Do 2 things",
     "the man 5 years later", "Fri, 10 white roses"],
)  # fmt: skip
def test_a_word_like_an_abbreviation_is_not_a_weekday(text: str) -> None:
    assert not any(unit == "weekday" for unit, _ in known_figures([text]).readings)


def test_a_fraction_may_be_a_day_only_in_a_note() -> None:
    (day,) = figures_in("il 3 agosto", "it")
    assert known_figures([], notes=["sedia a rotelle 3/8: prenotata"]).holds(day)
    assert known_figures([], notes=["pausa 1/8-3/8"]).holds(day)
    assert not known_figures(["3/8 inch"]).holds(day)
    assert not known_figures([], notes=["protocol 1/3/8"]).holds(day)


def test_a_range_of_times_with_dots_is_not_a_date() -> None:
    known = known_figures(["yarın 14.00-16.00 arası"])
    assert all(map(known.holds, figures_in("14:00 ile 16:00 arası", "tr")))


def test_a_dotted_number_may_be_a_day_only_in_a_note() -> None:
    (day,) = figures_in("on 16 September", "en")
    assert known_figures([], notes=["appointment 16.09 unchanged"]).holds(day)
    assert not known_figures(["| 16.09 |"]).holds(day)
    assert not known_figures([], notes=["paid 16.09 EUR"]).holds(day)
    assert not known_figures([], notes=["rated 9.16 on average"]).holds(day)


def test_a_date_in_digits_names_its_year() -> None:
    (year,) = [one for one in figures_in("until the end of 2026", "en") if "2026" in one.numbers]
    assert known_figures(["cancelled, ends 2026-12-31"]).holds(year)
    assert not known_figures(["cancelled, ends 2025-12-31"]).holds(year)
