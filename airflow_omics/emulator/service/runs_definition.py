"""The definition that GetRun exports on request: a zip in the emulator's own S3, and the URL to fetch it.

The emulator knows no workflows, so the definition is one that does nothing, in the run's language.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from urllib.parse import urlencode

from airflow_omics.emulator.lives.run import Run
from airflow_omics.emulator.wire.names import Place
from airflow_omics.emulator.world import moto_stores

_TEXTS = {
    "main.wdl": "version 1.0\n\nworkflow emulated {\n}\n",
    "main.nf": "workflow {\n}\n",
}


def source(run: Run) -> tuple[str, str]:
    """Return the engine and the main file of a run's workflow.

    Settings of an engine are Nextflow's; everything else is assumed to be WDL.
    """
    return ("NEXTFLOW", "main.nf") if run.members.get("engineSettings") else ("WDL", "main.wdl")


def url(place: Place, run: Run, host: str, moment: float) -> str:
    """Put a run's definition into S3 and return a URL for it that needs no keys, as a presigned one does not.

    :param host: the host that HealthOmics was asked at. Over HTTP, the emulator's S3 has the same host.
    :param moment: the present, in seconds since the epoch.
    """
    bucket = f"omics-emulator-{place.account_id}-{place.region_name}"
    _, main = source(run)
    key = f"definition/{run.members['workflowId']}/{main}.zip"
    moto_stores.put_objects(place, bucket, {key: _zipped(main)}, moment)
    domain = "amazonaws.com.cn" if place.partition == "aws-cn" else "amazonaws.com"
    if host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")):
        address = f"https://{bucket}.s3.{place.region_name}.{domain}/{key}"
    else:
        address = f"http://{host}/{bucket}/{key}"
    # moto wants a signature, and does not check it.
    signature = hashlib.sha256(address.encode()).hexdigest()
    return f"{address}?{urlencode({'X-Amz-Algorithm': 'AWS4-HMAC-SHA256', 'X-Amz-Signature': signature})}"


def _zipped(main: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        # A file without a date has that of 1980, and so the zip is the same each time.
        archive.writestr(zipfile.ZipInfo(main), _TEXTS[main])
    return content.getvalue()
