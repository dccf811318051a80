"""What the commands need on a machine, and how it is brought: environments, PostgreSQL's server, Chromium.

It needs nothing but the standard library, as it runs before there is an environment.
"""
