"""The editor of articles: its views, its page, and its fields."""
