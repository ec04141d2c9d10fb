"use strict";
(() => {
  // The page is whole without this script. It adds what answers to a hand: sorting, filtering, the share of wrong
  // labels, pairs, the images behind a field and behind a point. It computes no statistic: all numbers are in the data.
  const data = JSON.parse(document.getElementById("data").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const LONGEST = 27;
  const names = data.encoders.slice();
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  const make = (tag, attributes = {}, ...inner) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...inner);
    return element;
  };
  const draw = (tag, attributes, text) => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const number = (text, table, row, column, share) => {
    const span = make("span", { "data-field": `${table}/${row}/${column}` }, text);
    if (share) span.setAttribute("data-share", "");
    return span;
  };
  const encoderName = (i) => make("span", { class: "enc", "data-name": i }, names[i]);
  const called = (method) => {
    const span = make("span", {}, encoderName(method[0]), " ");
    span.append(make("span", { class: "head" }, method[1]));
    return span;
  };

  // Encoders: highlight, hide, rename, everywhere.
  const showNames = () => {
    for (const element of all("[data-name]")) {
      const name = names[element.dataset.name];
      if (name === undefined) continue;
      const inDrawing = element.namespaceURI === SVG;
      element.textContent = inDrawing && name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name;
    }
    for (const option of all("[data-option]")) {
      option.textContent = `${names[option.dataset.option]} ${option.dataset.head}`.trim();
    }
  };
  const tools = all("[data-tool]");
  const hidden = new Set();
  const lit = new Set();
  const showEncoders = () => {
    for (const element of all("[data-encoder]")) {
      const i = Number(element.dataset.encoder);
      element.classList.toggle("off", hidden.has(i));
      element.classList.toggle("lit", lit.has(i));
    }
    document.body.classList.toggle("some-lit", lit.size > 0);
  };
  for (const tool of tools) {
    const i = Number(tool.dataset.tool);
    const [show, star, rename] = [one(".show", tool), one(".star", tool), one(".rename", tool)];
    show.addEventListener("change", () => {
      if (show.checked) hidden.delete(i); else hidden.add(i);
      showEncoders();
    });
    star.addEventListener("click", () => {
      if (lit.has(i)) lit.delete(i); else lit.add(i);
      star.setAttribute("aria-pressed", lit.has(i));
      star.textContent = lit.has(i) ? "★" : "☆";
      showEncoders();
    });
    rename.addEventListener("input", () => {
      names[i] = rename.value || data.encoders[i];
      showNames();
    });
  }
  const reset = one("#reset");
  if (reset) reset.addEventListener("click", () => {
    hidden.clear();
    lit.clear();
    data.encoders.forEach((name, i) => { names[i] = name; });
    for (const tool of tools) {
      one(".show", tool).checked = true;
      one(".star", tool).setAttribute("aria-pressed", "false");
      one(".star", tool).textContent = "☆";
      one(".rename", tool).value = data.encoders[Number(tool.dataset.tool)];
    }
    showNames();
    showEncoders();
  });
  const toolbox = one("#toolbox");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !toolbox.open) return;
    toolbox.open = false;
    one("summary", toolbox).focus();
  });
  document.addEventListener("click", (event) => {
    if (toolbox.open && !toolbox.contains(event.target)) toolbox.open = false;
  });

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
        const bar = draw("svg", { class: "bar", viewBox: "0 0 100 12", "aria-hidden": "true" });
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

  // The confusion matrix: another method, and the images of a field.
  const points = data.points;
  const inDraws = (answers, k) => {
    if (!answers) return 0;
    for (let i = 0; i < answers.length; i += 2) if (answers[i] === k) return answers[i + 1];
    return 0;
  };
  const startMatrix = () => {
    const MOST = 60;
    const K = points.classes.length;
    const cells = all("#matrix td[data-i]");
    let method = 0;
    let open = null;
    const picture = (p, alt) => make("img", { src: points.picture[p], width: 72, height: 72, alt, loading: "lazy" });
    const showField = (i, j) => {
      open = [i, j];
      for (const cell of cells) {
        const here = Number(cell.dataset.i) === i && Number(cell.dataset.j) === j;
        if (here) cell.setAttribute("aria-current", "true"); else cell.removeAttribute("aria-current");
      }
      const answers = points.answers[method];
      const found = points.label.map((label, p) => [p, label === i ? inDraws(answers[p], j) : 0]).filter(([, n]) => n > 0);
      found.sort((a, b) => b[1] - a[1] || a[0] - b[0]);
      const title = make("h3", {}, i === j ? `${points.classes[i]}, and taken for it` : `${points.classes[i]} taken for ${points.classes[j]}`);
      const count = make("p", { class: "small" }, `${found.length} images of those on this page, ${Math.min(found.length, MOST)} shown: those first that were taken so in most draws. `);
      count.append("By ", called(points.methods[method]), ".");
      const list = make("ul", { class: "found" });
      for (const [p, n] of found.slice(0, MOST)) {
        const item = make("li", {});
        if (points.picture[p]) item.append(picture(p, ""));
        item.append(`${points.name[p]}: ${n} of ${points.draws} draws`);
        list.append(item);
      }
      one("#field").replaceChildren(title, count, list);
    };
    const showMethod = () => {
      for (const cell of cells) {
        const [i, j] = [Number(cell.dataset.i), Number(cell.dataset.j)];
        const text = data.confusion[method][i * K + j];
        const button = make("button", { type: "button", "aria-label": `${points.classes[i]} taken for ${points.classes[j]}: ${text || "no"} percent` });
        if (text) button.append(number(text, "confusion", method * K * K + i * K + j, "share", true));
        button.addEventListener("click", () => showField(i, j));
        cell.replaceChildren(button);
        cell.style.setProperty("--a", `${text || 0}%`);
      }
      one("#matrix-method").replaceChildren(called(points.methods[method]));
      if (open) showField(...open);
    };
    const pick = one("#pick-method");
    if (pick) pick.addEventListener("change", () => { method = Number(pick.value); showMethod(); });
    showMethod();
  };

  // The map: another encoder, other colours, the image behind a point.
  const startMap = () => {
    const map = data.map;
    const SHAPES = 8;
    const OTHERS = SHAPES - 1;
    const [width, height, margin] = map.size;
    const picture = one("#map");
    const dots = all("use[data-p]", picture);
    const ring = one("#map-ring");
    let encoder = 0;
    let colour = "label";
    let now = -1;
    let places = [];
    const rightOf = (p) => {
      const answers = points.answers[map.methods[encoder]];
      return answers && answers[p] ? inDraws(answers[p], points.label[p]) / points.draws : null;
    };
    const kinds = {
      label: { names: points.classes, of: (p) => points.label[p] },
      group: {
        names: points.groups.length > SHAPES ? [...points.groups.slice(0, OTHERS), `${points.groups.length - OTHERS} other groups`] : points.groups,
        of: (p) => (points.groups.length > SHAPES ? Math.min(points.group[p], OTHERS) : points.group[p]),
      },
      right: {
        names: ["right in all draws", "right in most draws", "wrong in most draws", "not tested"],
        of: (p) => { const share = rightOf(p); return share === null ? 3 : share === 1 ? 0 : share > 0.5 ? 1 : 2; },
      },
    };
    const styleOf = (k) => (colour === "right" ? [0, 4, 1, 7][k] : ((k % SHAPES) + SHAPES) % SHAPES);
    const showColours = () => {
      const kind = kinds[colour];
      dots.forEach((dot, n) => {
        const k = styleOf(kind.of(map.points[n]));
        dot.setAttribute("href", `#m${k}`);
        dot.setAttribute("class", `p s${k}`);
      });
      const keys = kind.names.map((name, k) => {
        const key = make("span", { class: "key" });
        const sign = draw("svg", { width: 11, height: 11, viewBox: "0 0 11 11", "aria-hidden": "true" });
        sign.append(draw("use", { href: `#m${styleOf(k)}`, class: `p s${styleOf(k)}`, width: 11, height: 11 }));
        key.append(sign, name);
        return key;
      });
      one("#map-legend").replaceChildren(...keys);
    };
    const showEncoder = () => {
      const at = map.at[encoder];
      places = dots.map((dot, n) => [margin + ((width - 2 * margin) * at[2 * n]) / 1000, margin + (height - 2 * margin) * (1 - at[2 * n + 1] / 1000)]);
      dots.forEach((dot, n) => { dot.setAttribute("x", (places[n][0] - 4).toFixed(1)); dot.setAttribute("y", (places[n][1] - 4).toFixed(1)); });
      one("#map-encoder").replaceChildren(encoderName(map.encoders[encoder]));
      one("#map-kept").textContent = map.kept[encoder];
      if (now >= 0) showPoint(now);
    };
    const showPoint = (n) => {
      now = n;
      const p = map.points[n];
      ring.setAttribute("cx", places[n][0]);
      ring.setAttribute("cy", places[n][1]);
      const share = rightOf(p);
      const label = points.label[p] < 0 ? "another class" : points.classes[points.label[p]];
      const lines = [make("p", {}, make("strong", {}, label)), make("p", {}, points.name[p])];
      if (points.groups[points.group[p]] !== points.name[p]) lines.push(make("p", {}, `group: ${points.groups[points.group[p]]}`));
      lines.push(make("p", {}, share === null ? "not tested" : `right in ${Math.round(share * points.draws)} of ${points.draws} draws`));
      if (points.picture[p]) lines.unshift(make("img", { src: points.picture[p], alt: "", width: 112, height: 112 }));
      one("#map-point").replaceChildren(...lines);
    };
    const nearest = (event) => {
      const box = picture.getBoundingClientRect();
      const [x, y] = [((event.clientX - box.left) * width) / box.width, ((event.clientY - box.top) * height) / box.height];
      let best = -1;
      let least = 400;
      places.forEach(([px, py], n) => {
        const far = (px - x) ** 2 + (py - y) ** 2;
        if (far < least) { least = far; best = n; }
      });
      if (best >= 0 && best !== now) showPoint(best);
    };
    picture.addEventListener("pointermove", nearest);
    picture.addEventListener("pointerdown", nearest);
    picture.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
      if (!(event.key in steps)) return;
      event.preventDefault();
      const order = places.map((place, n) => n).sort((a, b) => places[a][0] - places[b][0]);
      const next = now < 0 ? 0 : order.indexOf(now) + steps[event.key];
      showPoint(order[(next + order.length) % order.length]);
    });
    one("#map-pick").addEventListener("change", (event) => { encoder = Number(event.target.value); showEncoder(); showColours(); });
    one("#map-colour").addEventListener("change", (event) => { colour = event.target.value; showColours(); });
    showEncoder();
  };

  document.documentElement.classList.add("js");
  if (board) startBoard();
  if (points && one("#matrix")) startMatrix();
  if (data.map && points) startMap();
})();
