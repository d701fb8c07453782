from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_workspace_hides_personal_data'),
    ]

    operations = [
        migrations.AddField(
            model_name='workspace',
            name='answer_strictness',
            field=models.CharField(choices=[('strict', 'Strict'), ('balanced', 'Balanced'), ('open', 'Open')], db_default='balanced', default='balanced', max_length=10),
        ),
    ]
