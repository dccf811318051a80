"""A page for each run, and one for each cohort, in Airflow's own UI (docs/use/pages.md).

Every Airflow process imports this package, each task too, so it imports nothing. Nothing of the package
imports it.

``plugin.OmicsPlugin`` is what Airflow loads, ``app`` has the routes, ``reading`` alone reads Airflow's
database, ``model`` is what the pages are made of, ``run_page`` and ``cohort_page`` make HTML of it, and
``html`` is what both are written with.
"""

__all__ = []
