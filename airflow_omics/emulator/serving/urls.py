"""The addresses of HealthOmics for moto's dispatcher, with and without the host prefixes of operations."""

from __future__ import annotations

from airflow_omics.emulator.serving.answers import OmicsResponse

HOST_PATTERN = (
    r"https?://(?:(?:workflows|control-storage|storage|analytics|tags)-)?omics(?:-fips)?"
    r"\.([^.]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)"
)

url_bases = [HOST_PATTERN]
url_paths = {"{0}/.*$": OmicsResponse.dispatch}
