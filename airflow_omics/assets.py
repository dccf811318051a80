"""URIs of the ``omics`` scheme, for Airflow's assets: AWS's own URIs of read sets and references.

https://docs.aws.amazon.com/omics/latest/dev/s3-uris.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["convert_asset_to_openlineage", "sanitize_uri"]


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return the URI as Airflow keeps it."""
    raise NotImplementedError


def convert_asset_to_openlineage(asset: Any, lineage_context: Any) -> Any:
    """Return the asset as a dataset of OpenLineage."""
    raise NotImplementedError
