"""The URLs of the desk's pages."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from supportbot.accounts.lockout import DeskLogIn
from supportbot.accounts.setup import has_administrator
from supportbot.handoff.approvals import views as approval_views
from supportbot.handoff.desk import canned_reply_views, views
from supportbot.handoff.proposals import record_card_views
from supportbot.handoff.proposals import views as proposal_views

urls = [
    path("", views.queue, name="desk"),
    path(
        "log-in/",
        LoginView.as_view(
            template_name="desk/login.html",
            next_page="desk",
            authentication_form=DeskLogIn,
            extra_context={"has_administrator": has_administrator},
        ),
        name="desk-login",
    ),
    path("log-out/", LogoutView.as_view(next_page="desk-login"), name="desk-logout"),
    path("next/", views.claim_next, name="desk-next"),
    path("presence/", views.set_presence, name="desk-presence"),
    path("approvals/", approval_views.approvals, name="desk-approvals"),
    path("approvals/<uuid:request_id>/", approval_views.approval, name="desk-approval"),
    path("approvals/<uuid:request_id>/<slug:verdict>/", approval_views.decide, name="desk-decide"),
    path("replies/", canned_reply_views.replies, name="desk-replies"),
    path("replies/<uuid:reply_id>/", canned_reply_views.reply, name="desk-reply"),
    path("replies/<uuid:reply_id>/delete/", canned_reply_views.delete, name="desk-reply-delete"),
    path("tickets/<uuid:ticket_id>/", views.ticket, name="desk-ticket"),
    path("tickets/<uuid:ticket_id>/activity/", views.activity, name="desk-activity"),
    path("tickets/<uuid:ticket_id>/trail/", views.activity),  # the former address, until 0.3
    path("tickets/<uuid:ticket_id>/ask/<slug:name>/", proposal_views.proposal, name="desk-proposal"),
    path("tickets/<uuid:ticket_id>/records/", record_card_views.records, name="desk-records"),
    path("tickets/<uuid:ticket_id>/undo/<uuid:request_id>/", proposal_views.undo, name="desk-undo"),
    path("tickets/<uuid:ticket_id>/orders.json", views.orders, name="desk-orders"),
    path("tickets/<uuid:ticket_id>/canned.json", canned_reply_views.suggestions, name="desk-canned"),
    path("tickets/<uuid:ticket_id>/draft.json", views.draft, name="desk-draft"),
    path("tickets/<uuid:ticket_id>/<slug:name>/", views.perform_action, name="desk-step"),
]
