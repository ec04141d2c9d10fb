// Many items at once: select some, then one key labels them all.
const PAGE = 24;
const pageStart = () => Math.floor(view.at / PAGE) * PAGE;
const tiles = () => [...one("#tiles").querySelectorAll("button")];

function tile(item) {
  const made = element("button", undefined, "tile"), code = labelOf(item), pressed = state.labels.has(item);
  const image = copyOf(item, "small");
  made.type = "button";
  made.dataset.item = item;
  made.tabIndex = item === view.at ? 0 : -1;
  made.setAttribute("aria-pressed", view.selected.has(item));
  image.alt = "";
  const name = element("span", undefined, "name");
  name.append(foreign(state.names[item].split("/").pop()));
  made.append(image, name);
  if (code !== null) {
    const chip = element("span", undefined, pressed ? "chip" : "chip before");
    chip.append(foreign(labelText(code)));
    made.append(chip);
  }
  made.title = state.names[item] + (state.why[item] ? `\n${state.why[item]}` : "");
  made.addEventListener("click", () => {
    view.at = item;
    toggle(item);
  });
  made.addEventListener("focus", () => { view.at = item; });
  const row = element("li");
  row.append(made);
  return row;
}

function showGrid(focus) {
  const start = pageStart(), end = Math.min(start + PAGE, state.names.length);
  const items = Array.from({ length: end - start }, (_, k) => start + k);
  one("#tiles").replaceChildren(...items.map(tile));
  const pages = number(Math.ceil(state.names.length / PAGE)), left = items.filter((item) => !state.labels.has(item)).length;
  one("#page").textContent = `Page ${number(start / PAGE + 1)} of ${pages}, ${left} left here`
    + (view.selected.size ? `, ${view.selected.size} selected` : "");
  one("#page-before").disabled = start === 0;
  one("#page-after").disabled = end === state.names.length;
  if (focus) (tiles().find((one) => Number(one.dataset.item) === view.at) || tiles()[0]).focus();
  for (let item = end; item < Math.min(end + PAGE, state.names.length); item++) picture(item, "small");
}

function toggle(item) {
  if (!view.selected.delete(item)) view.selected.add(item);
  showGrid(true);
}

function turnPage(step) {
  const start = pageStart() + step * PAGE;
  if (start < 0 || start >= state.names.length) return;
  view.selected.clear();
  view.at = start;
  show();
}

// In the grid up and down are one row away, whatever the width of the page.
function rowLength() {
  const top = tiles().map((one) => one.offsetTop);
  return Math.max(1, top.filter((y) => y === top[0]).length);
}

function moveFocus(step) {
  const item = view.at + step;
  if (item < 0 || item >= state.names.length) return;
  const turned = Math.floor(item / PAGE) !== Math.floor(view.at / PAGE);
  view.at = item;
  if (turned) view.selected.clear();
  showGrid(true);
}

async function labelMany(code) {
  const items = view.selected.size ? [...view.selected] : [view.at];
  if (!await change("press", { items, label: code })) return;
  view.selected.clear();
  const start = pageStart(), end = Math.min(start + PAGE, state.names.length);
  const after = [...Array(end - start).keys()].map((k) => start + k).filter((item) => !state.labels.has(item));
  const next = after.find((item) => item > items[items.length - 1]) ?? after[0] ?? firstLeft(end % state.names.length);
  if (next !== null && next !== undefined) view.at = next;
  show();
  say(`${labelText(code)} for ${items.length === 1 ? state.names[items[0]] : `${items.length} of them`}. ${one("#progress").textContent}`);
}

async function confirmMany() {
  const items = (view.selected.size ? [...view.selected] : [view.at]).filter((item) => labelOf(item) !== null);
  const codes = [...new Set(items.map(labelOf))];
  for (const code of codes) {
    if (!await change("press", { items: items.filter((item) => labelOf(item) === code && !state.labels.has(item)), label: code })) return;
  }
  if (codes.length) {
    view.selected.clear();
    show();
  }
}
