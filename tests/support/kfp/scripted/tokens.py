"""Tokens for client credentials (RFC 6749, 4.4), as an ingress before the server gives them: POST /oauth2/token."""

import itertools
import urllib.parse

from . import api

serial = itertools.count(1)


def answer(core, request):
    given = dict(urllib.parse.parse_qsl(request.body.decode("utf-8", "replace")))
    client = core.identities.clients.get(given.get("client_id"))
    if request.method != "POST" or given.get("grant_type") != "client_credentials":
        return api.as_json(400, {"error": "unsupported_grant_type"})
    if client is None or client["secret"] != given.get("client_secret"):
        return api.as_json(401, {"error": "invalid_client"})
    token = f"granted-{next(serial)}"
    core.identities.tokens[token] = client["user"]
    core.count("tokens")
    return api.as_json(200, {"access_token": token, "token_type": "Bearer", "expires_in": client.get("expires_in", 3600)})
