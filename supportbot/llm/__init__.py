"""The only package that calls language models.

Other packages use `gateway`; nothing else imports a provider's package.
"""
