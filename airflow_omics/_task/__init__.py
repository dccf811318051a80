"""What operators and sensors share as Airflow tasks, and what Airflow knows of a task.

Doors: ``base.RunTaskMixin`` for a task about one run, ``waiting_sensor.WaitingSensor`` for a sensor of one;
``checks`` refuses arguments that cannot be right at parse time; ``explain`` says why a run ended badly;
``state`` asks Airflow's database for the task's state; ``publishing.PublishingMixin`` is for a task that
tells others of its run, and ``outlet_arguments`` takes what a DAG says of the events of its outlets, which
``outlets`` fills.

``from_trigger`` says whether a task can begin or end in the triggerer, ``fields`` what a template field holds
and how it is rendered. ``hidden`` keeps values out of the UI, ``task_key`` names a task instance, and
``state_reader`` reads the states of many tasks at once.
"""
