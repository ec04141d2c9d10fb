// Classes with their keys, the last labels, and what the tools do.
const FREE = "123456789abcdefhijklmopqrstvxy0"; // not g, n, u, w and z, which do something else
const keyOf = (code) => (code === UNSURE ? "u" : FREE[code] || "");
const label = (code) => (view.grid ? labelMany(code) : labelOne(code));

function classButton(code) {
  const made = element("button", undefined, "class"), key = keyOf(code), now = labelOf(view.at);
  made.type = "button";
  made.dataset.code = code;
  const name = element("span", undefined, "name");
  name.append(foreign(labelText(code)));
  const counted = element("span", count(code), "count");
  counted.append(element("span", " so far", "unseen"));
  made.append(element("kbd", key), name, counted);
  if (key) made.setAttribute("aria-keyshortcuts", key);
  if (!view.grid && now === code) made.setAttribute("aria-current", "true");
  made.addEventListener("click", () => label(code));
  const row = element("li");
  row.append(made);
  return row;
}

function showClasses() {
  const codes = [...state.classes.keys(), UNSURE];
  const focused = place.root.activeElement?.dataset?.code;
  one("#classes").replaceChildren(...codes.map(classButton));
  if (focused !== undefined) one(`#classes [data-code="${focused}"]`)?.focus();
  if (!state.classes.length) warn("There is no class yet: type one.");
}

function showStrip() {
  const rows = [...state.recent].reverse().slice(0, 12).map((item) => {
    const made = element("button", undefined, "done"), image = copyOf(item, "small");
    made.type = "button";
    image.alt = "";
    const chip = element("span", undefined, "chip");
    chip.append(foreign(labelText(state.labels.get(item))));
    made.append(image, chip);
    made.setAttribute("aria-label", `${state.names[item]}: ${labelText(state.labels.get(item))}. Go back to it`);
    made.addEventListener("click", () => {
      view.selected.clear();
      goTo(item);
    });
    const row = element("li");
    row.append(made);
    return row;
  });
  one("#strip").replaceChildren(...rows);
}

async function undo() {
  const items = state.recent.slice(-1);
  if (!items.length || !await change("undo", {})) return;
  view.selected.clear();
  view.at = items[0];
  show();
  say(`Undone: ${state.names[items[0]]}. ${one("#progress").textContent}`);
}

function confirmLabel() {
  if (view.grid) confirmMany();
  else if (labelOf(view.at) !== null) labelOne(labelOf(view.at));
}

async function addClass(event) {
  event.preventDefault();
  const field = one("#new-name");
  if (!field.value.trim() || !await change("class", { name: field.value })) return;
  field.value = "";
  place.leaveField(field);
  show();
  say(`New class ${labelText(state.classes.length - 1)}, key ${keyOf(state.classes.length - 1)}`);
}

async function finish() {
  if (!await change("done", {})) return;
  view.over = true;
  one("#end-text").textContent = `${state.labels.size} of ${state.names.length} are labelled, in ${state.table}.`;
  const codes = [...state.classes.keys(), UNSURE].filter((code) => count(code));
  one("#end-classes").replaceChildren(...codes.map((code) => {
    const row = element("li");
    row.append(foreign(labelText(code)), `: ${number(count(code))}`);
    return row;
  }));
  for (const part of place.root.querySelectorAll("header, main, #alert")) part.hidden = true;
  one("#end").hidden = false;
  one("#end").focus();
}
