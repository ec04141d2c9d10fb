// The page is whole without this script. It adds what answers to a hand: sorting, filtering, the share of wrong
// labels, pairs, the images behind a field and behind a point. It computes no statistic: all numbers are in the data.
const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const LONGEST = 27;
const names = data.encoders.slice();
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

const make = (tag, attributes = {}, ...inner) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...inner);
  return element;
};
const draw = (tag, attributes, text) => {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
};
const number = (text, table, row, column, share) => {
  const span = make("span", { "data-field": `${table}/${row}/${column}` }, text);
  if (share) span.setAttribute("data-share", "");
  return span;
};
const encoderName = (i) => make("span", { class: "enc", "data-name": i }, names[i]);
const called = (method) => {
  const span = make("span", {}, encoderName(method[0]), " ");
  span.append(make("span", { class: "head" }, method[1]));
  return span;
};

// Encoders: highlight, hide, rename, everywhere.
const showNames = () => {
  for (const element of all("[data-name]")) {
    const name = names[element.dataset.name];
    if (name === undefined) continue;
    const inDrawing = element.namespaceURI === SVG;
    element.textContent = inDrawing && name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name;
  }
  for (const option of all("[data-option]")) {
    option.textContent = `${names[option.dataset.option]} ${option.dataset.head}`.trim();
  }
};
const tools = all("[data-tool]");
const hidden = new Set();
const lit = new Set();
const showEncoders = () => {
  for (const element of all("[data-encoder]")) {
    const i = Number(element.dataset.encoder);
    element.classList.toggle("off", hidden.has(i));
    element.classList.toggle("lit", lit.has(i));
  }
  document.body.classList.toggle("some-lit", lit.size > 0);
};
for (const tool of tools) {
  const i = Number(tool.dataset.tool);
  const [show, star, rename] = [one(".show", tool), one(".star", tool), one(".rename", tool)];
  show.addEventListener("change", () => {
    if (show.checked) hidden.delete(i); else hidden.add(i);
    showEncoders();
  });
  star.addEventListener("click", () => {
    if (lit.has(i)) lit.delete(i); else lit.add(i);
    star.setAttribute("aria-pressed", lit.has(i));
    star.textContent = lit.has(i) ? "★" : "☆";
    showEncoders();
  });
  rename.addEventListener("input", () => {
    names[i] = rename.value || data.encoders[i];
    showNames();
  });
}
const reset = one("#reset");
if (reset) reset.addEventListener("click", () => {
  hidden.clear();
  lit.clear();
  data.encoders.forEach((name, i) => { names[i] = name; });
  for (const tool of tools) {
    one(".show", tool).checked = true;
    one(".star", tool).setAttribute("aria-pressed", "false");
    one(".star", tool).textContent = "☆";
    one(".rename", tool).value = data.encoders[Number(tool.dataset.tool)];
  }
  showNames();
  showEncoders();
});
const toolbox = one("#toolbox");
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !toolbox.open) return;
  toolbox.open = false;
  one("summary", toolbox).focus();
});
document.addEventListener("click", (event) => {
  if (toolbox.open && !toolbox.contains(event.target)) toolbox.open = false;
});
