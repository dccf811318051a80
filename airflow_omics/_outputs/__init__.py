"""What runs have left in S3.

Doors: ``patterns.Patterns`` (which outputs are meant), ``reader.OutputsReader`` (lists them),
``batch_runs.completed_runs`` (of a batch), ``provenance_file.write`` (keeps beside them what made them).
"""
