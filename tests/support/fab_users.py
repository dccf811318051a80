"""``python -m tests.support.fab_users``: fill an Airflow that has the auth manager of the FAB provider.

Each user's password is the name; the admin's is the one in the file that a stack writes.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

ROLES: Final = {
    # What each may read: one DAG alone, and of it what a page needs, or not all of it.
    "cohort_reader": ("DAG:cohort", "DAG Runs", "Task Instances", "XComs"),
    "cohort_without_xcoms": ("DAG:cohort", "DAG Runs", "Task Instances"),
}
USERS: Final = {
    "op": "Op",
    "user": "User",
    "viewer": "Viewer",
    "public": "Public",
    **{role: role for role in ROLES},
}


def main() -> None:
    """Make the roles and the users."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    passwords = json.loads((Path(os.environ["AIRFLOW_HOME"]) / "passwords.json").read_text())
    with get_application_builder() as builder:
        manager = builder.sm
        manager.sync_roles()
        for role, resources in ROLES.items():
            made = manager.add_role(role)
            for resource in resources:
                manager.add_permission_to_role(made, manager.create_permission("can_read", resource))
        for user, role in {"admin": "Admin", **USERS}.items():
            password = passwords.get(user, user)
            manager.add_user(user, user, user, f"{user}@example.org", manager.find_role(role), password)


if __name__ == "__main__":
    main()
