"""Checks for connection mistakes that no API call reports, or reports without saying what to do."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from typing import Any

import botocore
from botocore.config import Config
from botocore.loaders import Loader

from airflow_omics.exceptions import OmicsRequestError

_OPTIONS = "https://botocore.amazonaws.com/v1/documentation/api/latest/reference/config.html"


def check_ca_bundle(verify: Any, connection: str | None) -> None:
    """Raise OmicsRequestError if ``verify`` is text, and not the path of a file of certificates.

    If it is None, botocore uses what the environment variable ``AWS_CA_BUNDLE`` names.

    :param connection: the connection that ``verify`` is from, if it is not the argument.
    """
    name, where = "verify", f" in {connection}" if connection else ""
    if verify is None:
        name, where, verify = "AWS_CA_BUNDLE", " in the environment", os.environ.get("AWS_CA_BUNDLE") or None
    if isinstance(verify, str) and (mistake := _mistake_of_bundle(verify)):
        takes = "True, False, or the path" if name == "verify" else "the path"
        raise OmicsRequestError(
            f"{name} is {verify!r}{where}, and {mistake}; it takes {takes} of a CA bundle on every worker "
            "and triggerer."
        )


def _mistake_of_bundle(path: str) -> str | None:
    if not os.path.isfile(path):
        return "there is no such file here"
    try:
        with open(path, "rb") as file:
            is_pem = b"-----BEGIN " in file.read()
    except OSError as error:
        return f"that file can't be read ({error.strerror})"
    return None if is_pem else "that file holds no certificate in PEM form"


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Raise OmicsRequestError if ``options`` holds what botocore's Config does not take.

    :param name: what holds the options, for the error.
    """
    known = Config.OPTION_DEFAULTS
    for option in options:
        if option not in known:
            near = difflib.get_close_matches(str(option), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"they are listed in {_OPTIONS}"
            raise OmicsRequestError(
                f"{name} holds {option!r}, which is not an option of botocore.config.Config (botocore "
                f"{botocore.__version__}); {hint}"
            )


def with_defaults(given: Config, defaults: Mapping[str, Any]) -> Config:
    """Return ``given``, with ``defaults`` for the options that nobody set.

    An option that was set may equal botocore's own default; it stays.
    """
    known = getattr(given, "_user_provided_options", {})
    return given.merge(Config(**{key: value for key, value in defaults.items() if key not in known}))


def unknown_region(region: str, loader: Loader) -> str | None:
    """Return a warning if the installed botocore knows no such Region, None if it does.

    A Region that is newer than botocore works all the same, so this is not an error.
    """
    partitions = loader.load_data("partitions")["partitions"]
    known = [name for partition in partitions for name in partition["regions"]]
    if region in known:
        return None
    near = difflib.get_close_matches(region, known, n=3, cutoff=0.8)
    hint = f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""
    return (
        f"The Region is {region!r}, and botocore {botocore.__version__} knows no such Region{hint}. It is "
        "used all the same, since there may be Regions that are newer."
    )
