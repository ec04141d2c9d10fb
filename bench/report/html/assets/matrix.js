// The confusion matrix: another method, and the images of a field.
const points = data.points;
const inDraws = (answers, k) => {
  if (!answers) return 0;
  for (let i = 0; i < answers.length; i += 2) if (answers[i] === k) return answers[i + 1];
  return 0;
};
const startMatrix = () => {
  const MOST = 60;
  const K = points.classes.length;
  const cells = all("#matrix td[data-i]");
  let method = 0;
  let open = null;
  const picture = (p, alt) => make("img", { src: points.picture[p], width: 72, height: 72, alt, loading: "lazy" });
  const showField = (i, j) => {
    open = [i, j];
    for (const cell of cells) {
      const here = Number(cell.dataset.i) === i && Number(cell.dataset.j) === j;
      if (here) cell.setAttribute("aria-current", "true"); else cell.removeAttribute("aria-current");
    }
    const answers = points.answers[method];
    const found = points.label.map((label, p) => [p, label === i && points.first[p] ? inDraws(answers[p], j) : 0]).filter(([, n]) => n > 0);
    found.sort((a, b) => b[1] - a[1] || a[0] - b[0]);
    const title = make("h3", {}, i === j ? `${points.classes[i]}, and taken for it` : `${points.classes[i]} taken for ${points.classes[j]}`);
    const count = make("p", { class: "small" }, `${found.length} images of those on this page, ${Math.min(found.length, MOST)} shown: those first that were taken so in most draws. `);
    count.append("By ", called(points.methods[method]), ".");
    const list = make("ul", { class: "found" });
    for (const [p, n] of found.slice(0, MOST)) {
      const item = make("li", {});
      if (points.picture[p]) item.append(picture(p, ""));
      item.append(`${points.name[p]}: ${n} of ${points.draws} draws`);
      list.append(item);
    }
    one("#field").replaceChildren(title, count, list);
  };
  const showMethod = () => {
    for (const cell of cells) {
      const [i, j] = [Number(cell.dataset.i), Number(cell.dataset.j)];
      const text = data.confusion[method][i * K + j];
      const button = make("button", { type: "button", "aria-label": `${points.classes[i]} taken for ${points.classes[j]}: ${text || "no"} percent` });
      if (text) button.append(number(text, "confusion", method * K * K + i * K + j, "share", true));
      button.addEventListener("click", () => showField(i, j));
      cell.replaceChildren(button);
      cell.style.setProperty("--a", `${text || 0}%`);
    }
    one("#matrix-method").replaceChildren(called(points.methods[method]));
    if (open) showField(...open);
  };
  const pick = one("#pick-method");
  if (pick) pick.addEventListener("change", () => { method = Number(pick.value); showMethod(); });
  showMethod();
};
