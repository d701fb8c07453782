"""The only room that calls language models.

Other rooms use `gateway`; nothing else imports a provider's package.
"""
