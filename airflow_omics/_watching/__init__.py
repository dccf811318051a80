"""Many waits in one triggerer: one client, one loop, one rate for each AWS connection (docs/use/waiting.md).

Doors: ``watcher.Watcher.shared``, the ``limited_client.LimitedClient`` that ``Watcher.held`` gives, and
``rate_limit.requests_per_second``.

``watchlist`` says which run deserves the next GetRun, ``sweeps`` lists runs if that is cheaper,
``task_sweeps`` lists the tasks of runs for people, ``limited_client`` sends the requests, ``rate_limit``
spaces them, ``shared_client`` renews the client.
"""
