"""What made the outputs of a run, as plain JSON that is kept beside them, and compared with another run's.

It is called a provenance manifest here. It has digests where values may be about patients: none of a run's
parameters, and of its tags only those by which a start operator marks its runs. docs/use/provenance.md says
what each member rests on.
"""

from airflow_omics.provenance.comparison import Comparison, compare
from airflow_omics.provenance.manifest import provenance_of
from airflow_omics.provenance.text import parameters_digest, to_json

__all__ = ["Comparison", "compare", "parameters_digest", "provenance_of", "to_json"]
