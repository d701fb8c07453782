"""Definitions must prove to whom a record belongs: the subject, and every record that the call of a write names."""

from typing import Any

import pytest

from actions.definitions.document_warnings import advice
from actions.definitions.errors import InvalidDefinition
from actions.definitions.parsing.document import check_draft, missing, parse_document
from tests.actions.definitions.documents import EXCHANGE, changed
from tests.actions.definitions.test_documents import mistakes


@pytest.mark.parametrize("subject", ["arguments.order_id", "variants[0].id", "'A-1'", "order.id + arguments.order_id"])
def test_a_subject_without_proof_of_its_owner_is_a_mistake(subject: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(changed(EXCHANGE, "subject.id", subject))
    assert refused.value.fields["subject.id"][0].startswith("Read the id from a record that has an owner")


def test_a_subject_may_be_the_customer() -> None:
    assert parse_document(changed(EXCHANGE, "subject.id", "identity.sub")).subject is not None


@pytest.mark.parametrize("owner", ["identity.sub", "arguments.order_id", "variants[0].owner", "'cus_alice'"])
def test_an_owner_that_would_be_true_for_any_record_is_a_mistake(owner: str) -> None:
    lookups = [dict(one) for one in EXCHANGE["lookups"]]
    lookups[0]["owner"] = owner
    document = {**EXCHANGE, "lookups": lookups[::-1]}  # the public look-up comes first
    with pytest.raises(InvalidDefinition) as refused:
        check_draft(document)
    assert refused.value.fields["lookups[1].owner"][0].startswith("This is true of every record.")


@pytest.mark.parametrize(
    ("call", "owner"),
    [
        ({"method": "GET", "path": "/customers/{identity.sub}/orders/{arguments.order_id}"}, "identity.sub"),
        ({"method": "GET", "path": "/orders", "query": {"of": "{arguments.customer_id}"}}, "identity.sub"),
        ({"method": "GET", "path": "/orders/{arguments.order_id}"}, "identity.sub if order.id != null else null"),
    ],
)
def test_the_customer_whom_the_call_names_may_be_the_owner(call: dict[str, Any], owner: str) -> None:
    first, *others = EXCHANGE["lookups"]
    check_draft({**EXCHANGE, "lookups": [{**first, "call": call, "owner": owner}, *others]})


WEEKLY = {"value": "weekly", "label": {"en": "Weekly", "de": "Wöchentlich"}}
GUEST_ARGUMENTS: dict[str, Any] = {
    "guest_id": {"type": "string", "description": "The guest."},
    "often": {"type": "choice", "description": "How often.", "options": [WEEKLY]},
    "day": {"type": "date", "description": "From when on."},
    "worded": {"type": "string", "from": "server", "value": "arguments.guest_id"},
    "me": {"type": "string", "from": "identity"},
    "note": {"type": "string", "description": "Words."},
    "story": {"type": "string", "description": "Many words.", "max_length": 201},
    "count": {"type": "integer", "description": "How many."},
    "people": {
        "type": "list",
        "description": "Who.",
        "of": {"type": "object", "fields": {"name": {"type": "string"}, "age": {"type": "integer"}}},
    },
}
GUEST_LOOKUP = EXCHANGE["lookups"][0] | {
    "name": "guest", "call": {"method": "GET", "path": "/guests/{arguments.guest_id}"}, "owner": "guest.id",
    "otherwise": {"code": "guest_not_found", "words": {"en": "No.", "de": "Nein."}},
}  # fmt: skip
PUBLIC_LOOKUP = {"name": "guest", "call": GUEST_LOOKUP["call"], "public": True}


def newsletter(call: dict[str, Any], *lookups: dict[str, Any]) -> dict[str, Any]:
    """Return a write about the customer's account with this call."""
    without = {name: one for name, one in EXCHANGE.items() if name not in ("money", "guards", "lookups", "labels")}
    texts = {"en": "x", "de": "x"}
    outcome = {name: one for name, one in EXCHANGE["outcome"].items() if name != "in_progress"}  # it reads the order
    return without | {
        "outcome": outcome,
        "risk": "change", "arguments": GUEST_ARGUMENTS, "lookups": list(lookups),
        "limits": {"max_requests_per_customer_day": 3}, "approval": None,
        "values": {"whoever": "arguments.worded"}, "subject": {"kind": "account", "id": "identity.sub"},
        "call": {"method": "POST", "key": {"header": "Idempotency-Key"}} | call, "receipt": None, "undo": None,
        "card": {"title": texts, "summary": texts, "button": texts},
    }  # fmt: skip


ANYBODY = "arguments.guest_id.from"
WORDS = "arguments.note.names_no_record"
UNNAMED: dict[str, Any] = {"path": "/callbacks", "names_no_customer": True}


@pytest.mark.parametrize(
    ("call", "lookups", "lacks"),
    [
        ({"path": "/guests/{arguments.guest_id}/newsletter"}, (), [ANYBODY]),
        ({"path": "/guests/{arguments.guest_id}/x", "body": {"by": "{identity.sub}"}}, (), [ANYBODY]),
        ({"path": "/guests/{arguments.worded}/newsletter"}, (), [ANYBODY]),
        ({"path": "/guests/{whoever}/newsletter"}, (), [ANYBODY]),
        ({"path": "/guests/{arguments.guest_id}/newsletter"}, (GUEST_LOOKUP,), []),
        ({"path": "/guests/{guest.id}/newsletter"}, (GUEST_LOOKUP,), []),
        ({"path": "/guests/{arguments.guest_id}/x", "body": {"by": "{identity.sub}"}}, (PUBLIC_LOOKUP,), []),
        ({"path": "/guests/{arguments.me}/newsletter"}, (), []),
        ({"path": "/guests/{identity.sub}/notes/{arguments.guest_id}"}, (), []),
        ({"path": "/newsletters/{arguments.often}/{arguments.day}/{identity.sub}"}, (), []),
        ({"path": "/newsletter", "body": {"guest": "{arguments.guest_id}"}}, (), ["call.body"]),
        ({"path": "/newsletter", "query": {"guest": "{arguments.guest_id}"}}, (), ["call.path"]),
        ({"path": "/newsletter", "body": {"guest": "{arguments.guest_id}"}}, (PUBLIC_LOOKUP,), ["call.body"]),
        ({"path": "/newsletter", "body": {"guest": "{arguments.guest_id}"}}, (GUEST_LOOKUP,), []),
        ({"path": "/newsletter", "body": {"text": "{arguments.guest_id}", "me": "{arguments.me}"}}, (), [ANYBODY]),
        (
            {"path": "/newsletter", "body": {"text": "{arguments.guest_id}", "me": "{arguments.me}"}},
            (GUEST_LOOKUP,),
            [],
        ),
        ({"path": "/newsletter", "body": {"by": "{arguments.me}", "of": {"guestId": "{whoever}"}}}, (), [ANYBODY]),
        ({"path": "/newsletter/{identity.sub}", "query": {"x": "{arguments.guest_id}"}}, (), [ANYBODY]),
        ({"path": "/newsletter/{identity.sub}", "headers": {"X-Id": "{arguments.note}"}}, (), ["arguments.note.from"]),
        ({"path": "/newsletter/{identity.sub}", "body": {"paid": "{arguments.note}"}}, (), [WORDS]),
        ({"path": "/newsletter/{identity.sub}", "query": {"paid?": "{arguments.note}"}}, (), [WORDS]),
        ({"path": "/newsletter/{identity.sub}", "headers": {"X-Loan": "of {arguments.note}"}}, (), [WORDS]),
        ({"path": "/newsletter/{identity.sub}", "body": {"loan": "{arguments.note} of {identity.sub}"}}, (), []),
        (
            {"path": "/newsletter/{identity.sub}", "body": {"x": ["{arguments.people}"]}},
            (),
            ["arguments.people.names_no_record"],
        ),
        ({"path": "/newsletter/{identity.sub}", "body": {"text": "{arguments.story}"}}, (), []),
        ({"path": "/newsletter/{identity.sub}", "body": {"count": "{arguments.count}"}}, (), []),
        ({"path": "/newsletter/{identity.sub}", "body": {"loanId": "{arguments.count}"}}, (), ["arguments.count.from"]),
        ({"path": "/newsletter/{identity.sub}", "body": {"id": "{arguments.often}"}}, (), []),
        ({"path": "/newsletter", "body": {"often": "{arguments.often}"}}, (), []),
        # A call that names no customer needs no owner, but its arguments must not name anybody's record.
        (UNNAMED | {"body": {"text": "{arguments.story}", "count": "{arguments.count}"}}, (), []),
        (UNNAMED | {"body": {"text": "{arguments.note}"}}, (), [WORDS]),
        (UNNAMED | {"body": {"guest": "{arguments.guest_id}"}}, (), [ANYBODY]),
        (UNNAMED | {"body": {"loanId": "{arguments.count}"}}, (), ["arguments.count.from"]),
        (UNNAMED | {"path": "/guests/{arguments.guest_id}"}, (), [ANYBODY]),
    ],
)
def test_ids_in_the_call_of_a_write_must_be_proven_to_be_the_customers(
    call: dict[str, Any], lookups: tuple[dict[str, Any], ...], lacks: list[str]
) -> None:
    document = newsletter(call, *lookups)
    check_draft(document)  # an import may create such a draft
    assert missing(document) == lacks
    if lacks:
        assert "This is required." not in mistakes(document)[lacks[0]]
    else:
        parse_document(document)


SENT = {"path": "/newsletter/{identity.sub}", "body": {"guest_id": "{arguments.guest_id}"}}


def test_a_guard_that_compares_an_id_with_the_customers_own_record_proves_it() -> None:
    guest = GUEST_LOOKUP | {"call": {"method": "GET", "path": "/guests/{identity.sub}"}}
    words = {"en": "No.", "de": "Nein."}
    guard = {"name": "of_party", "require": "arguments.guest_id in guest.party", "code": "stranger", "words": words}
    assert missing(newsletter(SENT, guest)) == [ANYBODY]
    assert missing(newsletter(SENT, guest) | {"guards": [guard]}) == []
    nothing = guard | {"require": "arguments.guest_id != ''"}
    assert missing(newsletter(SENT, guest) | {"guards": [nothing]}) == [ANYBODY]


def test_a_guard_proves_a_text_whatever_its_name() -> None:
    guest = GUEST_LOOKUP | {"call": {"method": "GET", "path": "/guests/{identity.sub}"}}
    sent = {"path": "/loans/{identity.sub}", "body": {"loan": "{arguments.note}"}}
    words = {"en": "No.", "de": "Nein."}
    guard = {"name": "theirs", "require": "arguments.note in guest.loans", "code": "stranger", "words": words}
    assert missing(newsletter(sent, guest)) == [WORDS]
    assert "own words" in mistakes(newsletter(sent, guest))[WORDS][0]
    assert missing(newsletter(sent, guest) | {"guards": [guard]}) == []
    found_by = guest | {"call": {"method": "GET", "path": "/loans/{arguments.note}"}}
    assert missing(newsletter(sent, found_by)) == []


@pytest.mark.parametrize("argument", ["note", "people"])
def test_an_author_may_declare_a_text_to_be_the_customers_own_words(argument: str) -> None:
    document = newsletter({"path": "/n/{identity.sub}", "body": {"loan": f"{{arguments.{argument}}}"}})
    said = document["arguments"][argument] | {"names_no_record": True}
    assert missing(document) == [f"arguments.{argument}.names_no_record"]
    assert parse_document(document, is_published=True).name == "exchange_item"
    assert missing(document | {"arguments": {**document["arguments"], argument: said}}) == []


def test_an_author_may_declare_that_an_argument_names_no_record() -> None:
    document = newsletter(SENT)
    said = document["arguments"]["guest_id"] | {"names_no_record": True}
    assert missing(document | {"arguments": {**document["arguments"], "guest_id": said}}) == []


def test_a_published_version_stays_valid_even_if_it_could_not_be_published_today() -> None:
    assert parse_document(newsletter(SENT), as_made=True).name == "exchange_item"
    assert parse_document(newsletter(SENT), is_published=True).name == "exchange_item"
    with pytest.raises(InvalidDefinition):
        parse_document(newsletter(SENT))


@pytest.mark.parametrize(
    ("call", "path"),
    [
        ({"path": "/guests/{arguments.guest_id}/newsletter", "body": {"by": "{identity.sub}"}}, ANYBODY),
        ({"path": "/newsletter", "body": {"guest_id": "{arguments.guest_id}"}}, "call.body"),
    ],
)
def test_a_published_version_still_needs_proof_for_its_path_and_its_customer(call: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(newsletter(call), is_published=True)
    assert list(refused.value.fields) == [path]


@pytest.mark.parametrize(
    ("rows", "is_warned"),
    [([], True), ([("Day", "arguments.day")], True), ([("Who", "whoever"), ("Day", "arguments.day")], False)],
)
def test_a_card_that_hides_an_argument_of_the_call_causes_a_warning(
    rows: list[tuple[str, str]], is_warned: bool
) -> None:
    document = newsletter({"path": "/n/{identity.sub}", "body": {"a": "{arguments.guest_id}", "b": "{arguments.day}"}})
    document["arguments"] = {
        **document["arguments"], "guest_id": document["arguments"]["guest_id"] | {"names_no_record": True}
    }  # fmt: skip
    shown = [{"label": {"en": label, "de": label}, "value": value} for label, value in rows]
    told = [one.text for one in advice(document | {"card": document["card"] | {"rows": shown}})]
    assert bool(told) is is_warned
    assert not is_warned or "guest_id" in told[0]


NESTED = {"type": "list", "of": {"type": "object", "fields": {"sku": {"type": "string"}}}}


@pytest.mark.parametrize(
    ("argument", "is_warned"),
    [
        ({**NESTED, "min_items": 3}, False),
        ({"type": "object", "fields": {"to": {"type": "object", "fields": {"city": {"type": "string"}}}}}, False),
        ({"type": "object", "fields": {"items": NESTED}}, True),
        ({"type": "object", "fields": {"items": NESTED}, "required": False}, False),
        ({"type": "object", "fields": {"items": NESTED}, "from": "server", "value": "1"}, False),
        ({**NESTED, "min_items": 21, "max_items": 30, "from": "model"}, True),
        ({"type": "list", "of": {"type": "list", "of": {"type": "string"}}}, True),
    ],
)
def test_the_page_warns_about_an_argument_that_the_chat_cannot_ask_for(
    argument: dict[str, Any], is_warned: bool
) -> None:
    draft = {"format": 1, "name": "x", "arguments": {"lines": {"description": "What to order.", **argument}}}
    check_draft(draft)
    told = [one for one in advice(draft) if "the chat cannot ask for lines" in one.text]
    assert {one.path for one in told} <= {"arguments.lines"}
    assert bool(told) is is_warned


def test_a_card_with_a_record_need_not_show_the_argument_that_found_it() -> None:
    document = newsletter({"path": "/guests/{guest.id}/x", "body": {"who": "{arguments.guest_id}"}}, GUEST_LOOKUP)
    rows = [{"label": {"en": "Guest", "de": "Gast"}, "value": "guest.name"}]
    assert advice(document | {"card": document["card"] | {"rows": rows}}) == []


@pytest.mark.parametrize(
    ("values", "hidden"),
    [
        ([], "goods"),
        (["map(arguments.goods, g, g.sku)"], "goods.size.unit"),
        (["map(arguments.goods, g, g.sku)", "map(filter(arguments.goods, x, x.sku != ''), g, g.size.unit)"], ""),
        (["first(arguments.goods, g, g.sku == 'x').size.unit", "arguments.goods[0].sku"], ""),
        (["filter(arguments.goods, g, true)[0].sku", "map(map(arguments.goods, g, g.size), s, s.unit)"], ""),
        (["map(filter(arguments.goods, x, x.size.unit == 'kg'), g, g.sku)"], "goods.size.unit"),
        (["count(arguments.goods, g, g.sku == g.size.unit)"], "goods.sku, goods.size.unit"),
        (["count(arguments.goods)"], "goods.sku, goods.size.unit"),
        (["whatever"], ""),  # the shown value is computed from the argument
    ],
)
def test_a_card_that_hides_a_field_of_the_call_causes_a_warning(values: list[str], hidden: str) -> None:
    size = {"type": "object", "fields": {"unit": {"type": "string"}}}
    fields = {"sku": {"type": "string"}, "size": size, "note": {"type": "string", "required": False}}
    goods = {
        "type": "list",
        "description": "What.",
        "of": {"type": "object", "fields": fields},
        "names_no_record": True,
    }
    document = newsletter({"path": "/n/{identity.sub}", "body": {"goods": "{arguments.goods}"}})
    document |= {"arguments": {"goods": goods}, "values": {"whatever": "map(arguments.goods, g, g.sku + g.size.unit)"}}
    rows = [{"label": {"en": "Goods", "de": "Ware"}, "value": value} for value in values]
    told = [one.text for one in advice(document | {"card": document["card"] | {"rows": rows}})]
    assert [one.partition("does not show ")[2].partition(", which")[0] for one in told] == ([hidden] if hidden else [])


@pytest.mark.parametrize(
    ("named", "lookups"),
    [("{identity.sub}", ()), ("{arguments.me}", ()), ("{guest.phone}", (GUEST_LOOKUP,))],
)
def test_a_call_that_names_the_customer_cannot_be_declared_to_name_none(
    named: str, lookups: tuple[dict[str, Any], ...]
) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        check_draft(newsletter(UNNAMED | {"body": {"who": named}}, *lookups))
    assert list(refused.value.fields) == ["call.names_no_customer"]
