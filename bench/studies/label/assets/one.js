// One item, as large as the page has room, and a pixel of it at most so many pixels wide.
const LARGEST = 8;

function drawBox(holder, box) {
  const mark = element("div", undefined, "mark");
  const [left, top, width, height] = box.map((share) => `${100 * share}%`);
  Object.assign(mark.style, { left, top, width, height });
  holder.append(mark);
}

function showPicture(item) {
  const kind = view.whole ? "image" : "large", holder = one("#picture"), image = picture(item, kind);
  image.alt = state.names[item];
  image.className = "";
  const fit = () => {
    if (!holder.contains(image)) return;
    const stage = one("#stage"), share = Math.min(stage.clientWidth / image.naturalWidth, stage.clientHeight / image.naturalHeight);
    image.style.width = `${Math.max(1, Math.round(image.naturalWidth * Math.min(share, LARGEST)))}px`;
  };
  const failed = async () => {
    const text = await whyNot(item, kind);
    if (view.at === item) holder.replaceChildren(element("p", text, "plain"));
  };
  holder.replaceChildren(image);
  if (view.whole && state.boxes[item]) drawBox(holder, state.boxes[item]);
  if (image.complete && image.naturalWidth) fit();
  else {
    image.onload = fit;
    image.onerror = failed;
    if (image.complete && image.hasAttribute("src")) failed();
  }
}

function showOne() {
  const item = view.at, code = labelOf(item);
  showPicture(item);
  one("#name").replaceChildren(foreign(state.names[item]), element("span", ` ${number(item + 1)} of ${number(state.names.length)}`, "soft"));
  const now = one("#now");
  now.replaceChildren();
  if (code !== null) {
    const pressed = state.labels.has(item);
    now.append(pressed ? "Label: " : "Label so far: ", foreign(labelText(code)));
    if (!pressed) now.append(element("span", " — Enter if it is right", "soft"));
  }
  const why = state.why[item];
  one("#why").textContent = why || "";
  one("#before").disabled = item === 0;
  one("#after").disabled = item === state.names.length - 1;
  let ahead = item;
  for (let k = 0; k < AHEAD && ahead !== null && ahead + 1 < state.names.length; k++) {
    ahead = firstLeft(ahead + 1);
    if (ahead !== null) picture(ahead, view.whole ? "image" : "large");
  }
}

function goTo(item) {
  view.at = Math.max(0, Math.min(state.names.length - 1, item));
  show();
}

async function labelOne(code) {
  const item = view.at;
  if (!await change("press", { items: [item], label: code })) return;
  const next = firstLeft(item + 1);
  const said = `${labelText(code)} for ${state.names[item]}.`;
  if (next === null) {
    show();
    say(`${said} All ${state.names.length} are labelled.`);
    one("#progress").textContent = `All ${number(state.names.length)} are labelled`;
    return;
  }
  goTo(next);
  say(`${said} ${one("#progress").textContent}. Now ${state.names[next]}`);
}
