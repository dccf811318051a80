"""Clients that others wrote, driven against the emulator: one module each, with named steps.

``make clients`` brings and drives them (``scripts/clients.py``); ``tests/emulator/test_clients.py`` is what
``make test`` has of it.
"""

from __future__ import annotations

from .aws_cli import AwsCli
from .aws_healthomics_tools import AwsHealthOmicsTools
from .bench import Client
from .javascript import JavaScript
from .mcp_server import McpServer
from .miniwdl_omics_run import MiniwdlOmicsRun

KINDS: dict[str, type[Client]] = {
    kind.name: kind for kind in (AwsCli, AwsHealthOmicsTools, MiniwdlOmicsRun, McpServer, JavaScript)
}
"""Every client, by name."""
