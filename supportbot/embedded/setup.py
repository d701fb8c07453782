"""Whether an installation has an administrator, read with a plain connection: a command would take a second."""

from supportbot.embedded.external import connect

# What `supportbot.accounts.setup.has_administrator` asks through Django.
QUERY = """
    SELECT EXISTS (SELECT FROM accounts_user WHERE is_superuser)
        OR EXISTS (SELECT FROM accounts_membership WHERE role = 'admin')
"""


def has_administrator(database_url: str) -> bool:
    """Return whether this installation or one of its workspaces has an administrator."""
    with connect(database_url) as connection:
        return connection.execute(QUERY).fetchone() == (True,)
