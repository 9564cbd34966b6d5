// The side panel: channels with their histograms, objects with their colours, what was drawn, and the keys.

/** A histogram under which two handles set the window; dragging changes the picture at once. */
function contrastControl(channel, onInput, onChange) {
  const W = 208, H = 46;
  const canvas = h("canvas", { width: W * 2, height: H * 2, class: "mnb-hist", tabIndex: 0, role: "slider",
    "aria-label": `contrast of ${channel.name}`, title: "drag black and white; double-click to reset" });
  const first = [...channel.window];
  const text = () => canvas.setAttribute("aria-valuetext", `${said(channel.window[0])} to ${said(channel.window[1])}`);
  const reach = () => {
    const [low, high] = channel.bounds;
    return [Math.min(low, channel.window[0]), Math.max(high, channel.window[1])];
  };
  const toX = (v) => { const [a, b] = reach(); return ((v - a) / (b - a)) * (W - 8) + 4; };
  const toV = (x) => { const [a, b] = reach(); return a + ((x - 4) / (W - 8)) * (b - a); };
  function paint() {
    const pen = canvas.getContext("2d");
    pen.setTransform(2, 0, 0, 2, 0, 0);
    pen.clearRect(0, 0, W, H);
    const bars = channel.histogram ?? [];
    const x0 = toX(channel.bounds[0]), x1 = toX(channel.bounds[1]);
    pen.fillStyle = channel.color === "#ffffff" ? "#9aa4ad" : channel.color;
    pen.globalAlpha = 0.75;
    bars.forEach((b, k) => pen.fillRect(x0 + (k * (x1 - x0)) / bars.length, H - 4 - b * (H - 10), Math.max((x1 - x0) / bars.length - 0.4, 0.6), b * (H - 10)));
    pen.globalAlpha = 1;
    const ink = getComputedStyle(canvas).color;
    pen.strokeStyle = ink; pen.fillStyle = ink; pen.lineWidth = 1.4;
    const [a, b] = channel.window.map(toX);
    pen.beginPath();
    for (let k = 0; k <= 24; k++) {
      const share = k / 24;
      pen.lineTo(a + share * (b - a), H - 4 - (H - 10) * share ** channel.gamma);
    }
    pen.stroke();
    for (const x of [a, b]) { pen.fillRect(x - 1, 2, 2, H - 4); pen.beginPath(); pen.arc(x, H - 5, 4, 0, 7); pen.fill(); }
    text();
  }
  let hold = null;
  const set = (k, v) => {
    const [a, b] = channel.window;
    const least = (reach()[1] - reach()[0]) / 400;
    channel.window = k === 0 ? [Math.min(v, b - least), b] : [a, Math.max(v, a + least)];
    paint();
    onInput();
  };
  canvas.addEventListener("pointerdown", (e) => {
    const x = e.offsetX;
    hold = Math.abs(x - toX(channel.window[0])) < Math.abs(x - toX(channel.window[1])) ? 0 : 1;
    canvas.setPointerCapture(e.pointerId);
    set(hold, toV(x));
  });
  canvas.addEventListener("pointermove", (e) => hold !== null && set(hold, toV(e.offsetX)));
  canvas.addEventListener("pointerup", () => { hold = null; onChange(); });
  canvas.addEventListener("dblclick", () => { channel.window = [...first]; paint(); onInput(); onChange(); });
  canvas.addEventListener("keydown", (e) => {
    const step = (reach()[1] - reach()[0]) / 100;
    const move = { ArrowLeft: [1, -step], ArrowRight: [1, step], ArrowDown: [0, -step], ArrowUp: [0, step] }[e.key];
    if (!move) return;
    e.preventDefault();
    e.stopPropagation();
    set(move[0], channel.window[move[0]] + move[1]);
    onChange();
  });
  canvas.repaint = paint;
  requestAnimationFrame(paint);
  return canvas;
}

class Panel {
  constructor(view) {
    this.view = view;
    this.channels = h("div");
    this.objects = h("div");
    this.drawn = h("div");
    this.el = h("aside", { class: "mnb-panel", "aria-label": "channels, objects and drawings" }, this.channels, this.objects, this.drawn, this.keys());
  }

  section(title, ...rest) {
    return h("h4", {}, title, ...rest);
  }

  showChannels() {
    const { view } = this;
    const rows = view.info.channels.map((channel, k) => {
      const body = h("div", { class: "mnb-channel" });
      const fill = () => {
        body.replaceChildren();
        if (!channel.visible || !channel.window) return;
        this.hist ??= [];
        const hist = contrastControl(channel, () => view.recolor(), () => view.contrastSet(k));
        const gamma = h("input", { type: "range", min: -1, max: 1, step: 0.02, value: -Math.log2(channel.gamma) / 2, "aria-label": `gamma of ${channel.name}`,
          title: "gamma",
          oninput: () => { channel.gamma = 2 ** (-2 * Number(gamma.value)); out.textContent = channel.gamma.toFixed(2); hist.repaint(); view.recolor(); },
          onchange: () => view.tellChannel(k) });
        const out = h("output", {}, channel.gamma.toFixed(2));
        body.append(hist, h("label", { class: "mnb-line" }, "γ", gamma, out));
      };
      const eye = h("input", { type: "checkbox", checked: channel.visible, "aria-label": `show ${channel.name}`,
        onchange: () => { channel.visible = eye.checked; view.channelShown(k); fill(); } });
      const color = view.info.rgb ? null : h("input", { type: "color", value: channel.color, "aria-label": `colour of ${channel.name}`,
        oninput: () => { channel.color = color.value; view.recolor(); fill(); }, onchange: () => view.tellChannel(k) });
      channel.refill = () => { eye.checked = channel.visible; if (color) color.value = channel.color; fill(); };
      fill();
      return h("div", {}, h("div", { class: "mnb-line" }, h("label", { class: "mnb-name", title: channel.name }, eye, h("span", {}, channel.name)), color), body);
    });
    this.channels.replaceChildren(this.section(view.info.rgb ? "Colour" : "Channels"), ...rows);
  }

  showObjects() {
    const { view } = this;
    const parts = [];
    for (const map of view.maps.values()) {
      const tell = () => view.send({ type: "map", id: map.id, opacity: map.opacity, visible: map.visible });
      const eye = h("input", { type: "checkbox", checked: map.visible, "aria-label": `show ${map.id}`,
        onchange: () => { map.visible = eye.checked; tell(); view.refresh(); } });
      const opacity = h("input", { type: "range", min: 0, max: 1, step: 0.05, value: map.opacity, "aria-label": `opacity of ${map.id}`,
        oninput: () => { map.opacity = Number(opacity.value); view.refresh(); }, onchange: tell });
      parts.push(h("h4", {}, h("label", { class: "mnb-name" }, eye, h("span", { title: map.id }, map.id))), h("label", { class: "mnb-line" }, "opacity", opacity),
        h("div", { class: "mnb-ramp" }), h("div", { class: "mnb-line mnb-soft" }, h("span", {}, said(map.window[0])), h("span", {}, said(map.window[1]))));
    }
    for (const layer of view.layers.values()) {
      const tell = () => view.send({ type: "layer", layer: layer.id, opacity: layer.opacity, contour: layer.contour, visible: layer.visible });
      const eye = h("input", { type: "checkbox", checked: layer.visible, "aria-label": "show objects",
        onchange: () => { layer.visible = eye.checked; tell(); view.refresh(); } });
      const title = layer.id === "answer" ? `Of the answer: ${layer.rows.toLocaleString("en-US")}` : `Objects: ${layer.rows.toLocaleString("en-US")}`;
      parts.push(h("h4", {}, h("label", { class: "mnb-name" }, eye, h("span", {}, title))));
      if (layer.labels) {
        const fill = h("input", { type: "range", min: 0, max: 1, step: 0.05, value: layer.opacity, "aria-label": "opacity of the fill",
          oninput: () => { layer.opacity = Number(fill.value); view.repaintLayer(layer); }, onchange: tell });
        const line = h("input", { type: "checkbox", checked: layer.contour,
          onchange: () => { layer.contour = line.checked; tell(); view.repaintLayer(layer); } });
        parts.push(h("label", { class: "mnb-line" }, "fill", fill), h("label", { class: "mnb-line" }, h("span", {}, line, " contour")));
      }
      const by = h("select", { "aria-label": "colour by", onchange: () => view.send({ type: "color", layer: layer.id, by: by.value || null }) },
        h("option", { value: "" }, "one colour"), layer.columns.map((c) => h("option", { value: c, selected: c === layer.by }, c)));
      parts.push(h("label", { class: "mnb-line" }, "colour by", by));
      if (layer.scale) parts.push(h("div", { class: "mnb-ramp" }), h("div", { class: "mnb-line mnb-soft" }, h("span", {}, said(layer.scale[0])), h("span", {}, said(layer.scale[1]))));
      for (const [text, color, n] of layer.keys) {
        const dot = h("i", { class: "mnb-dot" });
        dot.style.background = color;
        parts.push(h("div", { class: "mnb-key" }, dot, h("span", { title: text }, text), h("span", { class: "mnb-soft" }, n.toLocaleString("en-US"))));
      }
      if (layer.id === "objects") parts.push(this.corrections(layer));
    }
    this.objects.replaceChildren(...parts);
  }

  corrections(layer) {
    const { view } = this;
    const n = layer.selected.size;
    const box = h("div", { class: "mnb-correct" }, h("div", { class: "mnb-soft" }, n ? `${n.toLocaleString("en-US")} selected` : "click an object to select it, Shift adds"));
    if (!layer.editable) return box;
    const act = (text, what, enabled, title) => h("button", { type: "button", class: "mnb-t", disabled: !enabled, title,
      onclick: () => view.correct(what) }, text);
    const shape = view.drawings.shapes.get(view.drawings.chosen);
    const area = shape && (shape.kind === "polygon" || shape.kind === "box"), line = shape && shape.kind === "line";
    box.append(h("div", { class: "mnb-acts" },
      act("delete", "delete", n > 0, "take the selected objects away"),
      act("merge", "merge", n > 1, "make one of the selected objects"),
      act(line ? "cut along line" : "split", "split", n === 1, "cut the selected object: along the chosen line, else at its waist"),
      act("add drawn", "add", area, "make an object of the chosen polygon or box"),
      act("rename", "rename", n > 0, "give the selected objects another name"),
      act("undo", "undo", layer.undo, "take the last correction back")));
    if (view.renaming) {
      const name = h("input", { type: "text", placeholder: "new name", "aria-label": "new name", class: "mnb-text",
        onkeydown: (e) => {
          if (e.key === "Enter" && name.value.trim()) { view.renaming = false; view.send({ type: "correct", what: "rename", name: name.value }); }
          if (e.key === "Escape") { view.renaming = false; this.showObjects(); }
        } });
      box.append(name);
      setTimeout(() => name.focus());
    }
    return box;
  }

  showDrawn() {
    const { view } = this;
    const shapes = [...view.drawings.shapes.values()];
    const rows = shapes.slice(-200).map((shape) => {
      const name = h("input", { type: "text", class: "mnb-text", value: shape.name, "aria-label": "name of the region",
        onfocus: () => { view.drawings.chosen = shape.id; view.top(); },
        onchange: () => { shape.name = name.value.slice(0, 120); view.drawings.put(shape); view.top(); } });
      return h("div", { class: shape.id === view.drawings.chosen ? "mnb-row mnb-chosen" : "mnb-row" },
        button(shape.kind, `go to ${shape.name}`, () => { view.drawings.chosen = shape.id; view.goShape(shape); }),
        name, h("span", { class: "mnb-soft" }, view.sizeOf(shape)),
        button("bin", `delete ${shape.name}`, () => { view.drawings.remove(shape.id); this.showDrawn(); view.top(); }));
    });
    const save = shapes.length ? h("div", { class: "mnb-acts" },
      h("button", { type: "button", class: "mnb-t", onclick: () => view.send({ type: "export", form: "geojson" }) }, "save GeoJSON"),
      h("button", { type: "button", class: "mnb-t", onclick: () => view.send({ type: "export", form: "roi" }) }, "save ImageJ ROIs")) : null;
    const more = shapes.length > 200 ? h("div", { class: "mnb-soft" }, `and ${shapes.length - 200} more`) : null;
    this.drawn.replaceChildren(...(shapes.length ? [this.section(`Drawn: ${shapes.length}`), more, ...rows, save].filter(Boolean) : []));
    this.showObjects();
  }

  keys() {
    const told = [["drag, arrows", "move"], ["wheel, + −", "zoom"], ["0", "whole image"], ["1–9", "channels on, off"], ["[ ]", "z"], [", .", "t"],
      ["b p l o", "box, polygon, line, point"], ["s", "lasso objects"], ["Enter", "finish"], ["Esc", "cancel, clear"], ["Delete", "delete what is chosen"], ["Ctrl Z", "undo a correction"]];
    return h("details", { class: "mnb-keys" }, h("summary", {}, "keys"), h("dl", {}, told.flatMap(([k, what]) => [h("dt", {}, k), h("dd", {}, what)])));
  }
}
