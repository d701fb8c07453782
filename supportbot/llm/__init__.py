"""The only place that speaks to a language model.

`gateway` is its one door; nothing else imports a provider's package.
"""
