"""People who change releases."""

import pytest

from supportbot.accounts.models import Membership, User, Workspace
from supportbot.accounts.principals import Staff
from supportbot.accounts.staff_principals import staff_of


@pytest.fixture
def ada(workspace: Workspace) -> Staff:
    """An admin of the workspace."""
    user = User.objects.create_user("ada", first_name="Ada", password="correct horse battery", is_staff=True)
    Membership.objects.create(workspace=workspace, user=user, role=Membership.Role.ADMIN)
    found = staff_of(user, workspace.pk)
    assert found is not None
    return found
