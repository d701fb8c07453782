"""Checks on a model's answer in any language, without the model: for each kind of harm, and for evidence."""
