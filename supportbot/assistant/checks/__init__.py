"""Checks of a model's answer, in any language and without asking a model: for each kind of harm, and for evidence."""
