// Theme, times in Airflow's zone, links out of a frame, and refreshing. All else is in the page already.
(() => {
  "use strict";
  const root = document.documentElement;
  const framed = window.parent !== window;
  // <Airflow>/healthomics/static/omics.js
  const airflow = new URL("../../", document.currentScript.src);
  const LONGEST_PAUSE = 300; // seconds
  const read = (key) => {
    try { return localStorage.getItem(key); } catch { return null; } // storage may be off
  };
  let host = null;
  try { host = framed ? window.parent.document.documentElement : null; } catch { /* a foreign page */ }
  root.classList.toggle("framed", framed);

  // Airflow's UI puts "dark" or "light" on its own <html>, and keeps the choice as "theme".
  const system = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => {
    const names = ["dark", "light"];
    const chosen = names.find((name) => host?.classList.contains(name)) ?? names.find((name) => name === read("theme"));
    const dark = chosen ? chosen === "dark" : system.matches;
    root.classList.toggle("dark", dark);
    root.classList.toggle("light", !dark);
  };
  theme();
  if (host) new MutationObserver(theme).observe(host, { attributes: true, attributeFilter: ["class"] });
  system.addEventListener("change", theme);

  // As Airflow writes them, 2026-01-04 12:00:00, in the zone that is chosen there.
  const zone = () => {
    const kept = read("timezone");
    try { return JSON.parse(kept) || undefined; } catch { return kept || undefined; }
  };
  const times = (within = document) => {
    let format;
    try {
      format = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone: zone() });
    } catch { return; } // a zone that this browser does not know: UTC stays
    const today = format.format(new Date()).slice(0, 10);
    for (const time of within.querySelectorAll("time")) {
      const moment = new Date(time.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      const text = format.format(moment);
      time.title = time.dateTime;
      time.textContent = "clock" in time.dataset && text.startsWith(today) ? text.slice(11) : text;
    }
  };
  addEventListener("storage", () => { theme(); times(); });

  // Airflow's frames allow no new windows; the page around them may open one.
  addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[target=_blank]") : null;
    if (!framed || !link) return;
    try {
      window.parent.open(link.href, "_blank", "noopener");
      event.preventDefault();
    } catch { /* a foreign page: the link is followed as it is */ }
  });

  // Read to those who cannot see that a status has changed.
  const live = document.createElement("p");
  live.className = "sr-only";
  live.setAttribute("role", "status");

  const current = () => document.querySelector("main");
  const heading = (main) => main.querySelector("h1")?.textContent.trim().replace(/\s+/g, " ");
  // What can be found again in the next page: an id, the summary of what has one, a link by its address.
  const handle = (element) => {
    if (!element || element === document.body) return null;
    if (element.id) return `#${CSS.escape(element.id)}`;
    if (element.matches("summary") && element.parentElement.id) return `#${CSS.escape(element.parentElement.id)} > summary`;
    // The same run may be linked to from elsewhere on the page.
    const cells = element.closest(".cells") ? ".cells " : "";
    return element.matches("a[href]") ? `${cells}a[href="${CSS.escape(element.getAttribute("href"))}"]` : null;
  };
  const swap = (next) => {
    const main = current();
    const focus = main.contains(document.activeElement) ? handle(document.activeElement) : null;
    const scroll = [window.scrollX, window.scrollY];
    const before = heading(main);
    for (const old of main.querySelectorAll("[id]")) {
      const now = next.querySelector(`#${CSS.escape(old.id)}`);
      if (now && old instanceof HTMLDetailsElement) now.open = old.open;
    }
    times(next);
    const scrolled = [...main.querySelectorAll("pre[id], .scroll[id]")].map((e) => [e.id, e.scrollLeft, e.scrollTop]);
    main.replaceWith(next);
    for (const [id, left, top] of scrolled) document.getElementById(id)?.scrollTo({ left, top, behavior: "instant" });
    if (focus) next.querySelector(focus)?.focus({ preventScroll: true });
    window.scrollTo({ left: scroll[0], top: scroll[1], behavior: "instant" });
    if (heading(next) !== before) live.textContent = heading(next) ?? "";
  };

  const notice = (parts) => {
    document.getElementById("session")?.remove();
    const box = document.createElement("p");
    box.id = "session";
    box.className = "warning";
    box.setAttribute("role", "alert");
    box.append(...parts);
    current().prepend(box);
  };
  const REFUSED = {
    401: ["Your session has ended.", "Open Airflow to sign in again"],
    403: ["Airflow no longer shows you this page: your session has ended, or a permission was taken away.", "Open Airflow"],
    404: ["This page is gone: Airflow no longer has its task or its DAG run.", "Open Airflow"],
  };
  const refused = (status) => {
    const [why, what] = REFUSED[status];
    if (document.getElementById("session")?.dataset.status === `${status}`) return;
    const link = document.createElement("a");
    link.href = airflow.href;
    link.target = framed ? "_blank" : "_self";
    link.textContent = what;
    notice([`${why} What is below stays as it was last seen. `, link, "."]);
    document.getElementById("session").dataset.status = status;
  };

  let shown = null; // what is shown, as the server wrote it: the same is not put in its place again
  let pause = 0; // seconds until the next look
  let timer;
  const every = () => Number(current()?.dataset.refresh) || 0;
  const selecting = () => {
    const selection = document.getSelection();
    return Boolean(selection && !selection.isCollapsed && current().contains(selection.anchorNode));
  };
  const look = async () => {
    try {
      const options = { credentials: "same-origin", headers: { Accept: "text/html" }, redirect: "manual" };
      const answer = await fetch(location.href, options);
      const text = answer.ok ? await answer.text() : "";
      const next = answer.ok ? new DOMParser().parseFromString(text, "text/html").querySelector("main") : null;
      // A proxy sends those whose session has ended to its own page, which may be on another host.
      const status = answer.type === "opaqueredirect" || (answer.ok && !next) ? 401 : answer.status;
      if (status in REFUSED) refused(status);
      if (!next) throw new Error(`${answer.status}`);
      pause = every();
      const written = next.outerHTML;
      if (written === shown) document.getElementById("session")?.remove();
      else if (!selecting()) {
        swap(document.adoptNode(next));
        shown = written;
        pause = every();
      }
    } catch {
      pause = Math.min(LONGEST_PAUSE, 2 * Math.max(pause, every()));
    }
  };
  const plan = () => {
    clearTimeout(timer);
    if (!every() || document.visibilityState !== "visible") return;
    timer = setTimeout(async () => { await look(); plan(); }, 1000 * pause);
  };
  addEventListener("DOMContentLoaded", () => {
    shown = current()?.outerHTML; // before anything is changed in it
    document.body.append(live);
    times();
    pause = every();
    plan();
    // Seen again: at once, since what is shown may be old.
    document.addEventListener("visibilitychange", () => { pause = Math.min(pause, 1); plan(); });
  });
})();
