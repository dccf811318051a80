"""The four AWS arguments that every operator, sensor and trigger takes, as one value.

Deferrable operators of other providers lose some of them between the worker and the triggerer. That cannot
happen to one value that is built once and serialised whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class AwsArguments:
    """How to reach AWS: an Airflow connection and what overrides it.

    :param aws_conn_id: id of an Airflow connection of type ``aws``; None or empty uses boto3's own
        chain of credentials and settings.
    :param region_name: AWS Region; overrides the connection's.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle; overrides the
        connection's.
    :param botocore_config: keyword arguments of ``botocore.config.Config``; overrides the connection's
        ``config_kwargs``.

    See https://airflow.apache.org/docs/apache-airflow-providers-amazon/stable/connections/aws.html
    """

    aws_conn_id: str | None = "aws_default"
    region_name: str | None = None
    verify: bool | str | None = None
    botocore_config: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.botocore_config is None:
            return
        if not isinstance(self.botocore_config, Mapping):
            raise ValueError(
                f"botocore_config is a {type(self.botocore_config).__name__}; it takes a dict of "
                "botocore.config.Config's keyword arguments, such as {'read_timeout': 20}, since only "
                "plain values can be carried into a trigger."
            )
        try:
            json.dumps(dict(self.botocore_config))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"botocore_config holds a value that is not plain JSON ({error}); it takes numbers, "
                "text, booleans, lists and dicts, since it is carried into a trigger."
            ) from None

    def in_region(self, region: str | None) -> AwsArguments:
        """Return these arguments, with ``region`` as the Region if none was given."""
        return self if self.region_name or not region else replace(self, region_name=region)

    def serialize(self) -> dict[str, Any]:
        """Return the arguments as plain JSON, all four, by the names that every constructor takes."""
        config = None if self.botocore_config is None else dict(self.botocore_config)
        return {
            "aws_conn_id": self.aws_conn_id,
            "region_name": self.region_name,
            "verify": self.verify,
            "botocore_config": config,
        }

    @property
    def key(self) -> str:
        """One text for the four of them: equal arguments have equal keys."""
        return json.dumps(self.serialize(), sort_keys=True)
