// One press at a time, and the next one only when the last is on the disk. What is asked goes where `place` says: to the
// server of the page, or to the kernel of a notebook.
// Do something that changes labels; returns whether it was done. What is pressed meanwhile is meant for what is
// not shown yet, and does nothing.
async function change(what, said) {
  if (view.busy || view.over) return false;
  view.busy = true;
  try {
    warn("");
    const answer = await place.ask(what, said), known = state.deeds;
    take(answer);
    if (answer.deeds > known + 1) await read(); // another page of the same labels did something
    return true;
  } catch (error) {
    warn(error instanceof TypeError ? place.gone : `Not saved. ${error.message}`);
    return false;
  } finally {
    view.busy = false;
  }
}

// Pictures of what comes next are there before they are asked for.
const AHEAD = 6, HELD = 60;
const pictures = new Map();

function picture(item, kind) {
  const key = `${kind}/${item}`;
  let made = pictures.get(key);
  if (!made) {
    made = new Image();
    made.decoding = "async";
    place.show(made, key);
  }
  pictures.delete(key);
  pictures.set(key, made);
  for (const old of pictures.keys()) {
    if (pictures.size <= HELD) break;
    pictures.delete(old);
  }
  return made;
}

// The same picture once more, such as in the list of the last labels.
function copyOf(item, kind) {
  const image = picture(item, kind), made = image.cloneNode();
  if (!image.hasAttribute("src")) image.addEventListener("load", () => { made.src = image.src; }, { once: true });
  return made;
}

async function whyNot(item, kind) {
  try {
    await place.ask(`${kind}/${item}`);
  } catch (error) {
    return error instanceof TypeError ? "The program has stopped, so there is no picture." : error.message;
  }
  return "This image cannot be shown.";
}
