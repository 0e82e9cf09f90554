"""The HTTP beneath the official client's asynchronous resources.

The stock transport ignores its time limit, stops at 100 connections and, asked to retry, repeats POSTs. This one
limits the time of every request, keeps one pool, and says of each failure whether the request may have been taken.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from yarl import URL

from gateway.twilio_api.errors import NotTaken, OutcomeUnknown, error_of

MOST_CONNECTIONS = 500


class Transport(AsyncHttpClient):  # type: ignore[misc]  # the library is untyped
    """A pool of connections to Twilio, or to what *base_url* names in its stead.

    With a base URL ``https://HOST/PATH`` is sent to ``BASE/HOST/PATH``. Make it in a running event loop.
    """

    def __init__(self, *, base_url: str | None, time_limit_s: float) -> None:
        super().__init__(logging.getLogger(__name__), is_async=True)
        self._base = base_url.rstrip("/") + "/" if base_url else None
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(total=time_limit_s),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._authorizations: dict[tuple[str, str], str] = {}

    async def request(
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # the client's own parameter; ours is on the session
        allow_redirects: bool = False,
    ) -> Response:
        """Twilio's answer, below 400. Raises `gateway.twilio_api.errors.TwilioError`."""
        if timeout is not None:
            raise ValueError("the time limit is the transport's, for all requests")
        sent = dict(headers or {})
        if auth is not None:
            sent["Authorization"] = self._authorization(auth)
        try:
            async with self._session.request(
                method,
                self._url(uri, params),
                data=urlencode(data, doseq=True).encode() if data else None,
                headers=sent,
                allow_redirects=allow_redirects,
            ) as answer:
                text = await answer.text()
        except aiohttp.ClientConnectorError as refused:
            raise NotTaken("Twilio cannot be reached: no connection") from refused
        except (TimeoutError, aiohttp.ClientError) as broken:
            raise OutcomeUnknown(f"Twilio did not answer: {type(broken).__name__}") from broken
        if answer.status >= 400:
            raise error_of(answer.status, text, retry_after_s=_seconds(answer.headers))
        return Response(answer.status, text, answer.headers)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._session.close()

    def _url(self, uri: str, params: Mapping[str, object] | None) -> URL:
        url = self._base + uri.removeprefix("https://") if self._base else uri
        if params:
            url = f"{url}?{urlencode(params, doseq=True)}"
        return URL(url, encoded=True)

    def _authorization(self, auth: tuple[str, str]) -> str:
        known = self._authorizations.get(auth)
        if known is None:
            known = self._authorizations[auth] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
        return known


def _seconds(headers: Mapping[str, Any]) -> float | None:
    # Retry-After may also be a date (RFC 9110 §10.2.3); Twilio sends seconds.
    try:
        return max(0.0, float(headers["Retry-After"]))
    except (KeyError, ValueError):
        return None
