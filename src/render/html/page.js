"use strict";
// Sorting, searching and filtering of what is on the page. Without it everything is shown in the order of the report.
(() => {
  const rank = { critical: 5, high: 4, medium: 3, low: 2, info: 1 };
  const value = (row, at) => {
    const cell = row.cells[at];
    const own = cell.dataset.sort ?? cell.textContent.trim();
    return own in rank ? rank[own] : own;
  };
  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    if (a !== "" && b !== "" && !Number.isNaN(x) && !Number.isNaN(y)) return x - y;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  };
  for (const head of document.querySelectorAll("th[data-by]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const table = head.closest("table");
      const body = table.tBodies[0];
      const at = head.cellIndex;
      const falling = head.getAttribute("aria-sort") === "ascending"
        || (head.getAttribute("aria-sort") === null && head.dataset.by === "falling");
      for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const rows = Array.from(body.rows, (row, place) => [value(row, at), place, row]);
      rows.sort((a, b) => (falling ? compare(b[0], a[0]) : compare(a[0], b[0])) || a[1] - b[1]);
      body.append(...rows.map((row) => row[2]));
    });
  }
  for (const tools of document.querySelectorAll(".tools")) {
    tools.hidden = false;
    const area = document.getElementById(tools.dataset.of);
    const rows = Array.from(area.querySelectorAll("tbody tr"), (row) => [row, row.textContent.toLowerCase()]);
    const groups = Array.from(area.querySelectorAll("details.group"), (group) => [group, group.querySelector("summary").textContent.toLowerCase()]);
    const count = tools.querySelector("output");
    const filter = () => {
      const words = tools.querySelector("input").value.toLowerCase().split(/\s+/).filter(Boolean);
      const picked = Array.from(tools.querySelectorAll("select")).filter((one) => one.value !== "");
      let shown = 0;
      const named = new Set(groups.filter(([, text]) => words.length > 0 && words.every((word) => text.includes(word))).map(([group]) => group));
      for (const [row, text] of rows) {
        const own = named.has(row.closest("details.group")) || words.every((word) => text.includes(word));
        const fits = own && picked.every((one) => row.dataset[one.name] === one.value);
        row.hidden = !fits;
        shown += fits ? 1 : 0;
      }
      for (const [group] of groups) {
        group.hidden = !group.querySelector("tbody tr:not([hidden])");
        if (words.length > 0 || picked.length > 0) group.open = !group.hidden;
      }
      count.textContent = `${shown} of ${rows.length} shown`;
    };
    tools.addEventListener("input", filter);
    filter();
  }
})();
