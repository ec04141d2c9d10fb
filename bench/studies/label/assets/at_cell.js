// The same in a cell of a notebook: it asks the kernel by messages of the widget, and keeps its style and its keys to itself.
// A message has a number, which the answer has too; what another view of the same widget did is shown here as well.
const WAIT = 20000;
const GONE = "Not saved so far: the kernel of this notebook does not answer. It is busy or has stopped. All labels before this one are "
  + "saved. If it has stopped, run the cell again.";
const place = (() => {
  const root = el.attachShadow({ mode: "open" }), holder = document.createElement("div"), asked = new Map();
  const sheet = document.createElement("style"), mine = `${Date.now()}-${Math.random()}`;
  let last = 0;
  sheet.textContent = model.get("_look");
  holder.className = "page";
  holder.tabIndex = -1;
  holder.innerHTML = model.get("_page"); // made by this program; texts of others come by messages and are set as text
  root.append(sheet, holder);
  el.dataset.lmSuppressShortcuts = "true"; // the keys of a notebook wait while somebody labels
  const light = document.body.dataset.jpThemeLight;
  if (light) el.dataset.theme = light === "true" ? "light" : "dark";
  holder.addEventListener("keydown", (event) => event.stopPropagation());
  holder.addEventListener("click", (event) => { if (!event.target.closest("button, input, summary, label")) holder.focus({ preventScroll: true }); });
  const hear = (told, buffers) => {
    const waiting = told.of === mine && asked.get(told.number);
    if (waiting) {
      asked.delete(told.number);
      waiting(told, buffers);
    } else if (told.told && told.told.deeds && !told.told.names) { // of another view, or too late for this one
      take(told.told);
      show();
    }
  };
  model.on("msg:custom", hear);
  const send = (what, said) => new Promise((done, failed) => {
    const number = (last += 1), late = setTimeout(() => {
      asked.delete(number);
      failed(new TypeError(GONE));
    }, WAIT);
    asked.set(number, (told, buffers) => {
      clearTimeout(late);
      if (told.error) failed(new Error(told.error));
      else done([told, buffers]);
    });
    model.send({ of: mine, number, ask: what, said: said || {} });
  });
  return {
    root, holder, gone: GONE,
    started() { holder.classList.add("js"); },
    leaveField() { holder.focus({ preventScroll: true }); },
    leave() { model.off("msg:custom", hear); },
    async ask(what, said) { return (await send(what, said))[0].told; },
    async show(image, key) {
      try {
        const [told, buffers] = await send(key);
        const reader = new FileReader();
        reader.onload = () => { image.src = reader.result; };
        reader.readAsDataURL(new Blob([buffers[0]], { type: told.kind }));
      } catch {
        image.dispatchEvent(new Event("error"));
      }
    },
  };
})();
