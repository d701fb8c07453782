"""Customers, orders and the shop's ledger. An `Operation` row records the result of an idempotency key: it is written
in the transaction that does the work, so the outcome of a known key is final. `Refund` and `Change` are the ledger;
rows are only added.
"""

from django.db import models
from django.db.models import F, Q

from shop.reference import reference_of


class OrderStatus(models.TextChoices):
    PAID = "paid"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    RETURNED = "returned"


# Until the parcel is shipped, its address can be changed and the order cancelled.
BEFORE_SHIPPING = frozenset({OrderStatus.PAID, OrderStatus.PACKED})


class Currency(models.TextChoices):
    EUR = "EUR"
    CHF = "CHF"


class Customer(models.Model):
    id = models.CharField(max_length=20, primary_key=True)
    name = models.CharField(max_length=100)
    email = models.EmailField(unique=True)
    locale = models.CharField(max_length=5)

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


class Order(models.Model):
    id = models.CharField(max_length=20, primary_key=True)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE)
    status = models.CharField(max_length=10, choices=OrderStatus.choices)
    currency = models.CharField(max_length=3, choices=Currency.choices)
    total_cents = models.PositiveIntegerField()
    refunded_cents = models.PositiveIntegerField(default=0)
    payment = models.CharField(max_length=40)
    placed_at = models.DateTimeField()
    shipped_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    address_name = models.CharField(max_length=100)
    address_line1 = models.CharField(max_length=100)
    address_line2 = models.CharField(max_length=100, blank=True)
    address_postal_code = models.CharField(max_length=12)
    address_city = models.CharField(max_length=60)
    address_country = models.CharField(max_length=2)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(refunded_cents__lte=F("total_cents")), name="refunded_within_total"),
            models.CheckConstraint(condition=Q(status__in=OrderStatus.values), name="order_status_known"),
        ]
        indexes = [models.Index(fields=["customer", "-placed_at"], name="orders_of_customer")]

    def __str__(self) -> str:
        return self.id

    @property
    def remaining_cents(self) -> int:
        """The amount that can still be refunded."""
        return self.total_cents - self.refunded_cents

    @property
    def is_before_shipping(self) -> bool:
        return self.status in BEFORE_SHIPPING

    @property
    def is_on_its_way(self) -> bool:
        """Whether the parcel has not arrived yet."""
        return self.is_before_shipping or self.status == OrderStatus.SHIPPED


class OrderLine(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    sku = models.CharField(max_length=30)
    name = models.CharField(max_length=80)
    quantity = models.PositiveSmallIntegerField()
    price_cents = models.PositiveIntegerField(help_text="of one item")
    refunded_quantity = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["order", "sku"], name="one_line_per_sku"),
            models.CheckConstraint(
                condition=Q(refunded_quantity__lte=F("quantity")), name="refunded_quantity_within_quantity"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.sku}"


class OperationKind(models.TextChoices):
    REFUND = "refund"
    CHANGE_ADDRESS = "change_address"
    CANCEL = "cancel"


class Operation(models.Model):
    """The result of an idempotency key: the first response, kept verbatim."""

    key = models.CharField(max_length=200, primary_key=True)
    kind = models.CharField(max_length=20, choices=OperationKind.choices)
    # The order is stored as requested, since a key may be used for one that does not exist.
    order = models.CharField(max_length=40)
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    answer = models.JSONField()
    decided_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind} {self.key}: {self.status}"

    @property
    def is_done(self) -> bool:
        """False if the shop refused it, so nothing has changed."""
        return self.status < 300


class Refund(models.Model):
    operation = models.OneToOneField(Operation, on_delete=models.CASCADE)
    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    reference = models.CharField(max_length=30)
    amount_cents = models.PositiveIntegerField()
    reason = models.CharField(max_length=500)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(amount_cents__gt=0), name="refund_moves_something")]

    def __str__(self) -> str:
        return self.reference


class Change(models.Model):
    operation = models.OneToOneField(Operation, on_delete=models.CASCADE)
    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    kind = models.CharField(max_length=20, choices=OperationKind.choices)
    before = models.JSONField()
    after = models.JSONField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind} of {self.order_id}"

    @property
    def reference(self) -> str:
        return reference_of("CH", self.operation_id, self.order_id)
