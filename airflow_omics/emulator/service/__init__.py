"""HealthOmics itself: one file a resource, named as the API names it.

Floor: above ``world``.

Doors: ``operations`` (which operations there are, and how each is performed) and the resources. ``runs`` is
one, with its parts ``runs_start``, ``runs_state``, ``runs_queue``, ``runs_record``, ``runs_uses`` and
``runs_definition``. ``workflows`` is one as well, with ``workflows_state``, ``workflows_definition`` and
``workflows_record``. ``run_tasks``, ``run_groups``, ``run_caches``, ``workflow_versions``, ``configurations``
and ``tags`` are the others.

A new resource is a new file. It declares its operations as ``RESOURCE``, and ``operations`` finds them there.
What it keeps for an account and Region is made by ``OmicsBackend.state``. ``common`` has what all resources
share: ids, ARNs and not-found errors (``table``), and pages (``paging``).
"""
