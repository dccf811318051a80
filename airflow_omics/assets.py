"""URIs of the ``omics`` scheme, for Airflow's assets: AWS's own URIs of read sets and references.

Airflow calls these functions by their names in the provider's ``asset-uris``. No other URI is one of this
scheme: what a run writes is in S3 and has an ``s3://`` URI.
https://docs.aws.amazon.com/omics/latest/dev/create-ref-files.html
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["convert_asset_to_openlineage", "sanitize_uri"]

_STORAGE: Final = re.compile(r"\d{12}\.storage\.[a-z]{2}(?:-[a-z]+)+-\d+\.amazonaws\.com")
_FILE: Final = re.compile(
    r"/\d+/(?:readSet/\d+(?:/(?:source1|source2|index))?|reference/\d+(?:/(?:source|index))?)"
)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return the URI as Airflow keeps it: the name of the host, which has no case, in lower case.

    A URI without a file at its end stays as it is, although AWS takes it for the read set's ``source1`` or
    the reference's ``source``: an asset may stand for all of a read set.

    :param uri: as Airflow has split it, without a trailing slash.
    :raises ValueError: it is no URI of a read set or reference.
    """
    kept = uri._replace(netloc=uri.netloc.lower())
    if not _STORAGE.fullmatch(kept.netloc) or not _FILE.fullmatch(kept.path) or kept.query or kept.fragment:
        raise ValueError(
            f"{uri.geturl()!r} is no URI of a read set or reference of HealthOmics; give "
            "omics://<account>.storage.<region>.amazonaws.com/<sequence store>/readSet/<id>, or "
            "<reference store>/reference/<id>, and the file if one is meant: source1, source2 or index of a "
            "read set, source or index of a reference."
        )
    return kept


def convert_asset_to_openlineage(asset: Any, lineage_context: Any) -> Any:
    """Return the asset as a dataset of OpenLineage.

    The namespace is the scheme with the account's storage, and the name is the path, as OpenLineage names
    datasets in object stores: https://openlineage.io/docs/spec/naming

    :param asset: an asset whose URI :func:`sanitize_uri` has accepted.
    :param lineage_context: what asks; Airflow hands it over, and it is not needed.
    """
    # Only Airflow's OpenLineage provider calls this, and brings the module; nobody else needs to have it.
    dataset_class = importlib.import_module("openlineage.client.event_v2").Dataset
    uri = sanitize_uri(urlsplit(asset.uri))
    return dataset_class(namespace=f"{uri.scheme}://{uri.netloc}", name=uri.path.removeprefix("/"))
