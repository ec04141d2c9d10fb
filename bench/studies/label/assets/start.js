// All that is shown follows from what is known.
function show(focus = false) {
  one("#one").hidden = view.grid;
  one("#grid").hidden = !view.grid;
  place.holder.classList.toggle("in-grid", view.grid);
  one("#mode").setAttribute("aria-pressed", view.grid);
  if (one("#whole")) {
    one("#whole").setAttribute("aria-pressed", view.whole);
    one("#whole").disabled = view.grid;
  }
  const inTiles = place.root.activeElement?.matches(".tile");
  if (view.grid) showGrid(focus || inTiles);
  else showOne();
  showClasses();
  showStrip();
  showProgress();
}

async function start() {
  const told = await read();
  one("#classes").classList.toggle("many", state.classes.length > 12);
  const first = firstLeft(0);
  view.at = first === null ? 0 : first;
  for (const [name, deed] of Object.entries({
    mode: switchMode, whole: switchWhole, undo, done: finish, before: () => goTo(view.at - 1), after: () => goTo(view.at + 1),
    "page-before": () => turnPage(-1), "page-after": () => turnPage(1),
  })) one(`#${name}`)?.addEventListener("click", deed);
  one("#new").addEventListener("submit", addClass);
  place.holder.addEventListener("keydown", onKey);
  addEventListener("resize", () => view.grid || showOne());
  show();
  if (told.problem) warn(told.problem);
  place.started();
}

const begun = start().catch((error) => warn(error.message));
