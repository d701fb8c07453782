import django.db.models.deletion
import django.utils.timezone
import supportbot.accounts.constraints
import supportbot.accounts.scope
import supportbot.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ConfirmationLink',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('code_hash', models.CharField(editable=False, max_length=64, unique=True)),
                ('pass_hash', models.CharField(editable=False, max_length=64, null=True, unique=True)),
                ('request_id', models.UUIDField()),
                ('identity_expires_at', models.DateTimeField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('expires_at', models.DateTimeField()),
                ('opened_at', models.DateTimeField(null=True)),
                ('channel', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.channel')),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.customer')),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
            ],
            options={
                'indexes': [models.Index(fields=['expires_at'], name='confirmation_link_expiry')],
                'constraints': [supportbot.accounts.constraints.SameWorkspace('channel', name='confirmation_link_channel_workspace'), supportbot.accounts.constraints.SameWorkspace('customer', name='confirmation_link_customer_workspace')],
            },
        ),
    ]
