// The leaderboard: levels, order, filter.
const board = data.board;
const startBoard = () => {
  const table = one("#board");
  const body = one("tbody", table);
  const rows = all("tr", body);
  const at = new Map();
  for (const row of board.rows) at.set(`${row[0]}/${row[1]}`, row);
  const FEW = 15; // rows that are shown at first
  const FIRST = 4; // cells before the numbers
  const withNumbers = board.columns.map((column) => column.values.length > 0);
  const rates = [...new Set(board.levels.map((level) => level[3]))].sort((a, b) => a - b);
  let level = board.level;
  let sorted = null;
  let whole = rows.length <= FEW + 5;
  const ticked = [];
  const more = one("#board-more");

  const fill = (row, values) => {
    let n = 0;
    board.columns.forEach((column, i) => {
      const cell = row.cells[FIRST + i];
      if (!withNumbers[i]) {
        const [middle, low, high] = values[5];
        const [, span] = all("line", cell);
        const dot = one("circle", cell);
        if (!span) return;
        span.setAttribute("x1", 100 * (low ?? middle));
        span.setAttribute("x2", 100 * (high ?? middle));
        dot.setAttribute("cx", 100 * middle);
        return;
      }
      const texts = values[3][n++];
      cell.replaceChildren();
      if (!texts[0]) return;
      const pieces = texts.every(Boolean) ? column.pieces : [0];
      for (const piece of pieces) {
        if (typeof piece === "string") cell.append(piece);
        else cell.append(number(texts[piece], "leaderboard", values[2], ...column.values[piece]));
      }
    });
  };
  const barIfNone = (row) => {
    board.columns.forEach((column, i) => {
      const cell = row.cells[FIRST + i];
      if (withNumbers[i] || one("svg", cell)) return;
      const bar = draw("svg", { class: "bar", viewBox: "-4 0 108 12", "aria-hidden": "true" });
      bar.append(draw("line", { class: "whole", x1: 0, x2: 100, y1: 6, y2: 6 }), draw("line", { class: "span", y1: 6, y2: 6 }),
        draw("circle", { cy: 6, r: 3.4 }));
      cell.append(bar);
    });
  };
  const order = () => {
    const key = sorted ? sorted.key : "score";
    const down = sorted ? sorted.down : true;
    const value = (row) => {
      const values = at.get(`${level}/${row.dataset.m}`);
      if (!values) return null;
      if (key === "score") return values[5][0];
      if (key.startsWith("text")) return row.cells[1 + Number(key.slice(4))].textContent.toLowerCase();
      return values[4][Number(key)];
    };
    const place = new Map(rows.map((row) => [row, value(row)]));
    const score = new Map(rows.map((row) => [row, at.get(`${level}/${row.dataset.m}`)?.[5][0] ?? -1]));
    const ordered = [...rows].sort((a, b) => {
      const [x, y] = [place.get(a), place.get(b)];
      if (x === null || y === null || x === y) return (x === null) - (y === null) || score.get(b) - score.get(a);
      const less = x < y ? -1 : 1;
      return down ? -less : less;
    });
    body.append(...ordered);
  };
  const showRows = () => {
    const wanted = (one("#filter")?.value ?? "").trim().toLowerCase();
    const baselines = one("#baselines-too")?.checked ?? true;
    let count = 0;
    let left = whole || wanted ? Infinity : FEW;
    for (const row of all("tr", body)) {
      const text = `${row.cells[1].textContent} ${row.cells[2].textContent} ${row.cells[3].textContent}`.toLowerCase();
      const here = at.has(`${level}/${row.dataset.m}`) && text.includes(wanted) && (baselines || row.dataset.role === "encoder");
      count += here;
      left -= here;
      row.hidden = !here || left < 0;
    }
    more.hidden = whole || Boolean(wanted) || left >= 0;
    more.textContent = `Show all ${count} methods`;
    const words = board.levels[level];
    one("#board-caption").textContent = `${count} of ${rows.length} methods with ${words[4]}, ${words[5]}`;
  };
  const showLevel = () => {
    for (const row of rows) {
      const values = at.get(`${level}/${row.dataset.m}`);
      if (values) { barIfNone(row); fill(row, values); }
    }
    order();
    showRows();
    showPair();
    const [, , kind, rate, , words] = board.levels[level];
    for (const element of all(".noise-now")) element.textContent = words;
    for (const drawing of all("[data-noise]")) {
      drawing.hidden = Number(drawing.dataset.noise) !== rate || drawing.dataset.kind !== kind;
    }
  };
  const choose = () => {
    const [series, shots] = (one("#pick-labels")?.value ?? `${board.levels[level][0]}/${board.levels[level][1]}`).split("/");
    const rate = rates[Number(one("#pick-noise")?.value ?? 0)];
    const kind = one("#pick-kind")?.value;
    const fits = board.levels.map((one_, i) => [one_, i]).filter(([one_]) => one_[0] === series && one_[1] === Number(shots));
    const exact = fits.filter(([one_]) => one_[3] === rate && (!rate || !kind || one_[2] === kind));
    const found = exact[0] ?? fits[0];
    if (found) level = found[1];
    const now = one("#noise-now");
    if (now) now.textContent = `${Math.round(100 * board.levels[level][3])}%`;
    showLevel();
  };

  for (const header of all("thead th[data-key]", table)) {
    const key = header.dataset.key;
    const button = make("button", { type: "button" }, header.textContent);
    header.replaceChildren(button);
    button.addEventListener("click", () => {
      const first = key.startsWith("text") ? false : board.columns[Number(key)].down;
      sorted = { key, down: sorted && sorted.key === key ? !sorted.down : first };
      for (const other of all("thead th[aria-sort]", table)) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      order();
      showRows();
    });
  }
  more.addEventListener("click", () => {
    whole = true;
    showRows();
  });
  for (const id of ["#pick-labels", "#pick-kind"]) one(id)?.addEventListener("change", choose);
  one("#pick-noise")?.addEventListener("input", choose);
  one("#filter")?.addEventListener("input", showRows);
  one("#baselines-too")?.addEventListener("change", showRows);
  one("#board-controls")?.addEventListener("submit", (event) => event.preventDefault());
  const firstLabels = one("#pick-labels");
  if (firstLabels) firstLabels.value = `${board.levels[level][0]}/${board.levels[level][1]}`;
  const noise = one("#pick-noise");
  if (noise) noise.value = rates.indexOf(board.levels[level][3]);

  // Two rows that are ticked: their paired difference.
  const tick = (row, on) => {
    const m = Number(row.dataset.m);
    if (on) ticked.push(m); else ticked.splice(ticked.indexOf(m), 1);
    if (ticked.length > 2) ticked.shift();
    for (const other of rows) {
      const is = ticked.includes(Number(other.dataset.m));
      one("input", other).checked = is;
      other.classList.toggle("ticked", is);
    }
    showPair();
  };
  for (const row of rows) {
    const box = one("input", row);
    box.addEventListener("change", () => tick(row, box.checked));
    row.addEventListener("click", (event) => {
      if (!event.target.closest("input, button, a")) tick(row, !box.checked);
    });
  }
  function showPair() {
    const panel = one("#pair");
    panel?.classList.toggle("on", ticked.length > 0);
    if (!panel || !ticked.length) {
      panel?.replaceChildren(make("p", {}, "Tick two methods, or click their rows, to see by how much they differ."));
      return;
    }
    if (ticked.length === 1) {
      panel.replaceChildren(make("p", {}, called(board.methods[ticked[0]]), ": choose a second one to compare it with."));
      return;
    }
    const [a, b] = [...ticked].sort((x, y) => x - y);
    const known = (data.pairs ?? []).find((part) => part.level === level);
    const [i, j] = known ? [known.methods.indexOf(a), known.methods.indexOf(b)] : [-1, -1];
    const words = board.levels[level];
    if (i < 0 || j < 0) {
      panel.replaceChildren(make("p", {}, "These two are not compared with ", words[4], ", ", words[5],
        ": diagnostics are compared with nothing, and no differences are kept of some levels."));
      return;
    }
    const n = known.methods.length;
    const at_ = i * n - (i * (i + 1)) / 2 + (j - i - 1);
    const [difference, low, high] = known.values.map((list) => list[at_]);
    const text = (x) => `${x > 0 ? "+" : x < 0 ? "-" : ""}${(Math.abs(x) / 10).toFixed(1)}`;
    const field = (column, shown, share) => number(shown, "differences", known.row + at_, column, share);
    const apart = low > 0 || high < 0;
    const line = make("p", {}, called(board.methods[a]), " minus ", called(board.methods[b]), ": ",
      make("strong", {}, field("difference", text(difference), true)), " points of balanced accuracy, 95% interval ",
      field("ci_low", text(low), true), " to ", field("ci_high", text(high), true));
    if (known.p[at_]) line.append(", p = ", field("p", known.p[at_], false));
    line.append(".");
    const meaning = apart
      ? "The interval does not hold 0: by itself, this pair differs."
      : "The interval holds 0: on other slides either may be the better one.";
    panel.replaceChildren(line, pairBar(difference, low, high),
      make("p", { class: "small" }, meaning, " It is of this pair alone, as if no other had been looked at."));
  }
  const pairBar = (difference, low, high) => {
    const reach = Math.max(Math.abs(low), Math.abs(high), 10) * 1.1;
    const x = (value) => (200 + (190 * value) / reach).toFixed(1);
    const bar = draw("svg", { class: "pair-bar", viewBox: "0 0 400 36", "aria-hidden": "true" });
    bar.append(draw("line", { x1: 10, x2: 390, y1: 12, y2: 12 }), draw("line", { x1: 200, x2: 200, y1: 3, y2: 21 }),
      draw("line", { class: "span", x1: x(low), x2: x(high), y1: 12, y2: 12 }), draw("circle", { cx: x(difference), cy: 12, r: 6 }),
      draw("text", { x: 200, y: 33, "text-anchor": "middle" }, "0"), draw("text", { x: 10, y: 33 }, "second better"),
      draw("text", { x: 390, y: 33, "text-anchor": "end" }, "first better"));
    return bar;
  };
  showLevel();
};
