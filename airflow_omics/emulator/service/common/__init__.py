"""What every resource is made of: its place in an account and Region, ids, not-found errors, pages.

Floor: the ground of ``service``; knows no resource.

Doors: ``backend`` (an account and Region), ``resource`` (what a resource file declares), ``table`` (things
by id), ``repeats`` (a ``requestId`` seen again), ``tagging`` (limits of tags), ``kept`` (files that answers
link to) and ``paging`` (lists).
"""
