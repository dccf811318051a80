"""How far a run is, and what it costs (docs/use/pages.md, docs/use/cost.md).

Doors: ``snapshot.run_snapshot`` and ``snapshot.batch_snapshot``, what a task leaves in XCom of its run or
batch; ``task_table.TaskTable``, the tasks of a run and what is left of them; ``progress_line``, the same in
words, for the task's log; ``price_list.PriceList`` and ``price_file.price_list_from_config``, the
deployment's prices; ``estimate.estimated`` and ``rightsizing.rightsized``, the cost of a run and what would
have done; ``reading``, what these need of AWS.

All but ``reading`` make no call and read no clock. They import no botocore, and all but ``progress_line`` no
Airflow: the pages in Airflow's UI and the waits use them alike.
"""
