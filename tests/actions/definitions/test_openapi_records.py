"""Records in drafts from OpenAPI files: how a call's record is looked up, and who its owner may be."""

from typing import Any

import pytest

from actions.definitions.bodies import compile_body
from tests.actions.definitions.openapi_files import RECORDS, SUPPLIER, WRAPPED, drafts


def test_a_record_that_the_call_names_is_looked_up_and_its_owner_is_left_to_a_person() -> None:
    draft = drafts(RECORDS)["renew"]
    assert draft.document["lookups"] == [
        {"name": "loan", "call": {"method": "GET", "path": "/loans/{arguments.loan_id}"}}
    ]
    assert draft.suggestions["lookups[0].owner"] == "loan.memberId"
    assert (draft.suggestions["subject.kind"], draft.suggestions["subject.id"]) == ("loan", "loan.loanId")
    assert {"lookups[0].owner", "subject"} <= set(draft.missing)
    assert drafts(RECORDS)["refund"].document["lookups"][0]["call"]["path"] == "/deposits/{arguments.deposit_id}"


def test_the_record_above_a_call_is_looked_up_whatever_its_number_is_called() -> None:
    draft = drafts(WRAPPED)["move"]
    path = "/branches/{arguments.branch}/visits/{arguments.code}"
    assert draft.document["lookups"] == [{"name": "visit", "call": {"method": "GET", "path": path}}]
    assert draft.suggestions["lookups[0].owner"] == "visit.data.holder.ref"
    assert draft.suggestions["subject.id"] == "visit.data.code"
    assert {"lookups[0].owner", "subject"} <= set(draft.missing)


@pytest.mark.parametrize(
    ("inside", "owner"),
    [
        ("patient: {type: object, properties: {id: {type: string}, name: {type: string}}}", "visit.data.patient.id"),
        ("patient: {type: object, properties: {name: {type: string}}}", None),
        ("patient: {properties: {id: {type: string}}}, room: {properties: {id: {type: string}}}", None),
        ("room: {properties: {id: {type: string}}}, userId: {type: string}", "visit.data.userId"),
    ],
)
def test_the_only_id_inside_a_record_is_suggested_as_its_owner(inside: str, owner: str | None) -> None:
    paths = """
openapi: 3.1.0
paths:
  /visits/{ref}:
    parameters: [{name: ref, in: path, required: true, schema: {type: string}}]
    get:
      operationId: visit
      responses:
        "200": {content: {application/json: {schema: {properties: {data: {properties: {
          ref: {type: string}, day: {type: string}, INSIDE}}}}}}}
  /visits/{ref}/moves:
    parameters: [{name: ref, in: path, required: true, schema: {type: string}}]
    post: {operationId: move, responses: {"200": {description: ok}}}
"""
    draft = drafts(paths.replace("INSIDE", inside))["move"]
    assert draft.suggestions.get("lookups[0].owner") == owner
    assert "lookups[0].owner" in draft.missing


HIRE = """
openapi: 3.1.0
paths:
  /rentals/{rental_id}:
    parameters: [{name: rental_id, in: path, required: true, schema: {type: string}}]
    get:
      operationId: rental
      responses: {"200": {content: {application/json: {schema: {properties: {
        rental_id: {type: string}, driver_id: {type: string}, car_id: {type: string}, MORE}}}}}}
  /cars/{car_id}:
    parameters: [{name: car_id, in: path, required: true, schema: {type: string}}]
    get: {operationId: car, responses: {"200": {content: {application/json: {schema: {properties: {car_id: {type: string}}}}}}}}
  /drivers/{driver_id}/rentals:
    parameters: [{name: driver_id, in: path, required: true, schema: {type: string}}]
    get: {operationId: rentals, responses: {"200": {description: ok}}}
  /rentals/{rental_id}/extension:
    parameters: [{name: rental_id, in: path, required: true, schema: {type: string}}]
    post: {operationId: extend, responses: {"200": {description: ok}}}
  /offers:
    post:
      operationId: offer
      requestBody: {content: {application/json: {schema: {properties: {agentId: {type: string}, guestId: {type: string}}}}}}
      responses: {"200": {description: ok}}
"""  # noqa: E501 -- a file


def test_an_id_that_no_operation_reads_is_suggested_as_the_owner_or_the_customer() -> None:
    found = drafts(HIRE.replace("MORE", "note: {type: string}"))
    assert found["extend"].suggestions["lookups[0].owner"] == "rental.driver_id"
    assert found["rental"].suggestions["lookups[0].owner"] == "record.driver_id"
    assert "lookups[0].owner" not in found["car"].suggestions
    assert found["rentals"].suggestions["arguments.driver_id.from"] == "identity"
    assert found["rentals"].suggestions["lookups[0].owner"] == "identity.sub"
    assert not any(path.endswith(".from") for path in found["extend"].suggestions)
    assert [check.partition(":")[0] for check in found["rentals"].checks] == ["driver_id"]
    assert found["rentals"].document["arguments"]["driver_id"].get("from") is None  # only suggested


def test_one_of_several_such_ids_is_suggested_only_if_it_is_clear_which() -> None:
    text = HIRE.replace("MORE", "branch_id: {type: string}")
    assert drafts(text)["extend"].suggestions["lookups[0].owner"] == "rental.driver_id"
    draft = drafts(text.replace("/drivers/{driver_id}/rentals", "/drivers/{driver_id}"))["extend"]
    assert draft.suggestions["lookups[0].owner"] == "rental.branch_id"  # a driver is then a record of its own
    draft = drafts(text.replace("/drivers/{driver_id}/rentals", "/rentals-of/{driver_id}.json"))["extend"]
    assert "lookups[0].owner" not in draft.suggestions
    assert any("rental.driver_id, rental.branch_id" in check for check in draft.checks)
    offer = drafts(text)["offer"]
    assert not any(path.endswith(".from") for path in offer.suggestions)
    assert offer.checks == []  # no record names an agent or a guest


def test_the_owner_of_a_look_up_is_suggested() -> None:
    found = drafts(WRAPPED)
    assert found["visit"].suggestions["lookups[0].owner"] == "record.data.holder.ref"
    assert "lookups[0].owner" not in found["visits"].suggestions
    named = "operationId: visits\n      parameters: [{name: customerId, in: query, schema: {type: string}}]"
    of_customer = WRAPPED.replace("operationId: visits", named)
    assert drafts(of_customer)["visits"].suggestions["lookups[0].owner"] == "identity.sub"
    assert "lookups[0].owner" in drafts(of_customer)["visits"].missing


def test_a_field_named_after_a_record_is_left_for_a_person_to_check() -> None:
    text = RECORDS.replace(
        "deposit_id: {type: string}", "deposit_id: {type: string}\n                loan: {type: integer}"
    )
    draft = drafts(text)["refund"]
    [check] = [one for one in draft.checks if one.startswith("loan: ")]
    assert "GET /loans/{loanId}" in check
    # A whole number is requested like a text, so it cannot be published without proof of its owner.
    assert draft.document["arguments"]["loan"]["type"] == "string"
    sent = compile_body({"loan?": draft.document["call"]["body"]["loan?"]})
    given: list[dict[str, Any]] = [{}, {"loan": None}, {"loan": "0417"}]
    assert [sent.render({"arguments": one}) for one in given] == [{}, {}, {"loan": 417}]
    draft.document["call"]["body"]["by"] = "{identity.sub}"
    assert "arguments.loan.names_no_record" in draft.missing
    assert not any("loan: " in check for check in drafts(RECORDS)["renew"].checks)


def test_a_record_is_looked_up_by_its_number_and_the_customers_own_by_their_identity() -> None:
    book, pay = drafts(SUPPLIER)["book"], drafts(SUPPLIER)["pay"]
    assert [one["call"]["path"] for one in book.document["lookups"]] == ["/contracts/{arguments.contract_number}"]
    assert book.suggestions["lookups[0].owner"] == "contract.holder.account_id"
    assert (book.suggestions["subject.kind"], book.suggestions["subject.id"]) == (
        "contract", "contract.contract_number",
    )  # fmt: skip
    assert [one["call"]["path"] for one in pay.document["lookups"]] == ["/accounts/{arguments.account_id}"]
    assert pay.document["arguments"]["account_id"] == {"type": "string", "from": "identity"}
    assert pay.suggestions["lookups[0].owner"] == pay.suggestions["subject.id"] == "account.account_id"


CLINIC = """
openapi: 3.1.0
info: {title: A clinic, version: "1"}
paths:
  /patients/{patient_number}:
    get: {responses: {"200": {content: {application/json: {schema: {properties: {patient_number: {type: string}}}}}}}}
  /appointments/{appointment_id}:
    get:
      operationId: appointment
      responses:
        "200":
          content:
            application/json:
              schema:
                properties:
                  appointment_id: {type: integer}
                  patient_id: {type: integer}
                  clinic_id: {type: integer}
  /appointments/{appointment_id}/cancellations:
    post:
      operationId: cancel
      parameters: [{name: appointment_id, in: path, required: true, schema: {type: string}}]
      responses: {"200": {}}
  /accounts/{account_number}:
    get:
      operationId: account
      responses:
        "200":
          content:
            application/json:
              schema:
                properties: {account_number: {type: string}, account_id: {type: string}, holder: {type: string}}
  /accounts/{account_number}/payouts:
    post:
      operationId: pay
      parameters: [{name: account_number, in: path, required: true, schema: {type: string}}]
      responses: {"200": {}}
"""


@pytest.mark.parametrize("name", ["appointment", "cancel"])
def test_an_id_may_be_the_owners_although_its_record_is_read_by_a_number(name: str) -> None:
    draft = drafts(CLINIC)[name]
    assert "lookups[0].owner" not in draft.suggestions
    [told] = [one for one in draft.checks if "the owner's id may be in" in one]
    assert "patient_id" in told and "clinic_id" in told


@pytest.mark.parametrize(("name", "record"), [("account", "record"), ("pay", "account")])
def test_a_records_own_id_is_not_its_owner_if_the_record_is_read_by_its_number(name: str, record: str) -> None:
    draft = drafts(CLINIC)[name]
    assert "lookups[0].owner" not in draft.suggestions
    assert any(one.startswith(f"{record}.account_id: the record's own id") for one in draft.checks)
