"""The parts of a definition as forms: each page's fields and their paths in the document. Data only; `forms.py` builds
the forms.

The name of a field in the form is its path in the document, so that errors can be shown at the right field.
"""

from typing import Final

from django.utils.translation import gettext_lazy as _

from supportbot.console.definitions.form_elements import READ, WRITE, Box, Kind, Part, Rows

_NAME: Final = Box("name", _("Name"), help=_("Lowercase letters, digits and _, such as order_id."))
_SHOWN: Final = (
    Box("label", _("Label"), Kind.WORDS),
    Box("value", _("Value"), Kind.RULE, help=_("For example, order.id.")),
    Box("words", _("Text instead of a value"), Kind.WORDS, _("For example: {card.brand} ending in {card.digits}.")),
)
_METHODS: Final = tuple((one, one) for one in ("GET", "POST", "PUT", "PATCH", "DELETE"))
_READING: Final = _METHODS[:2]
_ADDRESS_HELP: Final = _("A field of the record that contains an https address, such as product.url.")
_TEMPLATE_HELP: Final = _("Put values in braces, such as {order.id}, and times as {time(order.placed)}.")

_TYPES: Final = (
    ("string", _("Text")),
    ("choice", _("One of several options")),
    ("integer", _("Whole number")),
    ("number", _("Number")),
    ("money", _("Amount of money")),
    ("flag", _("Yes or no")),
    ("date", _("Date")),
    ("list", _("List")),
    ("object", _("Several fields")),
)

_TOOL_HELP: Final = _(
    "A tool such as find_visit, instead of a method and a path. The body contains its arguments. Read the server's "
    "tools first, under New action."
)
_FIELDS_HELP: Final = _(
    "One row per field. Save to add more; clear a row to remove it. Edit options, patterns, bounds and nested fields "
    "under Document; they are kept here."
)

PARTS: Final = (
    Part(
        "basics",
        _("Basics"),
        _("What it is called and when the assistant offers it. The title's languages apply to all texts."),
        (
            Box("title", _("Title"), Kind.WORDS, _("For example: Gift-wrap an order.")),
            Box("description", _("Description"), Kind.WORDS, _("What the assistant reads when it chooses an action.")),
            Box("examples", _("Example messages from customers"), Kind.SENTENCES, _("One per line.")),
            Box("connection", _("Connection"), Kind.LINE, _("The API that is called.")),
            Box(
                "kind",
                _("What it does"),
                Kind.CHOICE,
                _("If it only reads, its call becomes a look-up and needs no confirmation."),
                choices=(("write", _("It changes something")), ("read", _("It looks something up"))),
            ),
            Box(
                "risk",
                _("Effect"),
                Kind.CHOICE,
                choices=(("change", _("It changes something")), ("money", _("It moves money"))),
                of=WRITE,
            ),
            Box(
                "visitors",
                _("Also for visitors who are not signed in"),
                Kind.FLAG,
                _("Only if every record is public and no customer data is read. Anyone can then look up any record."),
                of=READ,
            ),
            Box(
                "undo.action",
                _("Action that undoes this one"),
                help=_("The name of that action. Leave empty if there is none."),
                of=WRITE,
            ),
            Box(
                "undo.arguments",
                _("Arguments of that action"),
                Kind.PAIRS,
                _("For example, order_id: arguments.order_id. If empty, arguments of the same name are passed."),
                of=WRITE,
            ),
            Box("undo.within_hours", _("Hours in which it can be undone"), Kind.WHOLE, _("Default: 24."), of=WRITE),
        ),
    ),
    Part(
        "arguments",
        _("Arguments"),
        _("What the action needs to know. Never ask who the customer is: that comes from their signed identity."),
        rows=(
            Rows(
                "arguments",
                _("Argument"),
                (
                    _NAME,
                    Box(
                        "type",
                        _("Type"),
                        Kind.CHOICE,
                        choices=_TYPES,
                    ),
                    Box(
                        "from",
                        _("Where it comes from"),
                        Kind.CHOICE,
                        _("If nothing is selected, the customer provides it."),
                        (
                            ("customer", _("The customer provides it")),
                            ("model", _("The assistant may choose it")),
                            ("server", _("It is computed")),
                            ("identity", _("The customer's signed identity")),
                        ),
                    ),
                    Box(
                        "label",
                        _("Label"),
                        Kind.WORDS,
                        _("What customers read instead of the name, such as Booking number."),
                    ),
                    Box("description", _("Description"), help=_("What the assistant reads.")),
                    Box("required", _("Required"), Kind.FLAG, default=True),
                    Box(
                        "names_no_record",
                        _("It does not identify a record"),
                        Kind.FLAG,
                        _("Only the customer's own words, such as a note, which identify no record or person."),
                        types=("string", "integer", "list", "object"),
                    ),
                    Box("value", _("Computed value"), Kind.RULE, _("Only if the argument is computed."), is_rare=True),
                    Box("example", _("Example"), help=_("For example, A-1001."), types=("string",), is_rare=True),
                    Box(
                        "pattern",
                        _("Pattern for text"),
                        help=_("For example, [A-Z]-[0-9]{4}."),
                        types=("string",),
                        is_rare=True,
                    ),
                    Box(
                        "max_length",
                        _("Maximum length of text"),
                        Kind.WHOLE,
                        _("With a pattern, at most 100."),
                        types=("string",),
                        is_rare=True,
                    ),
                    Box(
                        "choose_from.list",
                        _("Chosen from these records of the customer"),
                        Kind.RULE,
                        _("A list from a look-up with an owner, such as loans.items."),
                        types=("string",),
                        is_rare=True,
                    ),
                    Box(
                        "choose_from.as",
                        _("Name of each record"),
                        help=_("For example, loan."),
                        types=("string",),
                        is_rare=True,
                    ),
                    Box(
                        "choose_from.value",
                        _("Value of each record"),
                        Kind.RULE,
                        _("For example, loan.number."),
                        types=("string",),
                        is_rare=True,
                    ),
                    Box(
                        "choose_from.words",
                        _("What the customer reads for each record"),
                        Kind.WORDS,
                        _("For example: {loan.title}, due {date(loan.due)}."),
                        types=("string",),
                        is_rare=True,
                    ),
                    Box("may_be_empty", _("Text may be empty"), Kind.FLAG, types=("string",), is_rare=True),
                    Box(
                        "options",
                        _("Options to choose from"),
                        Kind.OPTIONS,
                        _("What is sent to the system, and what the customer reads. Save to add more."),
                        types=("choice",),
                    ),
                    Box(
                        "minimum",
                        _("Lowest number or earliest date"),
                        Kind.NUMBER,
                        _("For a date, an expression such as today."),
                        types=("integer", "number", "date"),
                        is_rare=True,
                    ),
                    Box(
                        "maximum",
                        _("Highest number or latest date"),
                        Kind.NUMBER,
                        _("For a date, an expression such as today + days(60)."),
                        types=("integer", "number", "date"),
                        is_rare=True,
                    ),
                    Box("min_items", _("Minimum number of list entries"), Kind.WHOLE, types=("list",), is_rare=True),
                    Box("max_items", _("Maximum number of list entries"), Kind.WHOLE, types=("list",), is_rare=True),
                    Box("of.type", _("Type of the list entries"), Kind.CHOICE, choices=_TYPES, types=("list",)),
                    Box(
                        "of.options",
                        _("Options of the list entries"),
                        Kind.OPTIONS,
                        _("For entries that are one of several options."),
                        types=("list",),
                    ),
                    Box(
                        "of.fields",
                        _("Fields of the list entries"),
                        Kind.FIELDS,
                        _FIELDS_HELP,
                        _TYPES,
                        types=("list",),
                        is_rare=True,
                    ),
                    Box(
                        "fields",
                        _("Fields of an object"),
                        Kind.FIELDS,
                        _FIELDS_HELP,
                        _TYPES,
                        types=("object",),
                    ),
                ),
                is_named=True,
                is_collapsed=True,
            ),
        ),
    ),
    Part(
        "lookups",
        _("Look-ups and owner"),
        _(
            "Records that are fetched before anything is decided, in this order. The owner must match the customer's "
            "id; otherwise the record is treated as if it did not exist."
        ),
        (
            Box(
                "subject.kind",
                _("What the action is about"),
                help=_(
                    "A word such as order. Limits, and the rule that only one card can be open at a time, apply per "
                    "record of this kind."
                ),
                of=WRITE,
            ),
            Box("subject.id", _("Record number"), Kind.RULE, _("For example, order.id."), of=WRITE),
        ),
        (
            Rows(
                "lookups",
                _("Look-up"),
                (
                    Box("name", _("Name"), help=_("The name by which rules read the record, such as order.")),
                    Box("call.method", _("Method"), Kind.CHOICE, choices=_READING),
                    Box("call.path", _("Path"), help=_("For example, /orders/{arguments.order_id}.")),
                    Box("call.tool", _("Tool of an MCP server"), help=_TOOL_HELP),
                    Box("call.query", _("Query"), Kind.PAIRS, _("One per line, such as full: yes.")),
                    Box("call.headers", _("Headers"), Kind.PAIRS, _("One per line.")),
                    Box("call.body", _("Body"), Kind.JSON, _("JSON, for a look-up by POST or by a tool.")),
                    Box(
                        "owner", _("Owner"), Kind.RULE, _("The field that contains the owner, such as order.customer.")
                    ),
                    Box("public", _("Public: anyone may see it"), Kind.FLAG),
                    Box(
                        "otherwise.code",
                        _("Code if the record does not exist"),
                        help=_("For example, order_not_found."),
                    ),
                    Box(
                        "otherwise.words",
                        _("What the customer reads if the record does not exist"),
                        Kind.WORDS,
                        _TEMPLATE_HELP,
                    ),
                    Box(
                        "absent",
                        _("Statuses that mean the record does not exist"),
                        Kind.STATUSES,
                        _("Leave empty for 404."),
                    ),
                    Box(
                        "for_each",
                        _("Repeat for each entry of"),
                        Kind.RULE,
                        _("A list, such as arguments.items. Leave it empty to look up one record."),
                    ),
                    Box("as", _("Name of each entry"), help=_("For example, item.")),
                    Box("at_most", _("Maximum number of look-ups"), Kind.WHOLE),
                ),
            ),
        ),
    ),
    Part(
        "guards",
        _("Guards"),
        _(
            "What must be true, checked in this order when the card is made, when it is confirmed and right "
            "before the call. The customer reads the text of the first guard that fails."
        ),
        rows=(
            Rows(
                "guards",
                _("Guard"),
                (
                    Box("name", _("Name"), help=_("For example, not_packed.")),
                    Box("require", _("Condition"), Kind.RULE, _("For example, order.status in ['paid', 'waiting'].")),
                    Box("code", _("Refusal code"), help=_("For example, already_packed.")),
                    Box("words", _("What the customer reads if it fails"), Kind.WORDS, _TEMPLATE_HELP),
                ),
                blank=2,
            ),
            Rows(
                "values",
                _("Value"),
                (_NAME, Box("value", _("Value"), Kind.RULE, _("An expression that several rules use."))),
                is_named=True,
                plain="value",
            ),
        ),
        examples=(
            ("order.status in ['paid', 'waiting']", _("The order is paid or waiting.")),
            ("not order.wrapped and has(order.address)", _("The order is not wrapped yet and has an address.")),
            ("number(order.total) <= 50", _("The total, which the system sends as text, is at most 50.")),
            ("arguments.until <= today + days(28)", _("The date is no more than four weeks from now.")),
            ("days_between(order.placed, today) <= 14", _("The order was placed no more than 14 days ago.")),
            ("order.due_cents / 100 < 20", _("The amount due, which the system sends in cents, is below 20.")),
            (
                "all(arguments.item_ids, i, i in map(order.items, item, item.id))",
                _("Every id given belongs to an item in the order."),
            ),
            ("count(order.items, item, item.price > 20) == 0", _("No item costs more than 20.")),
        ),
    ),
    Part(
        "labels",
        _("Labels"),
        _("What customers read instead of the values in records. Rules and calls use the values themselves."),
        (
            Box(
                "labels",
                _("Labels of values"),
                Kind.JSON,
                _('JSON, such as {"order.status": [{"value": "paid", "label": {"en": "paid", "de": "bezahlt"}}]}.'),
            ),
        ),
    ),
    Part(
        "money",
        _("Money"),
        _("The amount that counts against limits. Required if the action moves money."),
        (
            Box("money.amount", _("Amount"), Kind.RULE, _("For example, order.total.")),
            Box("money.currency", _("Currency"), Kind.RULE, _("For example, order.currency.")),
        ),
        of=WRITE,
    ),
    Part(
        "call",
        _("Call"),
        _("The call that carries out the action. A field whose name ends with ? is left out if it has no value."),
        (
            Box("call.method", _("Method"), Kind.CHOICE, choices=_METHODS),
            Box(
                "call.path", _("Path"), help=_("Relative to the connection's address, such as /orders/{order.id}/wrap.")
            ),
            Box("call.tool", _("Tool of an MCP server"), help=_TOOL_HELP),
            Box("call.query", _("Query"), Kind.PAIRS, _("One per line, such as full: yes.")),
            Box("call.headers", _("Headers"), Kind.PAIRS, _("One per line.")),
            Box("call.body", _("Body"), Kind.JSON, _('JSON, such as {"note?": "{arguments.note}"}.')),
            Box("call.key.header", _("Idempotency key header"), help=_("Lets the system recognise a repeated call.")),
            Box(
                "call.names_no_customer",
                _("It identifies no customer"),
                Kind.FLAG,
                _(
                    "The system does not need to know who the call is for, such as a request to be called back. The "
                    "customer must still be signed in. Limit their requests per day under Limits and approval."
                ),
            ),
        ),
        of=WRITE,
    ),
    Part(
        "answer",
        _("Response and outcome"),
        _("How the system's response is read. If neither of the first two conditions is true, the outcome is unknown."),
        (
            Box("answer.happened", _("It happened if"), Kind.RULE, _("For example, status == 200.")),
            Box(
                "answer.did_not",
                _("It did not happen if"),
                Kind.RULE,
                _("For example, status >= 400 and status < 500 and status not in [408, 409, 425, 429]."),
            ),
            Box("answer.reason", _("The system's message"), Kind.RULE, _("For example, body.message.")),
            Box(
                "outcome.kind",
                _("If the outcome is unknown"),
                Kind.CHOICE,
                _("Ask the system's operator what happens if it receives the same call twice with the same key."),
                (
                    ("status_lookup", _("Look up the outcome by the key")),
                    ("replay_safe", _("Send it again; the system carries it out only once")),
                    ("at_most_once", _("A person decides; the call is never repeated")),
                ),
            ),
            Box("outcome.call.method", _("Outcome look-up: method"), Kind.CHOICE, choices=_READING),
            Box("outcome.call.path", _("Outcome look-up: path"), help=_("For example, /operations/{key}.")),
            Box("outcome.happened", _("Outcome look-up: it happened if"), Kind.RULE),
            Box("outcome.did_not", _("Outcome look-up: it did not happen if"), Kind.RULE),
            Box("outcome.never_seen", _("Outcome look-up: the system never received the call if"), Kind.RULE),
            Box(
                "outcome.in_progress",
                _("Outcome look-up: the system is still working on it if"),
                Kind.RULE,
                _(
                    "For example, body.state == 'pending'. While this is true, nobody is asked to settle the outcome "
                    "for the first 24 hours."
                ),
            ),
        ),
        of=WRITE,
    ),
    Part(
        "card",
        _("Card"),
        _("What the customer confirms. A row without a value is not shown."),
        (
            Box("card.title", _("Title"), Kind.WORDS, _TEMPLATE_HELP),
            Box("card.summary", _("Summary"), Kind.WORDS, _("What will be done, in one sentence.")),
            Box("card.button", _("Button"), Kind.WORDS, _("For example: Wrap it.")),
        ),
        (Rows("card.rows", _("Row of the card"), _SHOWN, blank=2),),
        of=WRITE,
    ),
    Part(
        "receipt",
        _("Receipt"),
        _("Which parts of the system's response are kept and shown to the customer."),
        boxes=(
            Box("done", _("Title"), Kind.WORDS, _("What was done, such as: Order gift-wrapped.")),
            Box(
                "done_words",
                _("Sentence after success"),
                Kind.WORDS,
                _(
                    "For example: Order {order.id} will be wrapped as a present. If empty, the customer reads “Done:” "
                    "and the card's summary."
                ),
            ),
        ),
        rows=(Rows("receipt", _("Row of the receipt"), (_NAME, *_SHOWN), blank=2),),
        of=WRITE,
    ),
    Part(
        "result",
        _("Result"),
        _("What the customer is told."),
        (
            Box("result.words", _("Text"), Kind.WORDS, _TEMPLATE_HELP),
            Box(
                "result.list",
                _("Fields for each entry of"),
                Kind.RULE,
                _("A list such as order.items. Leave empty if there is none."),
            ),
            Box("result.as", _("Name of each entry"), help=_("For example, item.")),
            Box("result.at_most", _("Maximum number of entries"), Kind.WHOLE),
            Box("result.card.title", _("Card title"), Kind.WORDS, _TEMPLATE_HELP),
            Box("result.card.link", _("Card link"), Kind.RULE, _ADDRESS_HELP),
            Box("result.card.picture", _("Card picture"), Kind.RULE, _ADDRESS_HELP),
            Box("result.card.hosts", _("Allowed hosts for links and pictures"), Kind.JSON, '["shop.example"]'),
            Box("result.hand_over", _("Hand over to a person with this message"), help=_TEMPLATE_HELP),
        ),
        (Rows("result.fields", _("Field"), (_NAME, *_SHOWN), blank=2),),
        of=READ,
    ),
    Part(
        "limits",
        _("Limits and approval"),
        _("The action's rules when it is first published. Change them later on the rules page."),
        (
            Box("limits.max_per_subject", _("Limit per record"), help=_("For example, 100.00.")),
            Box("limits.max_per_customer_day", _("Daily limit per customer")),
            Box("limits.max_per_customer_year", _("Yearly limit per customer")),
            Box("limits.max_per_workspace_day", _("Limit per day in total")),
            Box(
                "limits.approval_above",
                _("Approval required above"),
                help=_("0 means that a person decides every request."),
            ),
            Box("limits.second_approval_above", _("Two approvals required above")),
            Box("limits.max_requests_per_customer_day", _("Requests per customer per day"), Kind.WHOLE),
            Box("limits.hold_minutes", _("Minutes to withdraw a request before it is sent"), Kind.WHOLE),
            Box("approval.when", _("A person decides if"), Kind.RULE, _("For example, order.total > 500.")),
            Box(
                "approval.role",
                _("Who decides"),
                Kind.CHOICE,
                _(
                    "If the condition above is empty, they decide every request. Each person must also be allowed to "
                    "approve under Action rules."
                ),
                choices=(("supervisor", _("Supervisors")), ("admin", _("Admins"))),
            ),
            Box("approval.approvers", _("How many people"), Kind.WHOLE, _("1 or 2. Default: 1.")),
        ),
        of=WRITE,
    ),
)


def parts_of(kind: str) -> list[Part]:
    """Return the parts that definitions of this kind have."""
    return [part for part in PARTS if kind in part.of]


def part_named(slug: str, kind: str) -> Part | None:
    return next((part for part in parts_of(kind) if part.slug == slug), None)
