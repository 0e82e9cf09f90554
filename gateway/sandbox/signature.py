"""The signature that Twilio puts on a webhook."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit


def sign(auth_token: str, url: str, pairs: Iterable[tuple[str, str]] = ()) -> str:
    """The value of ``X-Twilio-Signature`` for a form *pairs* posted to *url* (for a GET: no pairs)."""
    # https://www.twilio.com/docs/usage/security: the full URL, then each name and value, sorted by name.
    signed = signed_url(url) + "".join(name + value for name, value in sorted(set(pairs)))
    digest = hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def signed_url(url: str) -> str:
    """The URL as it is signed: without its fragment and without ``user:password@``."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))
