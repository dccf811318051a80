"""URIs of read sets and references, as Airflow's assets have them and OpenLineage is told of them."""

from __future__ import annotations

import warnings
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.openlineage.utils.utils import translate_airflow_asset

from airflow_omics._compat import asset_classes
from airflow_omics.assets import sanitize_uri

STORAGE = "omics://123456789012.storage.us-west-2.amazonaws.com"
# https://docs.aws.amazon.com/omics/latest/dev/create-ref-files.html
DOCUMENTED = (
    "/1234567890/reference/2345678901",
    "/1234567890/reference/2345678901/source",
    "/1234567890/reference/2345678901/index",
    "/1234567890/readSet/2345678901",
    "/1234567890/readSet/2345678901/source1",
    "/1234567890/readSet/2345678901/source2",
    "/1234567890/readSet/2345678901/index",
)
WRONG = (
    "omics://run/1234567",
    "omics://2345678901/1234567890/reference/2345678901",
    f"{STORAGE}",
    f"{STORAGE}/1234567890",
    f"{STORAGE}/1234567890/run/2345678901",
    f"{STORAGE}/1234567890/readset/2345678901",
    f"{STORAGE}/1234567890/readSet/2345678901/source",
    f"{STORAGE}/1234567890/reference/2345678901/source1",
    f"{STORAGE}/1234567890/reference/2345678901/source/more",
    f"{STORAGE}/cohort/reference/2345678901",
    f"{STORAGE}/1234567890/reference/2345678901?version=2",
    f"{STORAGE}.cn/1234567890/reference/2345678901",
    f"{STORAGE}:443/1234567890/reference/2345678901",
    "omics://123456789012.storage.amazonaws.com/1234567890/reference/2345678901",
    "omics://user@123456789012.storage.us-west-2.amazonaws.com/1234567890/reference/2345678901",
)


def asset(uri: str) -> Any:
    """Return an asset as a DAG file makes one."""
    return asset_classes()[0](uri=uri)


@pytest.mark.parametrize("path", DOCUMENTED)
def test_documented_uri_is_one_of_an_asset(path: str) -> None:
    with warnings.catch_warnings():
        # Airflow 2.11 only warns of what it does not take.
        warnings.filterwarnings("error", "The dataset URI", UserWarning)
        assert asset(STORAGE + path).uri == STORAGE + path


def test_the_host_has_no_case_and_the_path_has() -> None:
    shouted = "omics://123456789012.STORAGE.us-west-2.AmazonAWS.com/1/readSet/2/"
    assert asset(shouted).uri == f"{STORAGE}/1/readSet/2"


@pytest.mark.parametrize("uri", WRONG)
def test_any_other_uri_is_refused_with_what_is_taken(uri: str) -> None:
    with pytest.raises(ValueError, match="is no URI of a read set or reference") as raised:
        sanitize_uri(urlsplit(uri))
    assert repr(uri) in str(raised.value)
    assert "omics://<account>.storage.<region>.amazonaws.com/" in str(raised.value)


def test_airflow_asks_when_an_asset_is_made() -> None:
    try:
        import airflow.sdk  # noqa: F401
    except ImportError:  # Airflow 2.11
        with pytest.warns(UserWarning, match="is no URI of a read set or reference"):
            asset("omics://run/1234567")
        return
    with pytest.raises(ValueError, match="is no URI of a read set or reference"):
        asset("omics://run/1234567")


@pytest.mark.parametrize("path", DOCUMENTED)
def test_openlineage_is_told_of_the_storage_and_what_is_in_it(path: str) -> None:
    dataset = translate_airflow_asset(asset(STORAGE + path), None)
    assert dataset is not None
    assert (dataset.namespace, dataset.name) == (STORAGE, path.removeprefix("/"))
