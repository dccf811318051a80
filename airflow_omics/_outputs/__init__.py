"""What runs have left in S3.

Doors: ``patterns.Patterns`` (which outputs are meant), ``reader.OutputsReader`` (lists them).
"""
