// The page by itself: it asks the server that it came from, and has all of the window.
const place = {
  root: document,
  holder: document.body,
  gone: "Not saved: the program has stopped. All labels before this one are saved. Type the same command again, and go on in the page "
    + "that it opens.",
  started() {
    document.title = `Label ${state.title}`;
    document.documentElement.classList.add("js");
    // The same page may be open twice: what was done there is shown once somebody comes back here.
    addEventListener("focus", async () => {
      if (view.busy || view.over) return;
      try {
        if ((await place.ask("deeds")).deeds !== state.deeds && !view.busy) {
          await read();
          show();
        }
      } catch { /* the next press says that the program has stopped */ }
    });
  },
  leaveField(field) { field.blur(); },
  show(image, key) { image.src = key; },
  async ask(what, said) {
    const how = said && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(said) };
    const answer = await fetch(what, { ...how, credentials: "omit", cache: "no-store" });
    const told = (answer.headers.get("Content-Type") || "").startsWith("application/json") ? await answer.json() : {};
    if (!answer.ok) throw new Error(told.error || `It was refused (${answer.status}). Load the page again.`);
    return told;
  },
};
