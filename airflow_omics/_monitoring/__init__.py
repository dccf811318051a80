"""How far a run is, and what it costs (docs/use/pages.md, docs/use/cost.md).

Doors: ``snapshot.run_snapshot`` and ``snapshot.batch_snapshot``, what a task leaves in XCom of its run or
batch; ``task_table.TaskTable``, the tasks of a run and what is left of them; ``price_list.PriceList``;
``progress_line``, the same in words, for the task's log.

Those make no call and read no clock. All but the last import neither Airflow nor botocore: the pages in
Airflow's UI and the waits use them alike.
"""
