"use strict";
(() => {
  const rows = [...document.querySelectorAll("article.row")];
  const place = `midspec-audit-${document.body.dataset.sheet}-${location.pathname}`;
  const said = (row) => row.querySelector("input:checked")?.value ?? "";
  const notes = (row) => row.querySelector("textarea");

  const show = () => {
    for (const row of rows) row.classList.toggle("done", said(row) !== "");
    const done = rows.filter((row) => said(row) !== "").length;
    document.getElementById("state").textContent = `${done} of ${rows.length} answered`;
  };
  const keep = () => {
    const answers = Object.fromEntries(rows.map((row) => [row.id, [said(row), notes(row).value]]));
    try { localStorage.setItem(place, JSON.stringify(answers)); } catch { /* private window: the file is all there is */ }
    show();
  };
  const recall = () => {
    let answers = {};
    try { answers = JSON.parse(localStorage.getItem(place) ?? "{}"); } catch { /* as above */ }
    for (const row of rows) {
      const [answer, note] = answers[row.id] ?? ["", ""];
      for (const input of row.querySelectorAll("input")) input.checked = input.value === answer;
      notes(row).value = note;
    }
    show();
  };
  const go = (row) => { if (row) { row.focus(); row.scrollIntoView({ block: "nearest" }); } };

  document.addEventListener("change", keep);
  document.addEventListener("input", keep);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("textarea")) return;
    const at = rows.indexOf(event.target.closest?.("article.row"));
    const answer = { y: "yes", n: "no", u: "unclear" }[event.key];
    if (event.key === "j") go(rows[at + 1]);
    else if (event.key === "k") go(rows[Math.max(0, at - 1)]);
    else if (at < 0) return;
    else if (event.key === "t") { const whole = rows[at].querySelector("details"); whole.open = !whole.open; }
    else if (answer) {
      rows[at].querySelector(`input[value=${answer}]`).checked = true;
      keep();
      go(rows[at + 1]);
    } else return;
    event.preventDefault();
  });
  document.getElementById("save").addEventListener("click", () => {
    const cell = (text) => `"${text.replaceAll('"', '""')}"`;
    const lines = [["row", "theme", "human", "notes"], ...rows.map((row) =>
      [row.id, row.querySelector("h2").textContent.replace(/^[^:]*: /, ""), said(row), notes(row).value])];
    const guarded = (text) => (/^\s*[=+\-@]/.test(text) ? `'${text}` : text);
    const text = lines.map((line) => line.map((value) => cell(guarded(value))).join(",")).join("\r\n");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`\ufeff${text}\r\n`], { type: "text/csv" }));
    link.download = "sheet-filled.csv";
    link.click();
  });
  recall();
})();
