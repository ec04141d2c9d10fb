// Requests to this very server; one press at a time, and the next one only when the last is on the disk.
async function ask(what, said) {
  const how = said && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(said) };
  const answer = await fetch(what, { ...how, credentials: "omit", cache: "no-store" });
  const told = (answer.headers.get("Content-Type") || "").startsWith("application/json") ? await answer.json() : {};
  if (!answer.ok) throw new Error(told.error || `It was refused (${answer.status}). Load the page again.`);
  return told;
}

// Do something that changes labels; returns whether it was done. What is pressed meanwhile is meant for what is
// not shown yet, and does nothing.
async function change(what, said) {
  if (view.busy || view.over) return false;
  view.busy = true;
  try {
    warn("");
    take(await ask(what, said));
    return true;
  } catch (error) {
    const gone = error instanceof TypeError;
    warn(gone ? "Not saved: the program has stopped. All labels before this one are saved. Type the same command again, "
      + "and go on in the page that it opens." : `Not saved. ${error.message}`);
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
    made.src = key;
  }
  pictures.delete(key);
  pictures.set(key, made);
  for (const old of pictures.keys()) {
    if (pictures.size <= HELD) break;
    pictures.delete(old);
  }
  return made;
}

async function whyNot(item, kind) {
  try {
    await ask(`${kind}/${item}`);
  } catch (error) {
    return error instanceof TypeError ? "The program has stopped, so there is no picture." : error.message;
  }
  return "This image cannot be shown.";
}
