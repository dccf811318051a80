"""A price list for tools that ask what a run cost: AWS Price List, for HealthOmics alone.

List prices of us-east-1 in 2026, from secondary sources, and the same in every Region. They let a tool
work. They are no basis for a decision.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_omics.emulator.other_services.manifest import VCPUS
from airflow_omics.emulator.wire.exceptions import OmicsServiceError
from airflow_omics.emulator.world.faults import PRICE_OPERATIONS, error_text
from airflow_omics.emulator.world.shared import WORLD

SERVICE_CODE = "AmazonOmics"
# USD for a vCPU and hour. A family's price is linear in its vCPUs, but for the largest sizes it is not known.
_PER_VCPU = {"c": 0.057375, "m": 0.0648, "r": 0.08505}
_UNKNOWN_SIZES = frozenset({"32xlarge", "48xlarge"})
_GPUS = {"omics.g5.2xlarge": 1.6362, "omics.g6.8xlarge": 2.7194, "omics.g6.16xlarge": 4.5857}
# USD for a GB and hour.
_STORAGE = {"Run Storage": 0.0001918, "Dynamic Run Storage": 0.000411, "Ephemeral Storage": 0.000133}
# What the price list calls the Regions in which HealthOmics is; some have another name elsewhere.
_LOCATIONS = {
    "us-east-1": "US East (N. Virginia)",
    "us-west-2": "US West (Oregon)",
    "ap-northeast-2": "Asia Pacific (Seoul)",
    "ap-southeast-1": "Asia Pacific (Singapore)",
    "eu-central-1": "EU (Frankfurt)",
    "eu-west-1": "EU (Ireland)",
    "eu-west-2": "EU (London)",
    "il-central-1": "Israel (Tel Aviv)",
}
_PRINCIPAL = "arn:aws:sts::123456789012:assumed-role/Admin/emulator"
_EFFECTIVE = "2026-07-01T00:00:00Z"


def answer(operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """Answer an operation of AWS Price List; None if the emulator does not have it.

    :raises OmicsServiceError: the emulator has no such prices, AWS would refuse the request, or a fault
        strikes it.
    """
    if operation in PRICE_OPERATIONS and (fault := WORLD.faults.pick(operation, None, named=True)):
        code, message = error_text(fault, f"pricing:{operation}", "*", _PRINCIPAL)
        raise OmicsServiceError(code, 500 if code == "InternalServerException" else 400, message)
    served = {"GetProducts": _get_products, "DescribeServices": _describe_services}
    return served[operation](request) if operation in served else None


def _describe_services(request: Mapping[str, Any]) -> dict[str, Any]:
    _check(request.get("ServiceCode", SERVICE_CODE))
    names = list(next(_offers("us-east-1"))["product"]["attributes"])
    return {
        "FormatVersion": "aws_v1",
        "Services": [{"ServiceCode": SERVICE_CODE, "AttributeNames": names}],
    }


def _check(service: Any) -> None:
    if service != SERVICE_CODE:
        says = f"the emulator has prices of {SERVICE_CODE} alone, not of {service!r}"
        raise OmicsServiceError("NotImplemented", 501, says)


def _get_products(request: Mapping[str, Any]) -> dict[str, Any]:
    _check(request.get("ServiceCode"))
    filters = request.get("Filters") or []
    for each in filters:
        if each.get("Type") not in ("TERM_MATCH", "EQUALS"):
            says = f"the emulator filters prices by TERM_MATCH and EQUALS alone, not by {each.get('Type')!r}"
            raise OmicsServiceError("NotImplemented", 501, says)
    wanted = {each.get("Field"): each.get("Value") for each in filters}
    located = [code for code, location in _LOCATIONS.items() if location == wanted.get("location")]
    region = str(wanted.get("regionCode") or next(iter(located), "us-east-1"))
    offers = [
        offer
        for offer in _offers(region)
        if all(offer["product"]["attributes"].get(name) == value for name, value in wanted.items())
    ]
    begin, size = _position(request.get("NextToken")), int(request.get("MaxResults") or 100)
    texts = [json.dumps(offer, separators=(",", ":")) for offer in offers[begin : begin + size]]
    more = base64.b64encode(str(begin + size).encode()).decode()
    page: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": texts}
    return {**page, "NextToken": more} if begin + size < len(offers) else page


def _position(token: str | None) -> int:
    try:
        return 0 if token is None else int(base64.b64decode(token, validate=True))
    except (ValueError, binascii.Error):
        says = "The pagination token is not one that this operation returned"
        raise OmicsServiceError("InvalidNextTokenException", 400, says) from None


def _prices() -> Iterator[tuple[str, str, float]]:
    """Yield resource, unit and USD of all that has a price."""
    for family, price in _PER_VCPU.items():
        for size, vcpus in VCPUS.items():
            if size not in _UNKNOWN_SIZES:
                yield f"omics.{family}.{size}", "Instance-hrs", price * vcpus
    for resource, price in _GPUS.items():
        yield resource, "Instance-hrs", price
    for resource, price in _STORAGE.items():
        yield resource, "GB-Hours", price


def _offers(region: str) -> Iterator[dict[str, Any]]:
    for resource, unit, price in _prices():
        sku = hashlib.sha256(f"{resource}/{region}".encode()).hexdigest()[:16].upper()
        family = "Compute" if unit == "Instance-hrs" else "Storage"
        yield {
            "serviceCode": SERVICE_CODE,
            "product": {
                "sku": sku,
                "productFamily": family,
                "attributes": {
                    "servicecode": SERVICE_CODE,
                    **({"location": _LOCATIONS[region]} if region in _LOCATIONS else {}),
                    "locationType": "AWS Region",
                    "regionCode": region,
                    "resourceType": resource,
                    "workflowType": "Private",
                },
            },
            "terms": {"OnDemand": {f"{sku}.EMULATOR": _term(sku, resource, unit, price)}},
            "publicationDate": _EFFECTIVE,
        }


def _term(sku: str, resource: str, unit: str, price: float) -> dict[str, Any]:
    return {
        "sku": sku,
        "effectiveDate": _EFFECTIVE,
        "priceDimensions": {
            f"{sku}.EMULATOR.PRICE": {
                "unit": unit,
                "beginRange": "0",
                "endRange": "Inf",
                "description": f"{resource}: a price of the HealthOmics emulator, not an offer of AWS",
                "pricePerUnit": {"USD": f"{price:.10f}"},
            }
        },
        "termAttributes": {},
    }
