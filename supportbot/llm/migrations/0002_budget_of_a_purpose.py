from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
        ('llm', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='budget',
            name='purpose',
            field=models.CharField(blank=True, db_default='', default='', max_length=20),
        ),
        migrations.RemoveConstraint(
            model_name='budget',
            name='llm_budget_once_a_day',
        ),
        migrations.AddConstraint(
            model_name='budget',
            constraint=models.UniqueConstraint(fields=('workspace', 'day', 'purpose'), name='llm_budget_once_a_day'),
        ),
    ]
