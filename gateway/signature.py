"""Whether a webhook comes from Twilio: X-Twilio-Signature.

https://www.twilio.com/docs/usage/security#validating-requests
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence

from twilio.request_validator import RequestValidator, get_signature_algorithm
from werkzeug.datastructures import MultiDict


class Signatures:
    """The signatures of one account, over the URL under which Twilio knows us.

    *public_url* may have a path; *tokens* are the auth tokens that may sign, two during a rotation.
    """

    def __init__(self, public_url: str, tokens: Sequence[str]) -> None:
        self._public_url = public_url.rstrip("/")
        self._keys = [token.encode() for token in tokens]
        self._validators = [RequestValidator(token) for token in tokens]

    def accepts(
        self, path: str, query: str, form: Sequence[tuple[str, str]], *, signature: str, algorithm_header: str = ""
    ) -> bool:
        """Whether *signature* is right for a form POST to *path* with the raw query string *query*.

        Our own HMAC can only say yes; what it does not accept, the `twilio` library's validator judges, which knows
        repeated names, standard ports that are there or not, and other algorithms.
        """
        url = f"{self._public_url}{path}?{query}" if query else self._public_url + path
        signed = (url + "".join([name + value for name, value in sorted(form)])).encode()
        for key in self._keys:
            ours = base64.b64encode(hmac.digest(key, signed, "sha1"))
            if hmac.compare_digest(ours, signature.encode()):
                return True
        algorithm = get_signature_algorithm(algorithm_header)
        fields = MultiDict(form)
        return any(one.validate(url, fields, signature, algorithm) for one in self._validators)
