"""The help pages that visitors read, and their files for search engines and programs."""
