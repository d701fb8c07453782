"""Members of a workspace in the console: invited, changed, removed, and their passwords."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.db import connections
from django.test import Client
from django.utils.timezone import now
from selectolax.lexbor import LexborHTMLParser

from actions.approvers import allow_approval, approvers_of, may_approve
from actions.models import ActionPolicy, AuditEntry
from supportbot.accounts.api_keys import issue_api_key, staff_by_api_key
from supportbot.accounts.errors import InvalidKey
from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.team_members import add_member
from supportbot.chat.services import start_conversation
from supportbot.console import team
from supportbot.handoff.tickets.services import claim
from supportbot.handoff.tickets.services import request as request_person
from tests.console.conftest import Enter, logged_in, person
from tests.policies import store_policies

pytestmark = pytest.mark.django_db
TEAM = "/admin/accounts/membership/"


@pytest.fixture(autouse=True)
def _no_counts() -> None:
    cache.clear()  # the cache survives the test


@pytest.fixture
def mail_server(settings: Any) -> None:
    """E-mails leave the machine; the tests' backend keeps them in `mail.outbox`."""
    settings.EMAIL_URL = "smtp://mail.example.com:25"


@pytest.fixture
def admin(enter: Enter) -> Client:
    return enter("admin")


@pytest.mark.parametrize("username", ["zoë m", "<b>", "\U0001f600", "admin.of.wrenfell"])
def test_an_invalid_user_name_is_reported_next_to_its_field(admin: Client, username: str) -> None:
    data = {"username": username, "name": "Noor Aziz", "email": "noor@example.com", "role": "agent"}
    answer = admin.post(f"{TEAM}add/", data)
    page = LexborHTMLParser(answer.content.decode())
    assert (answer.status_code, page.css_first("#id_name").attributes["value"]) == (200, "Noor Aziz")
    assert page.css_first("#id_username").attributes["aria-invalid"] == "true"
    assert not User.objects.filter(email="noor@example.com").exists()


def test_the_password_form_states_its_rules_and_errors(admin: Client, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        admin.post(f"{TEAM}add/", {"username": "noor", "email": "noor@example.com", "role": "agent"})
    link = re.search(r"http://127\.0\.0\.1:\d+(/admin/reset/\S+)", str(mail.outbox[0].body))
    assert link is not None
    browser = Client()
    address = browser.get(link.group(1), follow=True).redirect_chain[-1][0]
    answer = browser.post(address, {"new_password1": "short", "new_password2": "short"})
    tree = LexborHTMLParser(answer.content.decode())
    assert "At least 10 characters" in tree.css_first("#id_new_password1_helptext").text()
    told = tree.css_first("#id_new_password2").attributes["aria-describedby"] or ""
    assert "too short" in "".join(tree.css_first(f"#{one}").text() for one in told.split())
    assert "is incomplete" in browser.get(link.group(1)[:-3] + "x/").content.decode()


def test_an_invited_person_sets_a_password(
    admin: Client, workspace: Workspace, django_capture_on_commit_callbacks: Any
) -> None:
    data = {"username": "noor", "name": "Noor Aziz", "email": "noor@example.com", "role": "agent"}
    with django_capture_on_commit_callbacks(execute=True):
        admin.post(f"{TEAM}add/", data)
        assert mail.outbox == []  # no mail server is called while rows are locked
    user = User.objects.get(username="noor")
    assert Membership.objects.get(user=user).role == "agent"
    (letter,) = mail.outbox
    assert letter.to == ["noor@example.com"]
    link = re.search(r"http://127\.0\.0\.1:\d+(/admin/reset/\S+)", letter.body)
    assert link is not None
    browser = Client()
    form = browser.get(link.group(1), follow=True)
    chosen = {"new_password1": "a tarn in winter", "new_password2": "a tarn in winter"}
    browser.post(form.redirect_chain[-1][0], chosen)
    assert browser.login(username="noor", password="a tarn in winter")
    assert "already been used" in Client().get(link.group(1), follow=True).content.decode()


def refuse(*args: object, **more: object) -> None:
    raise ConnectionRefusedError


def test_an_account_that_nobody_has_used_gets_another_link(
    admin: Client, bob: User, settings: Any, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = Membership.objects.get(user=bob)
    page, invite = f"{TEAM}{member.pk}/change/", f"{TEAM}{member.pk}/invite/"
    assert "New link" in admin.get(page).content.decode()
    assert admin.get(invite).status_code == 405
    link = re.search(r"http://127\.0\.0\.1:\d+(/admin/reset/\S+?)[\"<]", admin.post(invite).content.decode())
    assert link is not None
    assert Client().get(link.group(1), follow=True).status_code == 200
    settings.EMAIL_URL = "smtp://mail.example.com:25"
    User.objects.filter(pk=bob.pk).update(email="bob@example.com")
    admin.post(invite)
    assert [letter.to for letter in mail.outbox] == [["bob@example.com"]]
    assert enter("agent").post(invite).status_code in (403, 404)
    assert len(mail.outbox) == 1
    monkeypatch.setattr("supportbot.console.passwords.send_mail", refuse)
    assert "The e-mail could not be sent" in admin.post(invite, follow=True).content.decode()
    told = AuditEntry.objects.filter(event="member.invited")  # the link on the page and the mail that was sent
    assert [entry.payload for entry in told] == [{"person": f"user:{bob.pk}"}] * 2


def test_an_account_in_use_gets_no_link_from_an_admin(
    admin: Client, bob: User, mallory: User, workspace: Workspace, other_workspace: Workspace
) -> None:
    """An admin could act as a colleague, and approve their own requests."""
    User.objects.filter(pk=bob.pk).update(last_login=now())
    in_use = Membership.objects.get(user=bob)
    elsewhere = add_member(workspace, mallory, "agent")
    foreign = Membership.objects.get(user=mallory, workspace=other_workspace)
    for member in (in_use, elsewhere):
        assert "New link" not in admin.get(f"{TEAM}{member.pk}/change/").content.decode()
        said = admin.post(f"{TEAM}{member.pk}/invite/", follow=True).content.decode()
        assert "/admin/reset/" not in said
    assert admin.post(f"{TEAM}{foreign.pk}/invite/").status_code == 404


def test_a_taken_user_name_is_refused(admin: Client, mallory: User) -> None:
    data = {"username": "mallory", "name": "", "email": "m@example.com", "role": "admin"}
    answer = admin.post(f"{TEAM}add/", data)
    assert b"This user name is taken" in answer.content
    assert not Membership.objects.filter(user=mallory, workspace__slug="wrenfell").exists()
    assert mail.outbox == []


def test_the_last_admin_cannot_be_removed(admin: Client, workspace: Workspace, bob: User) -> None:
    mine = Membership.objects.get(role="admin")
    for step, sent in (("change", {"role": "agent"}), ("delete", {"post": "yes"})):
        said = admin.post(f"{TEAM}{mine.pk}/{step}/", sent, follow=True).content.decode()
        assert "This is the workspace&#x27;s only admin." in said
    assert Membership.objects.get(pk=mine.pk).role == "admin"
    add_member(workspace, bob, "admin")
    admin.post(f"{TEAM}{mine.pk}/change/", {"role": "agent"})
    assert Membership.objects.get(pk=mine.pk).role == "agent"


@pytest.mark.parametrize("name", ["Noor Aziz", ""])
def test_without_a_mail_server_the_link_is_passed_on_by_hand(admin: Client, workspace: Workspace, name: str) -> None:
    assert "No mail server is set up. You will get the link" in admin.get(f"{TEAM}add/").content.decode()
    data = {"username": "noor", "name": name, "email": "noor@example.com", "role": "agent"}
    shown = admin.post(f"{TEAM}add/", data)
    page = LexborHTMLParser(shown.content.decode())
    assert f"Send this link to {name or 'noor'}" in page.body.text() and "was sent to" not in page.body.text()
    assert page.css_first("label[for=secret]").text() == "Link"
    address = page.css_first("#secret").attributes["value"] or ""
    link = re.fullmatch(r"http://127\.0\.0\.1:\d+(/admin/reset/\S+)", address)
    assert link is not None and "no-store" in shown["Cache-Control"]
    browser = Client()
    chosen = {"new_password1": "a tarn in winter", "new_password2": "a tarn in winter"}
    browser.post(browser.get(link.group(1), follow=True).redirect_chain[-1][0], chosen)
    assert browser.login(username="noor", password="a tarn in winter")
    again = admin.get(f"{TEAM}{Membership.objects.get(user__username='noor').pk}/change/", follow=True).content.decode()
    assert "/admin/reset/" not in again and "was sent to" not in again


@pytest.mark.django_db(transaction=True)
def test_with_a_mail_server_no_link_is_shown(admin: Client, mail_server: None) -> None:
    assert "No mail server" not in admin.get(f"{TEAM}add/").content.decode()
    data = {"username": "noor", "name": "Noor Aziz", "email": "noor@example.com", "role": "agent"}
    shown = admin.post(f"{TEAM}add/", data, follow=True).content.decode()
    assert "/admin/reset/" not in shown and "sent to noor@example.com" in shown


@pytest.mark.django_db(transaction=True)
def test_a_member_is_added_even_if_the_invitation_cannot_be_mailed(
    admin: Client, mail_server: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("supportbot.console.passwords.send_mail", refuse)
    data = {"username": "noor", "name": "Noor Aziz", "email": "noor@example.com", "role": "agent"}
    shown = admin.post(f"{TEAM}add/", data, follow=True).content.decode()
    assert "Saved: Noor Aziz." in shown and "The e-mail could not be sent" in shown
    assert "console: an invitation was not mailed (ConnectionRefusedError); see `manage.py doctor`" in caplog.messages
    assert Membership.objects.get(user__username="noor").role == "agent"


@pytest.mark.django_db(transaction=True)
def test_two_admins_cannot_demote_each_other(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    admins = [person(workspace, "admin", name) for name in ("ada", "bea")]
    both_have_looked = Barrier(2)

    def together(*told: Any, **named: Any) -> Membership:
        with suppress(BrokenBarrierError):  # the other admin's change waits for this one
            both_have_looked.wait(timeout=1)
        return add_member(*told, **named)

    monkeypatch.setattr(team, "add_member", together)

    def demote(pair: tuple[User, User]) -> None:
        by, whom = pair
        membership = Membership.objects.get(user=whom)
        logged_in(by).post(f"{TEAM}{membership.pk}/change/", {"role": "agent"})
        connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(demote, [(admins[0], admins[1]), (admins[1], admins[0])]))
    assert Membership.objects.filter(role="admin").count() == 1


def test_an_account_can_be_changed_only_by_its_single_workspace(
    admin: Client, bob: User, other_workspace: Workspace
) -> None:
    page = f"{TEAM}{Membership.objects.get(user=bob).pk}/change/"
    sent = {"role": "supervisor", "name": "Robert Vogt", "email": "robert@shop.example"}
    admin.post(page, sent)
    admin.post(page, sent)
    assert AuditEntry.objects.get(event="member.changed").payload["fields"] == "name email"
    bob.refresh_from_db()
    assert (bob.display_name, bob.email, Membership.objects.get(user=bob).role) == (
        "Robert Vogt",
        "robert@shop.example",
        "supervisor",
    )
    add_member(other_workspace, bob, "agent")  # from now on, a new address set here would also give access there
    assert 'name="email"' not in admin.get(page).content.decode()
    admin.post(page, {**sent, "role": "agent", "name": "Mallory", "email": "mallory@shop.example"})
    bob.refresh_from_db()
    assert (bob.display_name, bob.email) == ("Robert Vogt", "robert@shop.example")
    assert Membership.objects.exclude(workspace=other_workspace).get(user=bob).role == "agent"


def test_a_removed_member_keeps_the_account(admin: Client, bob: User) -> None:
    membership = Membership.objects.get(user=bob)
    admin.post(f"{TEAM}{membership.pk}/delete/", {"post": "yes"})
    assert not Membership.objects.filter(user=bob).exists()
    change = admin.get(f"{TEAM}{Membership.objects.get().pk}/change/").content.decode()
    assert ">Remove from the team</a>" in change
    assert "from the team" in admin.get(f"{TEAM}{Membership.objects.get().pk}/delete/").content.decode()
    assert User.objects.filter(username="bob").exists()


def test_removing_a_member_says_what_happens_to_their_work(admin: Client, workspace: Workspace, bob: User) -> None:
    add_member(workspace, bob, "supervisor")
    for policy in store_policies(workspace):
        allow_approval(policy, bob, actor="test")
    key = issue_api_key(workspace, "Inbox", scopes=["tickets:read"], user=bob)
    for number in range(2):
        conversation = start_conversation(Customer.objects.create(external_id=f"cus_{number}").pk)
        claim(request_person(conversation.pk, reason="other", by="customer").pk, agent=bob)
    page = f"{TEAM}{Membership.objects.get(user=bob).pk}/delete/"
    told = admin.get(page).content.decode()
    assert "2 open tickets return to the queue." in told and "1 API key is revoked." in told
    answer = admin.post(page, {"post": "yes"}, follow=True).content.decode()
    told = LexborHTMLParser(answer).css_first("main").text()
    assert "Removed from the team." in told
    assert "Refund an order: Some requests need approval, but nobody may approve them." in told
    add_member(workspace, bob, "admin")  # a key does not come back with its person
    with pytest.raises(InvalidKey):
        staff_by_api_key(key.plain)


def test_a_removed_member_loses_all_approval_rights(admin: Client, workspace: Workspace, bob: User) -> None:
    add_member(workspace, bob, "supervisor")
    for policy in store_policies(workspace):
        allow_approval(policy, bob, actor="test")
    admin.post(f"{TEAM}{Membership.objects.get(user=bob).pk}/delete/", {"post": "yes"})
    add_member(workspace, bob, "supervisor")
    assert not any(may_approve(bob, policy) for policy in ActionPolicy.objects.all())
    assert not any(bob in approvers_of(policy) for policy in ActionPolicy.objects.all())
    removed = AuditEntry.objects.filter(event="policy.approver_removed")
    assert removed.count() == ActionPolicy.objects.count() > 0


def test_the_reset_link_ignores_the_host_header(client: Client, bob: User, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    User.objects.filter(pk=bob.pk).update(email="bob@example.com")
    for address in ("bob@example.com", "nobody@example.com"):
        answer = client.post("/admin/password_reset/", {"email": address}, headers={"Host": "evil.example"})
        assert answer.headers["Location"] == "/admin/password_reset/done/"
    (letter,) = mail.outbox
    assert "evil.example" not in letter.body
    assert settings.BASE_URL in letter.body


def test_without_a_mail_server_the_reset_page_says_what_to_do(client: Client, bob: User) -> None:
    page, done = (client.get(f"/admin/password_reset/{step}").content.decode() for step in ("", "done/"))
    assert "No mail server is set up" in page
    assert "<code>manage.py changepassword USERNAME</code>" in page
    assert "id_email" not in page
    assert "No mail server is set up" in done
    assert "on its way" not in done
    assert "reset sent" not in done


@pytest.mark.usefixtures("mail_server")
def test_with_a_mail_server_the_reset_page_sends_a_link(client: Client, bob: User) -> None:
    page, done = (client.get(f"/admin/password_reset/{step}").content.decode() for step in ("", "done/"))
    assert "id_email" in page
    assert "on its way" in done
    assert "No mail server" not in page + done


def test_reset_mails_are_rate_limited(client: Client, bob: User) -> None:
    answers = [client.post("/admin/password_reset/", {"email": "bob@example.com"}).status_code for _ in range(6)]
    assert answers == [302] * 5 + [429]


def test_an_invalid_e_mail_address_is_answered_in_polite_german(admin: Client) -> None:
    User.objects.update(language="de")
    page = admin.post("/admin/accounts/membership/add/", {"username": "zoe", "email": "?", "role": "agent"})
    assert "Geben Sie eine gültige E-Mail-Adresse ein" in page.content.decode()
