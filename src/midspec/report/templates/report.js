"use strict";
(() => {
  const root = document.documentElement;
  const stored = { get: () => { try { return localStorage.getItem("midspec-theme"); } catch { return null; } },
                   set: (value) => { try { localStorage.setItem("midspec-theme", value); } catch { /* private window */ } } };
  const chosen = stored.get();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  const button = (text, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", () => act(made));
    return made;
  };

  const tools = () => {
    const bar = document.createElement("span");
    bar.className = "tools";
    let open = false;
    bar.append(
      button("Open all details", (self) => {
        open = !open;
        for (const entry of document.querySelectorAll("details")) entry.open = open;
        self.textContent = open ? "Close all details" : "Open all details";
      }),
      button("Light or dark", () => {
        const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
        root.dataset.theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
        stored.set(root.dataset.theme);
      }),
    );
    document.querySelector("nav").append(bar);
  };

  const number = (cell) => {
    const text = cell.dataset.v ?? cell.textContent.trim().replace(/[,$%]/g, "").replace("\u2212", "-");
    return text === "" ? NaN : Number(text);
  };

  const sort = (table, column, heading) => {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const ascending = heading.getAttribute("aria-sort") === "descending" || (
      !heading.hasAttribute("aria-sort") && heading.classList.contains("text"));
    const sign = ascending ? 1 : -1;
    const text = (row) => row.cells[column].textContent.trim();
    rows.sort((a, b) => {
      const [x, y] = [number(a.cells[column]), number(b.cells[column])];
      if (!Number.isNaN(x) && !Number.isNaN(y)) return sign * (x - y);
      // What has no number stays at the end either way.
      if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
      return sign * text(a).localeCompare(text(b), "en");
    });
    body.append(...rows);
    for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  };

  const sortable = (table) => {
    for (const heading of table.tHead.querySelectorAll("th:not(.group):not([aria-hidden])")) {
      const column = Number(heading.dataset.col ?? heading.cellIndex);
      const act = button("", () => sort(table, column, heading));
      act.append(...heading.childNodes);
      heading.append(act);
    }
  };

  // A word or two in the field leave only the rows of arms whose names have them all.
  const LONG = 12;
  const filter = () => {
    const rows = [...document.querySelectorAll("table.filtered tbody tr[data-arm]")];
    const arms = new Set(rows.flatMap((row) => row.dataset.arm.split(" ")));
    if (arms.size <= LONG) return;
    const holder = document.createElement("p");
    holder.id = "filter";
    const label = document.createElement("label");
    label.textContent = "Show arms with ";
    const field = document.createElement("input");
    field.type = "search";
    field.placeholder = "aft cot";
    const told = document.createElement("span");
    told.setAttribute("role", "status");
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      const fits = (name) => words.every((word) => name.toLowerCase().includes(word));
      let shown = 0;
      for (const row of rows) {
        row.hidden = !fits(row.dataset.arm);
        shown += !row.hidden;
      }
      told.textContent = words.length === 0 ? "" : ` ${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows of all tables`;
    });
    label.append(field);
    holder.append(label, told);
    const first = document.querySelector("table.filtered").closest("section");
    first.before(holder);
  };

  const copies = () => {
    for (const text of document.querySelectorAll(".to-copy")) {
      const told = document.createElement("span");
      told.setAttribute("role", "status");
      told.className = "small";
      const act = button("Copy", async () => {
        const plain = text.innerText.trim();
        try {
          await navigator.clipboard.writeText(plain);
          told.textContent = " copied";
        } catch {
          getSelection().selectAllChildren(text);
          told.textContent = document.execCommand("copy") ? " copied" : " selected; press Ctrl+C";
        }
      });
      act.className = "copy";
      text.parentElement.querySelector("h3").append(act, told);
    }
  };

  document.addEventListener("DOMContentLoaded", () => {
    tools();
    filter();
    copies();
    document.querySelectorAll("table.sortable").forEach(sortable);
  });

  // A link into details that are closed opens them.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target === null) return;
    for (let at = target; at !== null; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  addEventListener("DOMContentLoaded", reveal);

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const entry of closed) entry.open = true;
  });
  addEventListener("afterprint", () => { for (const entry of closed) entry.open = false; });
})();
