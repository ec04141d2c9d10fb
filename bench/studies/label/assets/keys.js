// One key, one deed. Keys with Ctrl, Alt or the like belong to the browser; so do all of them within a field.
const KEYS = {
  u: () => label(UNSURE), "?": () => label(UNSURE), z: undo, Backspace: undo, g: switchMode, w: switchWhole,
  n: () => { one("#new-name").focus(); }, Enter: confirmLabel,
  ArrowLeft: () => (view.grid ? moveFocus(-1) : goTo(view.at - 1)),
  ArrowRight: () => (view.grid ? moveFocus(1) : goTo(view.at + 1)),
  ArrowUp: () => view.grid && moveFocus(-rowLength()), ArrowDown: () => view.grid && moveFocus(rowLength()),
  PageUp: () => view.grid && turnPage(-1), PageDown: () => view.grid && turnPage(1),
  " ": () => view.grid && toggle(view.at),
};
const OF_BUTTONS = ["Enter", " "];

function switchMode() {
  view.grid = !view.grid;
  view.selected.clear();
  show(view.grid);
}

function switchWhole() {
  if (!one("#whole") || view.grid) return;
  view.whole = !view.whole;
  show();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || view.over) return;
  const at = event.target, inField = at.matches("input[type=text], select, textarea");
  if (inField) {
    if (event.key === "Escape") place.leaveField(at);
    return;
  }
  const onTile = at.matches(".tile");
  if (OF_BUTTONS.includes(event.key) && at.matches("button, summary, input, a") && !onTile) return;
  if (event.key.length === 1 && event.key !== " " && !one("#single").checked) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key, code = FREE.indexOf(key);
  if (KEYS[key]) {
    if (key.startsWith("Arrow") && !view.grid && (key === "ArrowUp" || key === "ArrowDown")) return;
    if (key.startsWith("Page") && !view.grid) return;
    event.preventDefault();
    if (!event.repeat || key.startsWith("Arrow")) KEYS[key]();
  } else if (key.length === 1 && code >= 0 && code < state.classes.length) {
    event.preventDefault();
    if (!event.repeat) label(code);
  }
}
