"""The people responsible for an article (owner, reviewer), and the day of its next check."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def person() -> models.ForeignKey:
    return models.ForeignKey(
        blank=True,
        null=True,
        on_delete=django.db.models.deletion.SET_NULL,
        related_name='+',
        to=settings.AUTH_USER_MODEL,
    )


class Migration(migrations.Migration):

    dependencies = [
        ('kb', '0012_plans'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(model_name='article', name='owner', field=person()),
        migrations.AddField(model_name='article', name='reviewer', field=person()),
        migrations.AddField(model_name='article', name='review_asked_by', field=person()),
        migrations.AddField(model_name='article', name='check_by', field=models.DateField(blank=True, null=True)),
        migrations.AddIndex(
            model_name='article',
            index=models.Index(
                condition=models.Q(('reviewer__isnull', False)), fields=['reviewer'], name='kb_article_to_review'
            ),
        ),
    ]
