from django.apps import AppConfig


class McpConfig(AppConfig):
    name = "supportbot.mcp"
    label = "mcp"
