"""HealthOmics itself: one file a resource, named as the API names it.

Floor: above ``world``.
"""
