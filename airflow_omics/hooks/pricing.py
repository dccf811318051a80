"""The hook for AWS's price list: what AWS publishes of HealthOmics, a Region at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from botocore.config import Config

from airflow_omics.hooks.named import NamedConnectionHook
from airflow_omics.hooks.responses import UnusableAnswerError
from airflow_omics.hooks.settings import with_defaults

SERVICE_CODE: Final = "AmazonOmics"

_DEFAULT_CONFIG: Mapping[str, Any] = {
    "connect_timeout": 10,
    "read_timeout": 30,
    "retries": {"mode": "standard", "total_max_attempts": 3},
}
# The API answers for every Region of its partition, from few endpoints: here the next one.
# https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html
_ENDPOINTS: Final = {
    "cn": "cn-northwest-1",
    "ap": "ap-south-1",
    "eu": "eu-central-1",
    "il": "eu-central-1",
    "me": "eu-central-1",
    "af": "eu-central-1",
}

_known: dict[tuple[str, str], tuple[Mapping[str, Any], ...]] = {}


class OmicsPricingHook(NamedConnectionHook):
    """Read AWS's price list through an Airflow connection of type ``aws``.

    It takes every parameter of ``AwsBaseHook`` except ``client_type``.

    See https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "pricing"
        super().__init__(*args, **kwargs)

    @property
    def config(self) -> Config:
        """The settings of its clients, also of the one that assumes a role."""
        return with_defaults(super().config, _DEFAULT_CONFIG)

    def offers(self, region: str) -> tuple[Mapping[str, Any], ...]:
        """Return what AWS offers of private workflows in a Region, each as the price list has it.

        A process asks once for each Region: prices change a few times a year.

        :raises botocore.exceptions.ClientError: as AWS answered. Needs the IAM action
            ``pricing:GetProducts``.
        """
        client: Any = self.get_client_type(region_name=price_region(region))
        key = (client.meta.endpoint_url, region)
        if key not in _known:
            _known[key] = tuple(_read(client, region))
        return _known[key]


def price_region(region: str) -> str:
    """Return the Region whose endpoint of the price list is asked about a Region."""
    return _ENDPOINTS.get(region.partition("-")[0], "us-east-1")


def _read(client: Any, region: str) -> list[Mapping[str, Any]]:
    wanted = {"regionCode": region, "workflowType": "Private"}
    request: dict[str, Any] = {
        "ServiceCode": SERVICE_CODE,
        "Filters": [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()],
    }
    found: list[Mapping[str, Any]] = []
    while True:
        answer = client.get_products(**request)
        items = answer.get("PriceList")
        if not isinstance(items, list):
            raise UnusableAnswerError("GetProducts answered without a PriceList")
        found += map(_offer, items)
        token = answer.get("NextToken")
        # A token that comes again leads round and round.
        if not token or token == request.get("NextToken"):
            return found
        request["NextToken"] = token


def _offer(item: Any) -> Mapping[str, Any]:
    try:
        offer = json.loads(item) if isinstance(item, str) else item
    except ValueError:
        offer = None
    if not isinstance(offer, Mapping):
        raise UnusableAnswerError("GetProducts answered with something else than offers")
    return offer
