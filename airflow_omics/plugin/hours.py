"""The instance hours of a run by type, and what they cost if the deployment has a price list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_omics._monitoring.instance_hours import UNKNOWN_TYPE, InstanceCost, cost_of, hours_by_type
from airflow_omics._monitoring.price_list import PriceList
from airflow_omics.plugin.html import note, scrolling, section, text, time
from airflow_omics.plugin.run_state import RunState


def hours_fact(state: RunState) -> Iterator[tuple[str, str]]:
    """Yield the sum, for the facts of the run."""
    hours, cost = _hours(state), _cost(state)
    if not hours:
        return
    words = f"{sum(hours.values()):,.2f}"
    if cost is not None:
        least = "at least " if _is_lower(state) or cost.unpriced else ""
        words += note(f"{least}{money(cost.dollars)} {_currency(state)}, without storage")
    yield ("Instance hours so far" if state.is_active else "Instance hours"), words


def instance_hours(state: RunState) -> str:
    """Return the section; an empty text if no task has used an instance."""
    hours, cost = _hours(state), _cost(state)
    if not hours:
        return ""
    title = "Instance hours so far" if state.is_active else "Instance hours"
    table = _table(hours, state.view.prices, cost, is_lower=_is_lower(state))
    return section(
        "hours", title, f'{table}{_incomplete(cost)}<p class="note">{" ".join(_notes(state, cost))}</p>'
    )


def _hours(state: RunState) -> Mapping[str, float]:
    table = state.view.tasks
    return {} if table is None else hours_by_type(table.tasks, table.seen)


def _cost(state: RunState) -> InstanceCost | None:
    prices = state.view.prices
    return None if prices is None else cost_of(_hours(state), prices)


def _currency(state: RunState) -> str:
    prices = state.view.prices
    return "" if prices is None else text(prices.currency)


def _is_lower(state: RunState) -> bool:
    """Return whether the run takes more than its table of tasks says."""
    table = state.view.tasks
    if table is None or state.is_active:
        return state.is_active
    return table.left_out > 0 or table.more or any(task.is_active for task in table.tasks)


def _table(
    hours: Mapping[str, float], prices: PriceList | None, cost: InstanceCost | None, *, is_lower: bool
) -> str:
    heads = ("Instance type", "Hours", *((f"{prices.currency} an hour", prices.currency) if prices else ()))
    head = "".join(f'<th scope="col"{_num(at)}>{words}</th>' for at, words in enumerate(map(text, heads)))
    body = "".join(_row(kind, number, prices) for kind, number in hours.items())
    total = f"<td{_num(1)}>{sum(hours.values()):,.2f}</td>"
    if cost is not None:
        least = "at least " if is_lower or cost.unpriced else ""
        total += f"<td{_num(1)}></td><td{_num(1)}>{least}{money(cost.dollars)}</td>"
    table = (
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        f'<tfoot><tr><th scope="row">All</th>{total}</tr></tfoot></table>'
    )
    return scrolling("hours-table", "Instance hours by type", table)


def _num(column: int) -> str:
    return ' class="num"' if column else ""


def _row(kind: str, hours: float, prices: PriceList | None) -> str:
    name = "not known" if kind == UNKNOWN_TYPE else kind
    cells = [f"{hours:,.2f}"]
    if prices is not None:
        price = prices.price_of(kind)
        cells += ["no price", ""] if price is None else [f"{price:,.4f}", money(hours * price)]
    row = "".join(f"<td{_num(1)}>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{text(name)}</th>{row}</tr>'


def money(amount: float) -> str:
    """Return an amount of money, without its currency; less than a hundredth is not nothing."""
    return "&lt;&#8239;0.01" if 0 < amount < 0.005 else f"{amount:,.2f}"


def _incomplete(cost: InstanceCost | None) -> str:
    if cost is None or not cost.unpriced:
        return ""
    known = ", ".join(text(name) for name in cost.unpriced if name != UNKNOWN_TYPE)
    return f'<p class="strong">Incomplete: no price for {known or "tasks that name no instance type"}.</p>'


def _notes(state: RunState, cost: InstanceCost | None) -> Iterator[str]:
    table, prices = state.view.tasks, state.view.prices
    if table is not None and table.left_out:
        yield f"{table.left_out:,} more tasks of the run are not counted here."
    if table is not None and table.more:
        yield "The run may have more tasks: not all of them could be listed."
    if table is not None and state.is_active:
        until = time(table.seen, clock=True)
        yield f"Counted until {until}; the run goes on, so this is the least that it takes."
    elif table is not None and any(task.is_active for task in table.tasks):
        until = time(table.seen, clock=True)
        yield f"Counted until {until}: the tasks were not listed again after the run had ended."
    yield "A task counts for a minute at least, and for nothing if the run cache answered it."
    if cost is not None and prices is not None:
        yield f"Storage is not in it. {_source(prices)}"


def _source(prices: PriceList) -> str:
    words = f"Prices: {text(prices.source)}" if prices.source else "Prices of this deployment"
    if prices.region:
        words += f", {text(prices.region)}"
    if prices.as_of:
        words += f", as of {text(prices.as_of)}"
    if prices.factor != 1:
        words += f", times {prices.factor:g}"
    return f"{words}."
