"""Checks on a model's answer, outside the model, by kind of harm and on evidence, in any language."""
