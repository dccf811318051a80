"""What OpenLineage is told of a run or batch. Only a task with a listener imports this wing.

Doors: ``lineage.of_start``, ``lineage.of_end``.
"""
