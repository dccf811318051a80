"""What operators and sensors share as Airflow tasks, and what Airflow knows of a task.

Doors: ``base.RunTaskMixin`` for a task about one run; ``from_trigger`` for one that begins or ends in the
triggerer; ``state`` for what Airflow's database says of it.

``checks`` refuses arguments that cannot be right at parse time, ``fields`` says what a template field holds
and how it is rendered, ``hidden`` keeps values out of the UI, ``task_key`` names a task instance.
"""
