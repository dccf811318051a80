"""What a batch asks for, and what became of its members (docs/use/batches.md).

Doors: ``settings.prepare`` reads, checks and writes ``run_settings``; ``settings_file.SettingsFolder`` keeps
them in S3; ``sample_sheet.SampleSheet`` is the sheet that a DAG author names. ``judge.judged`` says how a
batch ended and why; ``members.BatchMembers`` lists its members; ``failures.explained`` finds out the reason
of each that failed.

``sources`` reads each form of ``run_settings``, ``json_items`` a JSON file piece by piece and ``sheet_rows``
a sample sheet row by row. ``checks`` refuses an entry that can't be right, and ``json_array`` is what they
are written into. ``lists`` and ``calls`` make the calls about a batch that exists, and ``report`` writes what
a person reads of its failures.
"""
