"""Lets a test build boto clients quickly: each reads much JSON and many signatures, always the same."""

from __future__ import annotations

import functools
from typing import Any

import botocore.hooks
import botocore.httpsession
import botocore.loaders
import pytest


def _once(method: Any) -> Any:
    known: dict[Any, Any] = {}

    @functools.wraps(method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        # A loader that reads models from elsewhere as well has others.
        key = (tuple(getattr(self, "search_paths", ())), args, tuple(sorted(kwargs.items())))
        if key not in known:
            known[key] = method(self, *args, **kwargs)
        return known[key]

    return wrapper


_LOADER: Any = botocore.loaders.Loader
_ALIASER: Any = botocore.hooks.EventAliaser
_KNOWN_AFTER_ONCE = [
    (owner, name, _once(getattr(owner, name)))
    for owner, name in (
        (_LOADER, "list_available_services"),
        (_LOADER, "determine_latest_version"),
        (_LOADER, "load_service_model"),
        (_LOADER, "load_data_with_path"),
        (_ALIASER, "_alias_event_name"),
    )
]
# No test of those that build clients quickly speaks TLS to anybody.
_tls_settings = functools.cache(botocore.httpsession.create_urllib3_context)


def build_clients_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read each model of botocore's once in a process, for the length of a test.

    For each test by itself: tests of other folders, in the same process, load models of their own.
    """
    for owner, name, method in _KNOWN_AFTER_ONCE:
        monkeypatch.setattr(owner, name, method)
    monkeypatch.setattr(botocore.hooks.BaseEventHooks, "_verify_accept_kwargs", lambda self, func: None)
    monkeypatch.setattr(botocore.httpsession, "create_urllib3_context", _tls_settings)
