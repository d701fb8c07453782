from django.apps import AppConfig


class KnowledgeConfig(AppConfig):
    name = "kb"
    label = "kb"
    verbose_name = "Knowledge"
    default_auto_field = "django.db.models.BigAutoField"
