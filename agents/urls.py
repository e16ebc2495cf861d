from django.urls import path

from agents.views import signing_in, tokens

urlpatterns = [
    path("sign-in", signing_in.sign_in, name="sign-in"),
    path("sign-out", signing_in.sign_out, name="sign-out"),
    path("settings/tokens", tokens.tokens, name="settings-tokens"),
    path("settings/tokens/<uuid:token_id>/revoke", tokens.revoke, name="settings-token-revoke"),
]
