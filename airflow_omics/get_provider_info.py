"""What ``airflow providers`` reads of this package, and the metrics that it sends through Airflow.

The keys are those of Airflow's ``provider_info.schema.json``; no connection type is declared, since
the Amazon provider's ``aws`` connection is used as it is.
"""

from __future__ import annotations

from typing import Any

__all__ = ["get_provider_info"]

INTEGRATION = "AWS HealthOmics"
METRICS = {
    "omics.watcher.waiting": ("gauge", "Runs that a triggerer waits for, on one connection."),
    "omics.watcher.waiting_batches": ("gauge", "Batches that a triggerer waits for, on one connection."),
    "omics.watcher.requests": ("counter", "Requests that the waits of a triggerer have sent."),
    "omics.watcher.throttled": ("counter", "Those of them that HealthOmics throttled."),
    "omics.watcher.detection_delay": (
        "timing, in milliseconds",
        "From the end of a run (`stopTime`) or batch (`processedTime`, `failedTime`) until it was seen.",
    ),
    "omics.snapshots.written": (
        "counter",
        "XComs that a triggerer has written for the pages in Airflow's UI.",
    ),
    "omics.snapshots.lost": ("counter", "Those that it could not write."),
    "omics.events.fired": ("counter", "Runs and batches that `OmicsRunEventTrigger` has fired for."),
    "omics.events.copies": ("counter", "Events that it dropped, since it had fired for a copy of them."),
    "omics.events.ignored": ("counter", "Messages that were for no trigger, or no events at all."),
    "omics.batch.completed": ("counter", "Members of batches that completed, as a task judges their batch."),
    "omics.batch.bad": (
        "counter",
        "Members that failed, were cancelled or deleted, or were not started, as a task judges their batch.",
    ),
}
"""Kind and meaning of each metric."""


_OPTIONS: dict[str, Any] = {
    "deployment": {
        "description": (
            "A name for this Airflow, for the tokens and tags of the runs that it starts. "
            "Set it if several Airflows with DAGs of the same ids start runs in one AWS "
            "account: otherwise a task of one would use a run that the other started."
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": "production",
        "default": "",
    },
    "lineage_run": {
        "description": (
            "Whether OpenLineage gets the HealthOmics run itself as well, as a child of the task: its start "
            "and its end, with the run's own times. It has no effect without Airflow's OpenLineage provider."
        ),
        "version_added": "0.2.0",
        "type": "boolean",
        "example": None,
        "default": "False",
    },
    "log_tails": {
        "description": (
            "Whether the last lines of the logs of a failed run's tasks and of its engine "
            "may be read to explain the failure. They are what programs print, which may "
            "name patients. They go to the task's log, to XCom and to what notifiers send. "
            "False reads nothing from CloudWatch Logs, whatever a DAG says."
        ),
        "version_added": "0.2.0",
        "type": "boolean",
        "example": None,
        "default": "True",
    },
    "price_factor": {
        "description": ("What each price is multiplied by, for a discount: 0.9 for one of ten percent."),
        "version_added": "0.2.0",
        "type": "float",
        "example": "0.9",
        "default": "1.0",
    },
    "price_list": {
        "description": (
            "The path of a file of prices, on workers and on the API server, for the cost of runs. "
            "No price is built in. Without it OmicsEstimateRunCostOperator asks the Pricing API of AWS, and "
            "the pages in Airflow's UI show instance hours and no money."
        ),
        "version_added": "0.2.0",
        "type": "string",
        "example": "/opt/airflow/healthomics-prices.json",
        "default": "",
    },
    "progress": {
        "description": (
            "Whether tasks list the tasks of their run every ten minutes, for their log, and leave "
            "snapshots of it in XCom, for the pages in Airflow's UI. At most a tenth of "
            "requests_per_second is spent on it."
        ),
        "version_added": "0.2.0",
        "type": "boolean",
        "example": None,
        "default": "True",
    },
    "requests_per_second": {
        "description": (
            "The most requests a second that one triggerer sends to HealthOmics for any "
            "one operation, account and Region, for all of its deferred waits together. "
            "The total is this times the number of triggerers; the service's default "
            "quota is 10 a second. A task that lists the runs of a batch, or changes them one by one, "
            "keeps to it by itself."
        ),
        "version_added": "0.1.0",
        "type": "float",
        "example": None,
        "default": "5.0",
    },
    "ui": {
        "description": (
            "Whether there are pages for runs and cohorts in Airflow's UI, and links to them. It needs "
            "Airflow 3.1 or newer."
        ),
        "version_added": "0.2.0",
        "type": "boolean",
        "example": None,
        "default": "True",
    },
    "ui_tabs": {
        "description": (
            "Whether those pages are also tabs of task instances and DAG runs on Airflow 3.1 to 3.3, where "
            "such a tab is on every task of every DAG. From Airflow 3.4 on our tasks have their tab without "
            "this option, and others never; that of DAG runs, which would be on those of every DAG, needs it."
        ),
        "version_added": "0.2.0",
        "type": "boolean",
        "example": None,
        "default": "False",
    },
}

_ASSET_URIS = [
    {
        "schemes": ["omics"],
        "handler": "airflow_omics.assets.sanitize_uri",
        "to_openlineage_converter": "airflow_omics.assets.convert_asset_to_openlineage",
    }
]


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, as Airflow's provider manager expects it."""
    return {
        "package-name": "airflow-omics",
        "name": INTEGRATION,
        "description": "Gate on AWS HealthOmics workflow runs and hand their record to what comes next.",
        "integrations": [
            {
                "integration-name": INTEGRATION,
                "external-doc-url": "https://docs.aws.amazon.com/omics/",
                "tags": ["aws"],
            }
        ],
        "operators": [{"integration-name": INTEGRATION, "python-modules": ["airflow_omics.operators"]}],
        "sensors": [{"integration-name": INTEGRATION, "python-modules": ["airflow_omics.sensors"]}],
        "hooks": [{"integration-name": INTEGRATION, "python-modules": ["airflow_omics.hooks"]}],
        "triggers": [
            {
                "integration-name": INTEGRATION,
                "python-modules": ["airflow_omics.triggers"],
            }
        ],
        "extra-links": [
            "airflow_omics.links.OmicsRunLink",
            "airflow_omics.links.OmicsRunLogLink",
            "airflow_omics.links.OmicsEngineLogLink",
        ],
        "notifications": ["airflow_omics.notifications.OmicsRunNotifier"],
        "asset-uris": _ASSET_URIS,
        "dataset-uris": _ASSET_URIS,  # the same, for Airflow 2.11
        "config": {
            "omics": {
                "description": "Options of airflow-omics, for AWS HealthOmics.",
                "options": _OPTIONS,
            }
        },
    }
