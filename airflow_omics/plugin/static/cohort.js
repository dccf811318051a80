// Cells: one stop of the Tab key for all of them, arrow keys inside, and what a cell says stays in the window.
(() => {
  "use strict";
  const grids = () => document.querySelectorAll(".cells");
  const cells = (grid) => [...grid.querySelectorAll("a")];
  const stop = (grid, chosen) => {
    for (const cell of grid.querySelectorAll('a:not([tabindex="-1"])')) if (cell !== chosen) cell.tabIndex = -1;
    chosen.tabIndex = 0;
  };
  // Also after the page has refreshed itself.
  const prepare = () => {
    for (const grid of grids()) {
      const chosen = grid.contains(document.activeElement) ? document.activeElement : grid.querySelector("a");
      if (chosen && !grid.dataset.ready) stop(grid, chosen);
      grid.dataset.ready = "";
    }
  };
  const within = (event) => {
    const cell = event.target instanceof Element ? event.target.closest(".cells a") : null;
    return cell && { cell, grid: cell.closest(".cells") };
  };
  const place = (event) => {
    const found = within(event);
    if (!found) return;
    const middle = found.grid.getBoundingClientRect();
    found.cell.classList.toggle("right", found.cell.getBoundingClientRect().left > middle.left + middle.width / 2);
  };
  const columns = (all) => {
    const top = all[0].offsetTop + all[0].parentElement.offsetTop;
    const next = all.findIndex((cell) => cell.offsetTop + cell.parentElement.offsetTop > top);
    return next < 0 ? all.length : next;
  };
  const target = (key, all, at) => {
    switch (key) {
      case "ArrowRight": return at + 1;
      case "ArrowLeft": return at - 1;
      case "ArrowDown": return at + columns(all);
      case "ArrowUp": return at - columns(all);
      case "Home": return 0;
      case "End": return all.length - 1;
      default: return -1;
    }
  };
  addEventListener("pointerover", place);
  addEventListener("focusin", (event) => {
    place(event);
    const found = within(event);
    if (found) stop(found.grid, found.cell);
  });
  addEventListener("keydown", (event) => {
    const found = within(event);
    if (!found || event.altKey || event.ctrlKey || event.metaKey) return;
    const all = cells(found.grid);
    const next = all[target(event.key, all, all.indexOf(found.cell))];
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
  addEventListener("DOMContentLoaded", () => {
    prepare();
    new MutationObserver(prepare).observe(document.body, { childList: true });
  });
})();
