

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Customer',
            fields=[
                ('id', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=100)),
                ('email', models.EmailField(max_length=254, unique=True)),
                ('locale', models.CharField(max_length=5)),
            ],
        ),
        migrations.CreateModel(
            name='Operation',
            fields=[
                ('key', models.CharField(max_length=200, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('refund', 'Refund'), ('change_address', 'Change Address'), ('cancel', 'Cancel')], max_length=20)),
                ('order', models.CharField(max_length=40)),
                ('digest', models.CharField(max_length=64)),
                ('status', models.PositiveSmallIntegerField()),
                ('answer', models.JSONField()),
                ('decided_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Order',
            fields=[
                ('id', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('paid', 'Paid'), ('packed', 'Packed'), ('shipped', 'Shipped'), ('delivered', 'Delivered'), ('cancelled', 'Cancelled'), ('returned', 'Returned')], max_length=10)),
                ('currency', models.CharField(choices=[('EUR', 'Eur'), ('CHF', 'Chf')], max_length=3)),
                ('total_cents', models.PositiveIntegerField()),
                ('refunded_cents', models.PositiveIntegerField(default=0)),
                ('payment', models.CharField(max_length=40)),
                ('placed_at', models.DateTimeField()),
                ('shipped_at', models.DateTimeField(null=True)),
                ('delivered_at', models.DateTimeField(null=True)),
                ('address_name', models.CharField(max_length=100)),
                ('address_line1', models.CharField(max_length=100)),
                ('address_line2', models.CharField(blank=True, max_length=100)),
                ('address_postal_code', models.CharField(max_length=12)),
                ('address_city', models.CharField(max_length=60)),
                ('address_country', models.CharField(max_length=2)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='shop.customer')),
            ],
        ),
        migrations.CreateModel(
            name='Change',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('refund', 'Refund'), ('change_address', 'Change Address'), ('cancel', 'Cancel')], max_length=20)),
                ('before', models.JSONField()),
                ('after', models.JSONField()),
                ('created_at', models.DateTimeField()),
                ('operation', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, to='shop.operation')),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='shop.order')),
            ],
        ),
        migrations.CreateModel(
            name='OrderLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sku', models.CharField(max_length=30)),
                ('name', models.CharField(max_length=80)),
                ('quantity', models.PositiveSmallIntegerField()),
                ('price_cents', models.PositiveIntegerField(help_text='of one item')),
                ('refunded_quantity', models.PositiveSmallIntegerField(default=0)),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='shop.order')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Refund',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reference', models.CharField(max_length=30)),
                ('amount_cents', models.PositiveIntegerField()),
                ('reason', models.CharField(max_length=500)),
                ('created_at', models.DateTimeField()),
                ('operation', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, to='shop.operation')),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='shop.order')),
            ],
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['customer', '-placed_at'], name='orders_of_customer'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('refunded_cents__lte', models.F('total_cents'))), name='refunded_within_total'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['paid', 'packed', 'shipped', 'delivered', 'cancelled', 'returned'])), name='order_status_known'),
        ),
        migrations.AddConstraint(
            model_name='orderline',
            constraint=models.UniqueConstraint(fields=('order', 'sku'), name='one_line_per_sku'),
        ),
        migrations.AddConstraint(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('refunded_quantity__lte', models.F('quantity'))), name='refunded_quantity_within_quantity'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(('amount_cents__gt', 0)), name='refund_moves_something'),
        ),
    ]
