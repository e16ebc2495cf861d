from django.urls import path

from agents.views import account, invitations, members, signing_in, tokens

urlpatterns = [
    path("sign-in", signing_in.sign_in, name="sign-in"),
    path("sign-out", signing_in.sign_out, name="sign-out"),
    path("forgot-password", signing_in.forgot_password, name="forgot-password"),
    path("reset-password/<str:uidb64>/<str:token>", signing_in.reset_password, name="reset-password"),
    path("invitations/<str:token>", invitations.invitation, name="invitation"),
    path("account", account.account, name="account"),
    path("account/password", account.change_password, name="account-password"),
    path("account/sessions/end-others", account.end_other_sessions, name="account-end-others"),
    path("account/sessions/<uuid:session_id>/end", account.end_session, name="account-end"),
    path("account/leave", account.leave, name="account-leave"),
    path("workspace", account.choose_workspace, name="choose-workspace"),
    path("settings/members", members.listed, name="settings-members"),
    path("settings/members/free-rows", members.free_rows, name="settings-free-rows"),
    path("settings/members/<uuid:member_id>", members.one, name="settings-member"),
    path("settings/members/<uuid:member_id>/role", members.change_role, name="settings-member-role"),
    path("settings/members/<uuid:member_id>/agent", members.link, name="settings-member-agent"),
    path("settings/members/<uuid:member_id>/remove", members.remove, name="settings-member-remove"),
    path("settings/members/<uuid:member_id>/hand-over", members.hand_over, name="settings-member-hand-over"),
    path("settings/invitations", members.waiting, name="settings-invitations"),
    path("settings/invitations/<uuid:invitation_id>/send", members.send_again, name="settings-invitation-send"),
    path("settings/invitations/<uuid:invitation_id>/revoke", members.revoke, name="settings-invitation-revoke"),
    path("settings/tokens", tokens.tokens, name="settings-tokens"),
    path("settings/tokens/<uuid:token_id>/revoke", tokens.revoke, name="settings-token-revoke"),
]
