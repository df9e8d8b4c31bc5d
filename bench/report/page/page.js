"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const state = { setting: 0, metric: 0, method: 0, column: 0 };
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const percent = (share) => (share / 10).toFixed(1);
  const span = (cell) => (cell[1] === null ? "" : `[${percent(cell[1])}, ${percent(cell[2])}]`);
  const last = () => (data.metrics[state.metric].least ? "2000" : "-1"); // Holes are sorted behind all values.
  const hole = (cell) => cell === null || cell === undefined || typeof cell === "string";

  /** An element with properties and children; text is never parsed as HTML. */
  function element(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in made && name !== "list") made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  // What is chosen.
  const setting = () => data.settings[state.setting];
  const columns = () => data.columns[setting().dataset];
  const shown = () => data.methods.map((_, i) => i).filter((i) => data.values[state.setting][state.metric][i]);
  const cellOf = (method, column) => (data.values[state.setting][state.metric][method] || [])[column];
  const protocolsOf = (s) => `${s.train_protocol} → ${s.protocol}${s.perturbation === "none" ? "" : `, ${s.perturbation}`}`;
  const subsets = () => columns().map((_, i) => i).filter((i) => !columns()[i].mean && shown().some((m) => !absent(m, i)));
  const absent = (method, column) => cellOf(method, column) === "not in the matrix";
  const means = () => columns().map((_, i) => i).filter((i) => columns()[i].mean && shown().some((m) => !hole(cellOf(m, i))));
  const source = () => subsets().find((i) => setting().relations[i] === "source");

  function fill(select, names, chosen) {
    select.replaceChildren(...[...new Set(names)].map((name) => element("option", { value: name, textContent: name, selected: name === chosen })));
  }

  function fillChoices() {
    const now = setting();
    fill($("train"), data.settings.map((s) => s.train), now.train);
    fill($("protocols"), data.settings.filter((s) => s.train === now.train).map(protocolsOf), protocolsOf(now));
    fill($("dataset"), data.settings.filter((s) => s.train === now.train && protocolsOf(s) === protocolsOf(now)).map((s) => s.dataset), now.dataset);
    $("metric").replaceChildren(...data.metrics.map((m, i) => element("option", { value: i, textContent: m.name, selected: i === state.metric })));
  }

  /** The setting that agrees with most of what was chosen, what was changed last first. */
  function choose(changed) {
    const wanted = { train: $("train").value, protocols: $("protocols").value, dataset: $("dataset").value };
    const value = (s, name) => (name === "protocols" ? protocolsOf(s) : s[name]);
    const fit = (s) => Object.keys(wanted).reduce((sum, name) => sum + (value(s, name) === wanted[name] ? (name === changed ? 8 : 1) : 0), 0);
    const fits = data.settings.map(fit);
    state.setting = fits.indexOf(Math.max(...fits));
    state.column = source() ?? subsets()[0] ?? 0;
    keepMethod();
    draw();
  }

  function keepMethod() {
    if (!shown().includes(state.method)) state.method = shown()[0] ?? 0;
    if (!subsets().includes(state.column)) state.column = source() ?? subsets()[0] ?? 0;
  }

  /** A table of the library, made anew. */
  const made = {};
  function table(id, head, rows, options) {
    if (made[id]) made[id].destroy();
    const body = element("tbody", {}, ...rows);
    $(id).replaceChildren(element("thead", {}, element("tr", {}, ...head)), body);
    made[id] = new DataTable($(id), { autoWidth: false, ...options });
  }
  const heading = (text, title, kind) => element("th", { scope: "col", textContent: text, title: title || "", className: kind || "" });

  function number(cell) {
    if (hole(cell)) return element("td", { textContent: "–", title: cell || "not in the matrix", "data-order": last() });
    const parts = [percent(cell[0])];
    if ($("intervals").checked) parts.push(element("span", { className: "small", textContent: span(cell) }));
    return element("td", { title: span(cell), "data-order": cell[0] }, ...parts);
  }

  function worst(method) {
    const least = data.metrics[state.metric].least;
    const out = subsets().filter((i) => setting().relations[i] === "out" && columns()[i].averaged && !hole(cellOf(method, i)));
    if (!out.length) return element("td", { textContent: "–", "data-order": last() });
    const at = out.reduce((a, b) => ((cellOf(method, b)[0] < cellOf(method, a)[0]) !== least ? b : a));
    const value = cellOf(method, at)[0];
    return element("td", { "data-order": value, textContent: `${percent(value)} (${columns()[at].title})` });
  }

  function drawBoard() {
    const metric = data.metrics[state.metric], kind = $("kind").value, kept = means(), from = source();
    const main = kept.find((i) => columns()[i].id === "mean:out") ?? kept[0];
    const head = [heading("Method", "", "text"), heading("Rank", "1 + the number of detectors that are significantly better by AUC out of family; – the last place that is possible"), heading("Kind")];
    kept.forEach((i) => head.push(heading(columns()[i].title, `mean over these generators: ${metric.help}`)));
    head.push(heading("worst out", "the worst generator outside the family"));
    if (from !== undefined) head.push(heading("source", "the training generator"));
    const rows = shown().filter((m) => !kind || data.methods[m].kind === kind).map((m) => {
      const method = data.methods[m], rank = data.ranks[state.setting][m];
      const open = element("button", { type: "button", textContent: method.title, title: "Its card" });
      open.addEventListener("click", () => card(m));
      const place = rank ? (rank[0] === rank[1] ? `${rank[0]}` : `${rank[0]}–${rank[1]}`) : "–";
      const cells = [element("td", { className: "text", "data-order": method.title, "data-search": method.title }, open),
        element("td", { textContent: place, "data-order": rank ? rank[0] * 100 + rank[1] : 9999 }), element("td", { textContent: method.kind === "statistic" ? "baseline" : method.kind }),
        ...kept.map((i) => number(cellOf(m, i))), worst(m)];
      if (from !== undefined) cells.push(number(cellOf(m, from)));
      return element("tr", { className: method.kind }, ...cells);
    });
    const at = main === undefined ? [] : [[3 + kept.indexOf(main), metric.least ? "asc" : "desc"]];
    table("ranking", head, rows, { paging: false, info: false, order: at, language: { search: "Filter " } });
    $("board-note").textContent = `${metric.name} in percent (${metric.help}). Trained on ${setting().train}, ${protocolsOf(setting())}, tested on ${setting().dataset}. Values are means over seeds. Choose a heading to sort.`;
  }

  /** Blue above chance, red below, the more the further; of a metric without chance, blue for good, grey for bad. */
  function colour(share, metric) {
    const from = metric.chance ?? 0, better = (share >= from) !== (metric.least && metric.chance !== null);
    const ends = metric.chance === null && metric.least ? [110, 110, 110] : better ? [33, 102, 172] : [178, 24, 43];
    const depth = Math.min(1, Math.abs(share - from) / (share >= from ? 1000 - from : from));
    const [r, g, b] = ends.map((end) => Math.round(247 + (end - 247) * depth));
    const light = 0.299 * r + 0.587 * g + 0.114 * b;
    return { back: `rgb(${r} ${g} ${b})`, ink: light > 140 ? "#000000" : "#ffffff" };
  }

  function cellButton(method, column) {
    const cell = cellOf(method, column), mean = columns()[column].mean ? "mean" : "";
    if (hole(cell)) return element("td", { className: `hole ${mean}`, textContent: "–", title: cell || "not in the matrix" });
    const { back, ink } = colour(cell[0], data.metrics[state.metric]);
    const parts = [percent(cell[0])];
    if ($("intervals").checked) parts.push(element("span", { className: "small", textContent: span(cell) }));
    const name = `${data.methods[method].title} on ${columns()[column].title}: ${percent(cell[0])} ${span(cell)}`;
    const td = element("td", { className: mean });
    td.style.background = back;
    td.style.color = ink;
    if (mean) {
      td.append(...parts);
      td.style.textAlign = "center";
      td.title = name;
      return td;
    }
    const button = element("button", { type: "button", title: name, "aria-label": name }, ...parts);
    button.addEventListener("pointerenter", () => drawCurves(method, column));
    button.addEventListener("focus", () => drawCurves(method, column));
    button.addEventListener("click", () => pick(method, column));
    td.dataset.at = `${method} ${column}`;
    td.append(button);
    return td;
  }

  function drawMatrix() {
    const kept = [...subsets(), ...means()];
    const head = [heading("Method", "", "text"), ...kept.map((i) => heading(columns()[i].title, setting().relations[i], columns()[i].mean ? "mean" : ""))];
    const rows = shown().map((m) => element("tr", {}, element("th", { scope: "row", className: "text", textContent: data.methods[m].title }), ...kept.map((i) => cellButton(m, i))));
    $("cells").replaceChildren(element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
    const { name, chance, least } = data.metrics[state.metric];
    const red = name === "AUC" ? "worse, the ranking is reversed" : "worse";
    const hues = chance === null ? `The darker, the ${least ? "larger the error" : "more"}.` : `White: a guess (${percent(chance)}). Blue: better than that. Red: ${red}.`;
    $("matrix-note").textContent = `${name} in percent. ${hues} Point at a cell for its curves; choose it for its images.`;
    mark();
  }

  function mark() {
    for (const td of $("cells").querySelectorAll("td[data-at]")) {
      const chosen = td.dataset.at === `${state.method} ${state.column}`;
      td.style.boxShadow = chosen ? "inset 0 0 0 3px currentColor" : "";
      if (chosen) td.firstChild.setAttribute("aria-current", "true");
      else td.firstChild.removeAttribute("aria-current");
    }
    const cell = cellOf(state.method, state.column);
    $("cell-note").textContent = hole(cell) ? "" : `Chosen: ${data.methods[state.method].title} on ${columns()[state.column].title}, ${data.metrics[state.metric].name} ${percent(cell[0])} ${span(cell)}.`;
  }

  function pick(method, column) {
    state.method = method;
    state.column = column;
    mark();
    drawCurves(method, column);
    drawImages();
    remember();
  }

  // Curves.
  const charts = {};
  function chart(id, type, datasets, scales, more = {}) {
    if (charts[id]) charts[id].destroy();
    const ink = style("--soft"), line = style("--line");
    for (const scale of Object.values(scales)) Object.assign(scale, { ticks: { color: ink, ...scale.ticks }, grid: { color: line }, title: { display: true, color: ink, text: scale.text } });
    charts[id] = new Chart($(id), { type, data: { datasets, ...more.data }, options: { animation: false, maintainAspectRatio: false, responsive: true,
      interaction: { mode: "nearest", intersect: false }, scales, plugins: { legend: { position: "bottom", labels: { color: style("--ink"), boxWidth: 12 } }, ...more.plugins } } });
  }

  function drawCurves(method, column) {
    const known = data.curves[state.setting][method] || {}, title = data.methods[method].title;
    const relation = { source: style("--real"), family: style("--family"), out: style("--fake") };
    const lines = subsets().filter((i) => known[columns()[i].id]).map((i) => ({ label: columns()[i].title, borderColor: relation[setting().relations[i]] || style("--soft"),
      borderWidth: i === column ? 4 : 1.2, pointRadius: 0, order: i === column ? 0 : 1, borderDash: i === column ? [] : [[], [6, 3], [2, 2], [8, 3, 2, 3]][i % 4],
      data: data.grid.map((x, n) => ({ x: x / 1000, y: known[columns()[i].id].tpr[n] / 1000 })) }));
    lines.push({ label: "guess", borderColor: style("--soft"), borderWidth: 1, borderDash: [3, 3], pointRadius: 0, order: 2, data: [{ x: 0, y: 0 }, { x: 1, y: 1 }] });
    const unit = (text) => ({ type: "linear", min: 0, max: 1, text });
    chart("roc", "line", lines, { x: unit("false positive rate"), y: unit("true positive rate") });
    const one = known[columns()[column]?.id], name = `${title} on ${columns()[column]?.title}`;
    $("curves-note").textContent = one ? `${name}. Lines by relation to the training generator: the source in blue, its family in green, all others in orange.` : `${name}: no per-image scores here.`;
    const total = one ? one.n : [], fakes = one ? one.fakes : [];
    const middle = total.map((_, i) => ((i + 0.5) / total.length).toFixed(2));
    const bars = (label, values, hue) => ({ label, data: values, backgroundColor: hue });
    chart("histogram", "bar", [bars("photographs", total.map((n, i) => n - fakes[i]), style("--real")), bars("fakes", fakes, style("--fake"))], { x: { text: "P(fake)" }, y: { text: "images, all seeds", beginAtZero: true } }, { data: { labels: middle } });
    const points = total.map((n, i) => ({ x: one.p[i] / 1000, y: n ? fakes[i] / n : null, n })).filter((p) => p.n);
    chart("calibration", "scatter", [{ label: "images", data: points, backgroundColor: style("--real"), pointRadius: points.map((p) => 3 + 9 * Math.sqrt(p.n / Math.max(...total))) },
      { label: "perfect", type: "line", data: [{ x: 0, y: 0 }, { x: 1, y: 1 }], borderColor: style("--soft"), borderDash: [3, 3], pointRadius: 0 }], { x: unit("P(fake)"), y: unit("share of fakes") },
      { plugins: { tooltip: { callbacks: { label: (item) => `${(100 * item.parsed.y).toFixed(0)} % fakes of ${item.raw.n ?? ""} scores` } } } });
    for (const id of ["roc", "histogram", "calibration"]) $(id).setAttribute("aria-label", `${id} of ${name}`);
  }

  // Images.
  const sliceOf = () => data.slices.find((s) => s.dataset === setting().dataset && s.protocol === setting().protocol && s.subset === columns()[state.column].id);
  function thumb(image, big) {
    if (image[3] === null) return "";
    return element("img", { className: big ? "large" : "thumb", src: data.pictures[image[3]], alt: big ? image[1] : "" });
  }

  const shownPictures = data.pictures.length > 0;
  function drawImages() {
    const slice = sliceOf(), scores = (data.scores[state.setting][state.method] || {})[columns()[state.column]?.id];
    const title = data.methods[state.method].title;
    if (!slice || !scores) {
      table("list", [heading("Image", "", "text")], [], { paging: false, info: false, searching: false });
      $("images-note").textContent = setting().perturbation === "none" ? "This folder has no per-image scores here." : "Images are listed for settings without a perturbation or control.";
      return;
    }
    const rows = slice.images.map((image, i) => [image, scores[i], i]).filter(([, p]) => p !== null).map(([image, p, i]) => {
      const error = Math.abs(p - 1000 * image[0]), wrong = error > 500;
      const open = element("button", { type: "button", textContent: image[1] });
      open.addEventListener("click", () => imageCard(slice, i));
      return element("tr", {}, ...(shownPictures ? [element("td", { className: "text" }, thumb(image, false))] : []), element("td", { className: "text", "data-order": image[1], "data-search": image[1] }, open), element("td", { textContent: image[0] ? "fake" : "photograph" }),
        element("td", { textContent: percent(p), "data-order": p }), element("td", { className: wrong ? "wrong" : "", textContent: wrong ? "wrong" : "right", "data-order": error }));
    });
    const head = [...(shownPictures ? [heading("Picture", "", "text")] : []), heading("File", "", "text"), heading("Class"), heading("P(fake), %"), heading("Verdict", "sorted by the size of the error")];
    const fixed = shownPictures ? [{ targets: 0, orderable: false }] : [];
    table("list", head, rows, { order: [[head.length - 1, "desc"]], pageLength: 10, lengthMenu: [10, 25, 100], language: { search: "Filter ", lengthMenu: "_MENU_ per page" }, columnDefs: fixed });
    const without = shownPictures ? "" : " Pictures are not embedded here: report --embed-images DIR does that (mini for the miniature's).";
    $("images-note").textContent = `${title} on ${columns()[state.column].title}, ${slice.protocol}: ${rows.length} images, the worst mistakes first. Choose one to see what all methods say of it.${without}`;
  }

  function dialog(title, ...body) {
    $("dialog-h").textContent = title;
    $("dialog-body").replaceChildren(...body);
    $("dialog").showModal();
  }

  function imageCard(slice, index) {
    const image = slice.images[index];
    const found = shown().map((m) => [m, ((data.scores[state.setting][m] || {})[slice.subset] || [])[index]]).filter(([, p]) => p !== null && p !== undefined).sort((a, b) => b[1] - a[1]);
    const lines = found.map(([m, p]) => element("tr", {}, element("td", { className: "text", textContent: data.methods[m].title }), element("td", { textContent: percent(p) }), element("td", { className: (p > 500) === (image[0] === 1) ? "" : "wrong", textContent: p > 500 ? "fake" : "photograph" })));
    const scores = element("table", { className: "plain" }, element("thead", {}, element("tr", {}, heading("Method", "", "text"), heading("P(fake), %"), heading("says"))), element("tbody", {}, ...lines));
    const own = image[4].find(([kind]) => kind === "image"), seen = own ? element("img", { className: "large", src: own[3], alt: image[1] }) : thumb(image, true);
    dialog(image[1], seen, element("p", { textContent: `${image[0] ? "A fake" : "A photograph"} of ${slice.dataset}, ${slice.subset}. The file: ${image[2]}.` }), ...makings(image), scores);
  }

  /** What engines made of an image: texts, then pictures with the methods that use them. */
  function makings(image) {
    const texts = image[4].filter(([kind]) => kind === "text"), pictures = image[4].filter(([kind]) => kind === "picture");
    if (!image[4].length) return [];
    return [element("h3", { textContent: "What engines made of it" }),
      ...texts.map(([, name, methods, text]) => element("p", {}, element("q", { textContent: text }), element("span", { className: "small", textContent: ` ${name}, for ${methods}` }))),
      element("div", { className: "made" }, ...pictures.map(([, name, methods, url]) => element("figure", {}, element("img", { className: "large", src: url, alt: name }),
        element("figcaption", { textContent: `${name}, for ${methods}` }))))];
  }

  function card(m) {
    const method = data.methods[m], parts = [];
    for (const [name, value] of Object.entries(method.card)) {
      parts.push(element("h3", { textContent: name }));
      if (Array.isArray(value)) parts.push(element("ul", {}, ...value.map((line) => element("li", { textContent: line }))));
      else parts.push(element("p", { textContent: value }));
    }
    dialog(method.title, ...parts);
  }

  function remember() {
    const now = setting();
    history.replaceState(null, "", `#${new URLSearchParams({ train: now.train, protocols: protocolsOf(now), dataset: now.dataset, metric: data.metrics[state.metric].name, method: data.methods[state.method].id, subset: columns()[state.column]?.id ?? "" })}`);
  }

  function recall() {
    const known = new URLSearchParams(location.hash.slice(1));
    const at = data.settings.findIndex((s) => s.train === known.get("train") && protocolsOf(s) === known.get("protocols") && s.dataset === known.get("dataset"));
    if (at >= 0) state.setting = at;
    state.metric = Math.max(0, data.metrics.findIndex((m) => m.name === known.get("metric")));
    state.method = Math.max(0, data.methods.findIndex((m) => m.id === known.get("method")));
    state.column = Math.max(0, columns().findIndex((c) => c.id === known.get("subset")));
    if (!known.get("subset")) state.column = source() ?? 0;
  }

  function draw() {
    fillChoices();
    drawBoard();
    drawMatrix();
    drawCurves(state.method, state.column);
    drawImages();
    remember();
  }

  function theme(dark) {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    $("theme").textContent = dark ? "Light colours" : "Dark colours";
  }

  $("cells").addEventListener("pointerleave", () => drawCurves(state.method, state.column));
  theme(matchMedia("(prefers-color-scheme: dark)").matches);
  $("theme").addEventListener("click", () => { theme(document.documentElement.dataset.theme !== "dark"); drawCurves(state.method, state.column); });
  for (const id of ["train", "protocols", "dataset"]) $(id).addEventListener("change", () => choose(id));
  $("metric").addEventListener("change", () => { state.metric = Number($("metric").value); keepMethod(); draw(); });
  $("intervals").addEventListener("change", () => { drawBoard(); drawMatrix(); });
  $("kind").addEventListener("change", drawBoard);
  if (data.settings.length) {
    recall();
    keepMethod();
    draw();
  } else $("board-note").textContent = "This folder has no results of detection.";
})();
