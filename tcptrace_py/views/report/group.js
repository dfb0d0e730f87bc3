// The graphs of one connection: they zoom together, by mouse, by buttons and by keys.

function made(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// A name in a legend, which uPlot lets a click hide or show, for keys and for ears.
function switchable(label) {
  const told = () => label.setAttribute("aria-pressed", !label.closest(".u-series").classList.contains("u-off"));
  for (const [name, value] of [["role", "button"], ["tabindex", "0"]]) label.setAttribute(name, value);
  label.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    label.click();
  });
  label.closest("th").addEventListener("click", () => queueMicrotask(told));
  told();
}

const GROUPS = [];

class Group {
  constructor(box, held, ways, kinds = Object.keys(GRAPHS)) {
    Object.assign(this, { box, held, ways, kinds, plots: [], following: false });
    this.name = `connection ${held.conn}`;
    const loaded = (way) => ways[way].payload_bytes.reduce((sum, octets) => sum + octets, 0);
    this.way = held.way || (loaded("s2c") > loaded("c2s") ? "s2c" : "c2s");
    this.whole = this.extent();
    this.now = [...this.whole];
    box.replaceChildren(this.tools(), (this.canvases = made("div", { class: "plots" })));
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", `Graphs of ${this.name}. Keys: plus and minus zoom, arrows move, 0 shows all.`);
    box.addEventListener("keydown", (event) => this.key(event));
    box.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    new ResizeObserver(() => this.fit()).observe(box);
    GROUPS.push(this);
    this.draw();
  }

  extent() {
    let [first, last] = [Infinity, -Infinity];
    for (const { time } of Object.values(this.ways)) {
      if (!time.length) continue;
      first = Math.min(first, time[0]);
      last = Math.max(last, time[time.length - 1]);
    }
    const room = (last - first || 1e-6) * 0.01;
    return [first - room, last + room];
  }

  tools() {
    const { ends } = this.held;
    const choice = made("fieldset", { class: "ways" }, made("legend", {}, "Data sent by"));
    for (const [way, name] of [["c2s", "client"], ["s2c", "server"]]) {
      const input = made("input", { type: "radio", name: `way of ${this.name}`, value: way });
      input.checked = way === this.way;
      input.addEventListener("change", () => ((this.way = way), this.draw()));
      choice.append(made("label", {}, input, ` ${name} ${ends[way]}`));
    }
    const zoom = made("div", { class: "zoom", role: "group", "aria-label": "Zoom" });
    for (const [sign, about, act] of [
      ["+", "Zoom in", () => this.zoom(0.5)],
      ["−", "Zoom out", () => this.zoom(2)],
      ["←", "Move left", () => this.move(-0.25)],
      ["→", "Move right", () => this.move(0.25)],
      ["All", "Show all", () => this.show(...this.whole)],
    ]) {
      const button = made("button", { type: "button", "aria-label": about, title: about }, sign);
      button.addEventListener("click", act);
      zoom.append(button);
    }
    const help = made("p", { class: "help" }, "Drag across a graph to zoom in, double-click for all; Ctrl and the wheel zoom; with the graphs in focus + − ← → 0 do. A click on a name below a graph hides what it names.");
    return made("div", { class: "tools" }, choice, zoom, help);
  }

  draw() {
    for (const { u } of this.plots) u.destroy();
    this.plots = [];
    this.canvases.replaceChildren();
    const [sent, answers] = [this.ways[this.way], this.ways[this.way === "c2s" ? "s2c" : "c2s"]];
    for (const kind of this.kinds) {
      const graph = GRAPHS[kind], shown = graph.of(sent, answers, this.held);
      const from = this.way === "c2s" ? "client to server" : "server to client";
      const told = this.told(graph, shown, from);
      const figure = made("figure", { class: "graph", "data-kind": kind, "data-points": shown.x.length });
      figure.append(made("figcaption", {}, made("strong", {}, graph.title), ` ${graph.unit}`));
      this.canvases.append(figure);
      if (!shown.x.length || !shown.series.length) {
        figure.append(made("p", { class: "help" }, "nothing to show"));
        continue;
      }
      const canvas = made("div", { role: "img", "aria-label": told });
      figure.append(canvas);
      const u = plot(graph, shown, this, canvas);
      const legend = u.root.querySelector(".u-legend");
      figure.append(legend);
      for (const label of [...legend.querySelectorAll(".u-label")].slice(1)) switchable(label);
      u.over.addEventListener("dblclick", (event) => (event.stopImmediatePropagation(), this.show(...this.whole)), true);
      this.plots.push({ u, graph, shown, canvas, figure });
    }
    Object.assign(this.box.dataset, { from: this.now[0], to: this.now[1] });
    queueMicrotask(() => (this.box.dataset.ready = this.way)); // behind those in which uPlot draws
  }

  told(graph, shown, from) {
    const parts = shown.series.map(({ label, values }) => {
      let [number, least, most] = [0, Infinity, -Infinity];
      for (let i = 0; i < values.length; i++) {
        const value = values[i];
        if (Number.isNaN(value)) continue;
        number++;
        if (value < least) least = value;
        if (value > most) most = value;
      }
      return `${label}: ${number.toLocaleString("en")} values` + (number ? ` from ${graph.format(least)} to ${graph.format(most)}` : "");
    });
    return `${graph.title}, ${from}. ${parts.join("; ")}.`;
  }

  // One graph was zoomed: the others go along.
  follow(u) {
    const { min, max } = u.scales.x;
    if (this.following || min == null || !this.plots.length) return;
    if (min !== this.now[0] || max !== this.now[1]) this.show(min, max);
  }

  show(from, to) {
    this.following = true;
    this.now = [from, to];
    for (const { u, shown, graph } of this.plots) {
      const [min, max] = heights(u, shown, graph, from, to);
      u.batch(() => (u.setScale("x", { min: from, max: to }), u.setScale("y", { min, max })));
    }
    queueMicrotask(() => (this.following = false));
    Object.assign(this.box.dataset, { from, to });
  }

  zoom(factor, middle = (this.now[0] + this.now[1]) / 2) {
    const [from, to] = this.now.map((edge) => middle + (edge - middle) * factor);
    if (to - from > this.whole[1] - this.whole[0]) this.show(...this.whole);
    else if (to - from > 1e-8) this.show(from, to);
  }

  move(part) {
    const by = (this.now[1] - this.now[0]) * part;
    this.show(this.now[0] + by, this.now[1] + by);
  }

  key(event) {
    if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2),
      ArrowLeft: () => this.move(-0.25), ArrowRight: () => this.move(0.25),
      0: () => this.show(...this.whole), Home: () => this.show(...this.whole),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  wheel(event) {
    const plotted = this.plots.find(({ u }) => u.over.contains(event.target));
    if (!plotted || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    const { u } = plotted, at = u.posToVal(event.clientX - u.over.getBoundingClientRect().left, "x");
    this.zoom(event.deltaY < 0 ? 0.8 : 1.25, at);
  }

  // The segments around a frame; true if it is there.
  find(frame) {
    for (const way of ["c2s", "s2c"]) {
      const at = this.ways[way].frame.indexOf(frame);
      if (at < 0) continue;
      const { time } = this.ways[way];
      const near = [time[Math.max(at - 12, 0)], time[Math.min(at + 12, time.length - 1)]];
      const reach = Math.max(time[at] - near[0], near[1] - time[at], (this.whole[1] - this.whole[0]) / 500);
      this.found = time[at];
      this.show(time[at] - reach, time[at] + reach);
      return true;
    }
    return false;
  }

  fit() {
    for (const { u, canvas, graph } of this.plots) {
      if (canvas.clientWidth && Math.abs(canvas.clientWidth - u.width) > 1) u.setSize({ width: canvas.clientWidth, height: graph.height || 170 });
    }
  }

  redraw() {
    for (const { u, shown, figure } of this.plots) {
      const markers = [...figure.querySelectorAll(".u-marker")].slice(-shown.series.length);
      shown.series.forEach((series, i) => {
        if (markers[i]) markers[i].style.background = markers[i].style.borderColor = colour(series.colour);
      });
      u.redraw(false, true);
    }
  }
}

function coloursChanged() {
  for (const name of Object.keys(COLOUR)) delete COLOUR[name];
  for (const group of GROUPS) group.redraw();
}
for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", coloursChanged);

async function drawn(box, kinds) {
  if (box.dataset.begun) return box.group;
  box.dataset.begun = "yes";
  const held = JSON.parse(document.getElementById(box.dataset.series).textContent);
  box.group = new Group(box, held, await unpacked(held), kinds);
  return box.group;
}
