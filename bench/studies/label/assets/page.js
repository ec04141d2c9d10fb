// What is known, and small words for what is on the page. Texts of others are only ever set as text.
const one = (selector) => place.root.querySelector(selector);
const UNSURE = -1;
const state = { names: [], classes: [], given: [], boxes: [], why: {}, labels: new Map(), recent: [] };
const view = { at: 0, grid: false, whole: false, selected: new Set(), busy: false, over: false };

function element(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

// A text of somebody else: what is written from right to left turns nothing around it, and lines break after a _ or /.
function foreign(text) {
  const made = element("bdi");
  for (const part of text.split(/(?<=[_/])/)) made.append(part, element("wbr"));
  return made;
}

function labelText(code) {
  return code === UNSURE ? "unsure" : state.classes[code];
}

function given(item) {
  const code = state.given[item];
  return code === undefined ? null : code;
}

// The label that is pressed, else the one that the data have, else nothing.
function labelOf(item) {
  return state.labels.has(item) ? state.labels.get(item) : given(item);
}

function take(answer) {
  for (const [item, code] of answer.changed || []) {
    if (code === null) state.labels.delete(item);
    else state.labels.set(item, code);
  }
  if (answer.recent) state.recent = answer.recent;
  if (answer.classes) state.classes = answer.classes;
  if (answer.deeds) state.deeds = answer.deeds;
  if (answer.problem !== undefined) warn(answer.problem);
}

// All that is known, as it is now.
async function read() {
  const told = await place.ask("state");
  Object.assign(state, told, { labels: new Map(Object.entries(told.labels).map(([item, code]) => [Number(item), code])) });
  return told;
}

// The first item from a place on, and then from the start, that has no press; nothing where all have one.
function firstLeft(from) {
  const count = state.names.length;
  for (let k = 0; k < count; k++) {
    const item = (from + k) % count;
    if (!state.labels.has(item)) return item;
  }
  return null;
}

function count(code) {
  let found = 0;
  for (const one of state.labels.values()) found += one === code;
  return found;
}

const number = (value) => value.toLocaleString("en");

function warn(text) {
  one("#alert").textContent = text;
}

function say(text) {
  one("#said").textContent = text;
}

function showProgress() {
  const all = state.names.length, left = all - state.labels.size;
  one("#progress").textContent = `${number(state.labels.size)} of ${number(all)}, ${number(left)} left`;
  one("#bar").max = all;
  one("#bar").value = state.labels.size;
  one("#undo").disabled = state.recent.length === 0;
}
