// The map: another encoder, other colours, the image behind a point.
const startMap = () => {
  const map = data.map;
  const SHAPES = 8;
  const OTHERS = SHAPES - 1;
  const [width, height, margin] = map.size;
  const picture = one("#map-picture");
  const dots = all("use[data-p]", picture);
  const ring = one("#map-ring");
  let encoder = 0;
  let colour = "label";
  let now = -1;
  let places = [];
  const rightOf = (p) => {
    const answers = points.answers[map.methods[encoder]];
    return answers && answers[p] ? inDraws(answers[p], points.label[p]) / points.draws : null;
  };
  const kinds = {
    label: { names: points.classes, of: (p) => points.label[p] },
    group: {
      names: points.groups.length > SHAPES ? [...points.groups.slice(0, OTHERS), `${points.groups.length - OTHERS} other groups`] : points.groups,
      of: (p) => (points.groups.length > SHAPES ? Math.min(points.group[p], OTHERS) : points.group[p]),
    },
    right: {
      names: ["right in all draws", "right in most draws", "wrong in most draws", "not tested"],
      of: (p) => { const share = rightOf(p); return share === null ? 3 : share === 1 ? 0 : share > 0.5 ? 1 : 2; },
    },
  };
  // [colour, shape, whether it is hollow] of a kind of point, as `mark_of` gives them; those of no class are the last.
  const markOf = (k) => {
    const plain = colour === "right" ? [0, 4, 1, 7][k] : k < 0 ? OTHERS : k, lap = Math.floor(plain / SHAPES);
    return [plain % SHAPES, (plain + Math.floor(lap / 2)) % SHAPES, lap % 2 === 1];
  };
  const lookOf = (k) => {
    const [tone, shape, hollow] = markOf(k);
    return { href: `#m${shape}`, class: `p s${tone}${hollow ? " hollow" : ""}` };
  };
  const showColours = () => {
    const kind = kinds[colour];
    dots.forEach((dot, n) => {
      for (const [name, value] of Object.entries(lookOf(kind.of(map.points[n])))) dot.setAttribute(name, value);
    });
    const keys = kind.names.map((name, k) => {
      const key = make("span", { class: "key" });
      const sign = draw("svg", { width: 11, height: 11, viewBox: "0 0 11 11", "aria-hidden": "true" });
      sign.append(draw("use", { ...lookOf(k), width: 11, height: 11 }));
      key.append(sign, name);
      return key;
    });
    one("#map-legend").replaceChildren(...keys);
  };
  const showEncoder = () => {
    const at = map.at[encoder];
    places = dots.map((dot, n) => [margin + ((width - 2 * margin) * at[2 * n]) / 1000, margin + (height - 2 * margin) * (1 - at[2 * n + 1] / 1000)]);
    dots.forEach((dot, n) => { dot.setAttribute("x", (places[n][0] - 4).toFixed(1)); dot.setAttribute("y", (places[n][1] - 4).toFixed(1)); });
    one("#map-encoder").replaceChildren(encoderName(map.encoders[encoder]));
    one("#map-kept").textContent = map.kept[encoder];
    if (now >= 0) showPoint(now);
  };
  const showPoint = (n) => {
    now = n;
    const p = map.points[n];
    ring.setAttribute("cx", places[n][0]);
    ring.setAttribute("cy", places[n][1]);
    const share = rightOf(p);
    const label = points.label[p] < 0 ? "another class" : points.classes[points.label[p]];
    const lines = [make("p", {}, make("strong", {}, label)), make("p", {}, points.name[p])];
    if (points.groups[points.group[p]] !== points.name[p]) lines.push(make("p", {}, `group: ${points.groups[points.group[p]]}`));
    lines.push(make("p", {}, share === null ? "not tested" : `right in ${Math.round(share * points.draws)} of ${points.draws} draws`));
    if (points.picture[p]) lines.unshift(make("img", { src: points.picture[p], alt: "", width: 112, height: 112 }));
    one("#map-point").replaceChildren(...lines);
  };
  const nearest = (event) => {
    const box = picture.getBoundingClientRect();
    const [x, y] = [((event.clientX - box.left) * width) / box.width, ((event.clientY - box.top) * height) / box.height];
    let best = -1;
    let least = 400;
    places.forEach(([px, py], n) => {
      const far = (px - x) ** 2 + (py - y) ** 2;
      if (far < least) { least = far; best = n; }
    });
    if (best >= 0 && best !== now) showPoint(best);
  };
  picture.addEventListener("pointermove", nearest);
  picture.addEventListener("pointerdown", nearest);
  picture.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const order = places.map((place, n) => n).sort((a, b) => places[a][0] - places[b][0]);
    const next = now < 0 ? 0 : order.indexOf(now) + steps[event.key];
    showPoint(order[(next + order.length) % order.length]);
  });
  one("#map-pick").addEventListener("change", (event) => { encoder = Number(event.target.value); showEncoder(); showColours(); });
  one("#map-colour").addEventListener("change", (event) => { colour = event.target.value; showColours(); });
  showEncoder();
};
