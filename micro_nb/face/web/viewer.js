// The view of an image: what is in sight, which tiles that needs, and how a person moves about in it. The kernel holds the data;
// this side asks for tiles and rows, and tells what was drawn and chosen.

const DEEPEST = 48; // screen pixels for one pixel of the image

class View {
  constructor(model, el) {
    this.model = model;
    this.layers = new Map();
    this.maps = new Map(); // values over the picture
    this.center = [0, 0]; // y, x in px of level 0
    this.zoom = 0; // screen (CSS) pixels for a pixel of level 0
    this.tool = "move";
    this.pointers = new Map();
    this.cleanups = [];
    this.drawings = new Drawings((m) => this.send(m));
    this.tiles = new Tiles((m) => this.send(m), (text) => { if (text) this.note(text); this.refresh(); });
    this.el = el;
    this.build(el);
    const heard = (message, buffers) => this.heard(message, buffers);
    model.on("msg:custom", heard);
    this.cleanups.push(() => model.off("msg:custom", heard));
    this.send({ type: "hello" });
    const watchdog = setInterval(() => {
      if (performance.now() - (this.tiles.heardAt ?? Infinity) > 20000) this.note("The kernel does not answer. Where it was restarted, run the cell again.");
    }, 5000);
    this.cleanups.push(() => clearInterval(watchdog));
    this.root.mnb = this; // for tests and curious people
  }

  send(message) {
    this.model.send(message);
  }

  build(el) {
    this.base = h("canvas", { class: "mnb-base" });
    this.over = h("canvas", { class: "mnb-top" });
    this.mini = h("canvas", { class: "mnb-mini", "aria-hidden": "true" });
    this.scaleText = h("span");
    this.scaleBar = h("i");
    this.tip = h("div", { class: "mnb-tip", hidden: true });
    this.notice = h("div", { class: "mnb-note", role: "status", hidden: true });
    this.hint = h("div", { class: "mnb-hint", hidden: true });
    this.stage = h("div", { class: "mnb-stage", tabIndex: 0, role: "application", "data-tool": "move",
      "aria-label": "image; arrows move, plus and minus zoom, 0 shows the whole image" },
      this.base, this.over, this.mini, h("div", { class: "mnb-scale" }, this.scaleText, this.scaleBar), this.tip, this.hint, this.notice);
    this.stage.style.height = `${this.model.get("_height") ?? 480}px`;
    this.panel = new Panel(this);
    this.panel.el.style.height = this.stage.style.height;
    this.planes = h("div", { class: "mnb-planes" });
    this.where = h("span");
    this.values = h("span");
    this.level = h("span");
    this.toolButtons = {};
    const tool = (name, title) => (this.toolButtons[name] = button(name, title, () => this.useTool(name), { "aria-pressed": name === "move" }));
    this.title = h("span", { class: "mnb-title" });
    const toggle = button("layers", "channels, objects and drawings", () => {
      this.panel.el.hidden = !this.panel.el.hidden;
      this.panel.el.style.display = this.panel.el.hidden ? "none" : "";
      toggle.setAttribute("aria-pressed", String(!this.panel.el.hidden));
      this.resized();
    }, { "aria-pressed": "true" });
    if (this.model.get("_panel") === false) {
      this.panel.el.hidden = true;
      this.panel.el.style.display = "none";
      toggle.setAttribute("aria-pressed", "false");
    }
    const bar = h("div", { class: "mnb-bar", role: "toolbar", "aria-label": "tools" },
      tool("move", "move and select"), tool("lasso", "select objects with a lasso (s)"), h("span", { class: "mnb-gap" }),
      tool("box", "draw a box (b)"), tool("polygon", "draw a polygon (p)"), tool("line", "draw a line (l)"), tool("point", "draw a point (o)"),
      h("span", { class: "mnb-gap" }),
      button("plus", "zoom in (+)", () => this.zoomBy(1.6)), button("minus", "zoom out (−)", () => this.zoomBy(1 / 1.6)), button("fit", "whole image (0)", () => this.fit()),
      h("span", { class: "mnb-gap" }), button("save", "save this view as PNG", () => this.send({ type: "export", form: "png" })), this.title, toggle);
    this.root = h("div", { class: "mnb-root", hidden: true, role: "group", "aria-label": "viewer" },
      bar, h("div", { class: "mnb-main" }, this.stage, this.panel.el), this.planes, h("div", { class: "mnb-status" }, this.where, this.values, this.level));
    ownKeys(this.root);
    el.append(this.root);
    this.listen();
    const watch = new ResizeObserver(() => this.resized());
    watch.observe(this.stage);
    this.cleanups.push(() => watch.disconnect());
  }

  // -- messages of the kernel --------------------------------------------------------------------------------------------

  heard(message, buffers) {
    const act = {
      info: () => this.begin(message), tile: () => this.tiles.ended(message, buffers), layer: () => this.lay(message, buffers),
      map: () => this.layMap(message, buffers), unmap: () => { this.maps.clear(); this.panel.showObjects(); this.refresh(); },
      unlay: () => { this.layers.delete(message.id); this.panel.showObjects(); this.refresh(); },
      selected: () => this.chosen(message.layer, new Uint32Array(bytesOf(buffers[0]).slice().buffer)),
      drawings: () => { this.drawings.set(message.shapes); if (this.info) this.panel.showDrawn(); this.top(); },
      values: () => this.showValues(message), facts: () => this.showFacts(message), go: () => this.go(message),
      channel: () => this.channelTold(message), plane: () => this.planeTold(message), link: () => this.join(message.group),
      notice: () => this.note(message.text), file: () => download(message.name, bytesOf(buffers[0])),
    }[message.type];
    if (act && (this.info || ["info", "layer", "map", "drawings"].includes(message.type))) act();
  }

  begin(info) {
    this.info = info;
    [this.h, this.w] = info.shape;
    this.plane = { t: info.t, z: info.z };
    this.loaded = info.channels.flatMap((c, k) => (c.visible ? [k] : []));
    this.title.textContent = info.name;
    this.title.title = info.name;
    this.stage.classList.toggle("mnb-bright", info.rgb);
    this.root.hidden = false;
    this.restore ??= hideStill(info.still);
    this.panel.showChannels();
    this.panel.showDrawn();
    this.showPlanes();
    this.version = 0;
    this.resized();
    if (info.view) this.go(info.view); else this.fit();
    if (info.group) this.join(info.group);
  }

  lay(message, buffers) {
    const [colors, selected] = buffers.map(bytesOf);
    const before = this.layers.get(message.id);
    if (before && before.version !== message.version) this.tiles.forget(`l:${message.id}:`);
    this.layers.set(message.id, { ...message, colors: new Uint8Array(colors), selected: new Set(new Uint32Array(selected.slice().buffer)), painted: (before?.painted ?? 0) + 1 });
    this.hovered = null;
    if (!this.info) return;
    this.panel.showObjects();
    this.refresh();
  }

  layMap(message, buffers) {
    const [grid, ramp] = buffers.map(bytesOf);
    const map = { ...message, grid: new Float32Array(grid.slice().buffer) };
    map.canvas = paintedMap(map, ramp);
    this.maps.set(map.id, map);
    if (!this.info) return;
    this.panel.showObjects();
    this.refresh();
  }

  chosen(id, rows) {
    const layer = this.layers.get(id);
    if (!layer) return;
    layer.selected = new Set(rows);
    this.renaming = false;
    this.repaintLayer(layer);
    this.panel.showObjects();
  }

  note(text) {
    this.notice.textContent = text;
    this.notice.hidden = false;
    clearTimeout(this.noteTimer);
    this.noteTimer = setTimeout(() => { this.notice.hidden = true; }, 6000);
  }

  // -- place and zoom ----------------------------------------------------------------------------------------------------

  resized() {
    if (!this.info) return;
    const dense = Math.min(window.devicePixelRatio || 1, 2);
    const width = this.stage.clientWidth, height = this.stage.clientHeight;
    if (!width || !height) return;
    Object.assign(this, { width, height, dense });
    for (const canvas of [this.base, this.over]) {
      canvas.width = Math.round(width * dense);
      canvas.height = Math.round(height * dense);
    }
    const most = Math.min(150, width / 4) / Math.max(this.w, this.h * 1.2);
    this.miniScale = most;
    this.mini.width = Math.max(Math.round(this.w * most), 8);
    this.mini.height = Math.max(Math.round(this.h * most), 8);
    if (!this.zoom || this.pendingFit || this.fitted) {
      this.pendingFit = false;
      if (this.wanted) this.go(this.wanted); else this.fit();
    }
    this.refresh();
  }

  get least() {
    return Math.min(this.width / this.w, this.height / this.h);
  }

  fit() {
    if (!this.width) { this.pendingFit = true; return; }
    this.move([this.h / 2, this.w / 2], this.least * 0.98);
    this.fitted = true;
  }

  go({ y0, x0, y1, x1 }) {
    if (!this.width) { this.wanted = { y0, x0, y1, x1 }; this.pendingFit = true; return; }
    this.wanted = null;
    this.move([(y0 + y1) / 2, (x0 + x1) / 2], Math.min(this.width / (x1 - x0), this.height / (y1 - y0)));
  }

  goShape(shape) {
    const ys = shape.points.map((p) => p[0]), xs = shape.points.map((p) => p[1]);
    const pad = Math.max(Math.max(...ys) - Math.min(...ys), Math.max(...xs) - Math.min(...xs), 40) * 0.3;
    this.go({ y0: Math.min(...ys) - pad, x0: Math.min(...xs) - pad, y1: Math.max(...ys) + pad, x1: Math.max(...xs) + pad });
    this.panel.showDrawn();
  }

  /** Shows a place; tells the kernel once it rests, and linked viewers at once. */
  move(center, zoom, told = false) {
    this.fitted = false;
    this.zoom = clamp(zoom, this.least * 0.4, DEEPEST);
    this.center = [clamp(center[0], 0, this.h), clamp(center[1], 0, this.w)];
    this.refresh();
    clearTimeout(this.restTimer);
    this.restTimer = setTimeout(() => {
      const [y0, x0] = this.toImage(0, 0), [y1, x1] = this.toImage(this.width, this.height);
      this.send({ type: "display", view: { y0, x0, y1, x1 } });
    }, 250);
    if (!told) this.share();
  }

  zoomBy(factor, sx = this.width / 2, sy = this.height / 2) {
    const [y, x] = this.toImage(sx, sy);
    const zoom = clamp(this.zoom * factor, this.least * 0.4, DEEPEST);
    this.move([y - (sy - this.height / 2) / zoom, x - (sx - this.width / 2) / zoom], zoom);
  }

  toImage(sx, sy) {
    return [this.center[0] + (sy - this.height / 2) / this.zoom, this.center[1] + (sx - this.width / 2) / this.zoom];
  }

  toScreen([y, x]) {
    return [(x - this.center[1]) * this.zoom + this.width / 2, (y - this.center[0]) * this.zoom + this.height / 2];
  }

  join(group) {
    this.leave?.();
    const hub = (globalThis.micro_nb_links ??= new EventTarget());
    const um = group.startsWith("um") ? this.info.um : [1, 1];
    const hear = ({ detail }) => {
      if (detail.from === this || !this.width) return;
      for (const axis of ["t", "z"]) if (this.info.sizes[axis] > 1 && detail[axis] < this.info.sizes[axis]) this.plane[axis] = detail[axis];
      this.showPlanes();
      this.move([detail.y / um[0], detail.x / um[1]], detail.zoom * um[0], true);
    };
    hub.addEventListener(group, hear);
    this.share = () => hub.dispatchEvent(new CustomEvent(group, { detail: { from: this, y: this.center[0] * um[0], x: this.center[1] * um[1], zoom: this.zoom / um[0], ...this.plane } }));
    this.leave = () => hub.removeEventListener(group, hear);
    this.cleanups.push(this.leave);
  }

  share() {}

  // -- channels and planes -----------------------------------------------------------------------------------------------

  get spec() {
    const { channels } = this.info;
    return { ...this.plane, channels: this.loaded, ranges: this.loaded.map((k) => channels[k].range) };
  }

  /** Colours the tiles anew; nothing is asked for. */
  recolor() {
    this.version += 1;
    this.refresh();
  }

  channelShown(k) {
    const { channels } = this.info;
    if (channels[k].visible && !channels[k].described) this.send({ type: "describe", k });
    else if (!this.loaded.includes(k) && channels[k].visible) this.loaded = channels.flatMap((c, i) => (c.visible && c.described ? [i] : []));
    this.tellChannel(k);
    this.recolor();
  }

  channelTold(message) {
    const { type, k, ...told } = message;
    Object.assign(this.info.channels[k], told);
    if (told.visible && !this.loaded.includes(k)) this.loaded = this.info.channels.flatMap((c, i) => (c.visible && c.described ? [i] : []));
    this.info.channels[k].refill?.();
    this.recolor();
  }

  /** After a change of contrast: what was sent may not reach as far, or not be fine enough. */
  contrastSet(k) {
    const channel = this.info.channels[k];
    const [low, high] = channel.window, [a, b] = channel.range;
    if (!this.info.rgb && !(a === 0 && b === 255) && (low < a - 1e-9 || high > b + 1e-9 || high - low < 0.1 * (b - a)))
      channel.range = [low - 0.5 * (high - low), high + 0.8 * (high - low)];
    this.tellChannel(k);
    this.refresh();
  }

  tellChannel(k) {
    const { window, color, gamma, visible } = this.info.channels[k];
    this.send({ type: "display", channels: { [k]: { ...(window ? { window } : {}), color, gamma, visible } } });
  }

  planeTold({ t, z }) {
    Object.assign(this.plane, { t, z });
    this.showPlanes();
    this.refresh();
  }

  setPlane(axis, k) {
    this.plane[axis] = k;
    this.send({ type: "display", ...this.plane });
    this.showPlanes();
    this.refresh();
    this.share();
  }

  showPlanes() {
    const { sizes } = this.info;
    const rows = [];
    for (const axis of ["t", "z"]) {
      if (sizes[axis] < 2) continue;
      const k = this.plane[axis];
      const slider = h("input", { type: "range", min: 0, max: sizes[axis] - 1, value: Math.max(k, 0), disabled: k < 0, "aria-label": axis,
        oninput: () => { this.plane[axis] = Number(slider.value); out.textContent = `${Number(slider.value) + 1} of ${sizes[axis]}`; this.refresh(); this.share(); },
        onchange: () => this.setPlane(axis, Number(slider.value)) });
      const out = h("span", { class: "mnb-soft" }, k < 0 ? "brightest" : `${k + 1} of ${sizes[axis]}`);
      rows.push(h("label", {}, axis, slider, out));
      if (axis === "z") {
        const max = h("input", { type: "checkbox", checked: k < 0, onchange: () => this.setPlane("z", max.checked ? -1 : Math.floor(sizes.z / 2)) });
        rows.push(h("label", { class: "mnb-max" }, max, "max projection"));
      }
    }
    this.planes.replaceChildren(...rows);
  }

  // -- drawing -----------------------------------------------------------------------------------------------------------

  refresh() {
    if (this.frame || !this.info || !this.zoom) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
      this.top();
    });
  }

  /** Tiles of step k in sight, nearest to the middle first. */
  inSight(k) {
    const edge = this.info.tile * 2 ** k;
    const [top, left] = this.toImage(0, 0), [bottom, right] = this.toImage(this.width, this.height);
    const rows = [Math.max(Math.floor(top / edge), 0), Math.min(Math.ceil(bottom / edge), Math.ceil(this.h / edge))];
    const cols = [Math.max(Math.floor(left / edge), 0), Math.min(Math.ceil(right / edge), Math.ceil(this.w / edge))];
    const found = [];
    for (let row = rows[0]; row < rows[1]; row++) for (let col = cols[0]; col < cols[1]; col++) found.push({ k, row, col });
    const far = (t) => Math.hypot((t.row + 0.5) * edge - this.center[0], (t.col + 0.5) * edge - this.center[1]);
    return found.sort((a, b) => far(a) - far(b));
  }

  step() {
    return clamp(Math.round(-Math.log2(this.zoom * this.dense) - 0.15), 0, this.info.steps - 1);
  }

  paint() {
    const { info } = this;
    const pen = this.base.getContext("2d", { alpha: false });
    const spec = this.spec, sig = JSON.stringify(spec), k = this.step(), last = info.steps - 1;
    if (sig !== this.sig) { this.sigBefore = this.sig; this.sig = sig; }
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = info.rgb ? "#d9dcdf" : "#000";
    pen.fillRect(0, 0, this.base.width, this.base.height);
    pen.imageSmoothingEnabled = this.zoom * this.dense < 2.2;
    pen.imageSmoothingQuality = "medium";
    const looks = this.looks(spec);
    const key = (s, t) => `p|${s}|${t.k}|${t.row}|${t.col}`;
    const inSight = new Set([key(sig, { k: last, row: 0, col: 0 })]);
    const target = this.inSight(k);
    const missing = target.filter((t) => !this.tiles.kept.has(key(sig, t)));
    if (missing.length) {
      if (this.sigBefore) this.under(pen, this.sigBefore, k, key, inSight, looks);
      for (let up = last; up > k; up--) this.each(pen, up, sig, key, inSight, looks);
      if (k > 0) this.each(pen, k - 1, sig, key, inSight, looks);
    }
    for (const t of target) {
      inSight.add(key(sig, t));
      this.put(pen, this.tiles.get(key(sig, t)), t, looks);
    }
    this.paintMaps(pen);
    const whole = { k: last, row: 0, col: 0 };
    const wanted = [];
    if (!this.tiles.kept.has(key(sig, whole))) wanted.push({ key: key(sig, whole), layer: "", ...whole });
    wanted.push(...target.map((t) => ({ key: key(sig, t), layer: "", ...t })));
    for (const layer of this.layers.values()) {
      if (!layer.visible) continue;
      const name = (t) => `l:${layer.id}:${layer.version}|${t.k}|${t.row}|${t.col}`;
      const lacking = target.some((t) => !this.tiles.kept.has(name(t)));
      if (lacking) for (const up of [k + 2, k + 1, k - 1]) if (up >= 0 && up <= last) for (const t of this.inSight(up)) this.over_(pen, this.tiles.kept.get(name(t)), t, layer);
      for (const t of target) {
        inSight.add(name(t));
        this.over_(pen, this.tiles.get(name(t)), t, layer);
        wanted.push({ key: name(t), layer: layer.id, ...t });
      }
    }
    this.complete = !wanted.some((w) => !this.tiles.kept.has(w.key));
    clearTimeout(this.askTimer);
    const ask = () => this.tiles.want(wanted, spec);
    const since = performance.now() - (this.askedAt ?? 0); // while one drags, not at every frame
    if (since > 40) { this.askedAt = performance.now(); ask(); } else this.askTimer = setTimeout(() => { this.askedAt = performance.now(); ask(); }, 40 - since);
    this.tiles.trim(inSight);
    this.paintMini(this.tiles.kept.get(key(sig, whole)), looks);
    this.showScale(k);
    if (this.complete) this.root.dispatchEvent(new CustomEvent("mnb-complete"));
  }

  /** Each value over its tile; those of the last row and column are cut where the picture ends. */
  paintMaps(pen) {
    pen.save();
    const [left, top] = this.toScreen([0, 0]).map((v) => v * this.dense), [right, bottom] = this.toScreen([this.h, this.w]).map((v) => v * this.dense);
    pen.beginPath();
    pen.rect(left, top, right - left, bottom - top);
    pen.clip();
    pen.imageSmoothingEnabled = false;
    for (const map of this.maps.values()) {
      if (!map.visible) continue;
      const step = map.tile * this.zoom * this.dense;
      pen.globalAlpha = map.opacity;
      pen.drawImage(map.canvas, left, top, map.shape[1] * step, map.shape[0] * step);
    }
    pen.restore();
  }

  /** What the visible maps say of a place. */
  mapped([y, x]) {
    return [...this.maps.values()].filter((map) => map.visible).map((map) => {
      const row = Math.min(Math.floor(y / map.tile), map.shape[0] - 1), col = Math.min(Math.floor(x / map.tile), map.shape[1] - 1);
      return [map.id, map.grid[row * map.shape[1] + col]];
    });
  }

  looks(spec) {
    const stamp = `${this.version}|${spec.channels}|${JSON.stringify(spec.ranges)}`;
    if (stamp !== this.lookStamp) {
      const { channels } = this.info;
      const linear = (r) => r[0] === 0 && r[1] === 255;
      this.lookTables = spec.channels.map((c, i) => (channels[c].visible && channels[c].window ? lookup(channels[c], spec.ranges[i], linear(spec.ranges[i])) : null));
      this.lookStamp = stamp;
      this.lookCount = (this.lookCount ?? 0) + 1;
    }
    return this.lookTables;
  }

  each(pen, k, sig, key, inSight, looks) {
    for (const t of this.inSight(k)) {
      if (!this.tiles.kept.has(key(sig, t))) continue;
      inSight.add(key(sig, t));
      this.put(pen, this.tiles.get(key(sig, t)), t, looks);
    }
  }

  /** What was seen before stays until the new plane is there. */
  under(pen, sig, k, key, inSight, looks) {
    if (JSON.parse(sig).channels.length !== this.loaded.length) return;
    for (const up of [this.info.steps - 1, k]) this.each(pen, up, sig, key, inSight, looks);
  }

  box(t) {
    const edge = this.info.tile * 2 ** t.k;
    const y0 = t.row * edge, x0 = t.col * edge;
    const [ax, ay] = this.toScreen([y0, x0]), [bx, by] = this.toScreen([Math.min(y0 + edge, this.h), Math.min(x0 + edge, this.w)]);
    const [l, u, r, d] = [ax, ay, bx, by].map((v) => Math.round(v * this.dense));
    return [l, u, Math.max(r - l, 1), Math.max(d - u, 1)];
  }

  put(pen, tile, t, looks) {
    if (!tile) return;
    if (tile.colors !== this.lookCount) {
      colored(tile, planesOf(tile, this.info.rgb, this.loaded.length), looks);
      tile.colors = this.lookCount;
    }
    pen.drawImage(tile.canvas, ...this.box(t));
  }

  over_(pen, tile, t, layer) {
    if (!tile || tile.form === "none") return;
    if (tile.form === "points") return this.dots(pen, tile, layer);
    const fine = tile.form === "ids" ? [1, 2, 4][clamp(Math.floor(Math.log2(this.zoom * this.dense * 2 ** t.k) + 0.3), 0, 2)] : 1;
    if (tile.painted !== layer.painted || tile.fine !== fine || !tile.canvas) {
      if (tile.form === "ids") paintedIds(tile, layer, fine);
      else if (!tile.canvas) paintedDensity(tile, layer);
      tile.painted = layer.painted;
      tile.fine = fine;
    }
    const smooth = pen.imageSmoothingEnabled;
    pen.imageSmoothingEnabled = true;
    pen.drawImage(tile.canvas, ...this.box(t));
    pen.imageSmoothingEnabled = smooth;
  }

  dots(pen, tile, layer) {
    const r = clamp(2.2 * Math.sqrt(this.zoom * 4), 2.2, 6) * this.dense;
    for (let k = 0; k < tile.rows.length; k++) {
      const row = tile.rows[k];
      const [sx, sy] = this.toScreen([tile.xy[2 * k + 1], tile.xy[2 * k]]);
      if (sx < -9 || sy < -9 || sx > this.width + 9 || sy > this.height + 9) continue;
      pen.beginPath();
      pen.arc(sx * this.dense, sy * this.dense, r, 0, 7);
      pen.fillStyle = `rgb(${layer.colors[3 * row]},${layer.colors[3 * row + 1]},${layer.colors[3 * row + 2]})`;
      pen.fill();
      pen.lineWidth = layer.selected.has(row) ? 2.5 * this.dense : this.dense;
      pen.strokeStyle = layer.selected.has(row) ? "#fff" : "#000a";
      pen.stroke();
    }
  }

  repaintLayer(layer) {
    layer.painted += 1;
    this.refresh();
  }

  paintMini(tile, looks) {
    this.mini.style.display = tile && this.zoom > this.least * 1.15 ? "" : "none";
    if (!tile || this.mini.style.display) return;
    if (tile.colors !== this.lookCount) { colored(tile, planesOf(tile, this.info.rgb, this.loaded.length), looks); tile.colors = this.lookCount; }
    const pen = this.mini.getContext("2d");
    pen.drawImage(tile.canvas, 0, 0, this.mini.width, this.mini.height);
    const [y0, x0] = this.toImage(0, 0), [y1, x1] = this.toImage(this.width, this.height);
    const s = this.miniScale;
    pen.lineWidth = 2; pen.strokeStyle = "#000a";
    const box = [clamp(x0 * s, 1, this.mini.width - 4), clamp(y0 * s, 1, this.mini.height - 4)];
    const size = [Math.max(clamp(x1 * s, 0, this.mini.width - 1) - box[0], 3), Math.max(clamp(y1 * s, 0, this.mini.height - 1) - box[1], 3)];
    pen.strokeRect(...box, ...size);
    pen.lineWidth = 1; pen.strokeStyle = "#ffd23f";
    pen.strokeRect(...box, ...size);
  }

  showScale(k) {
    const um = this.info.um?.[1];
    const per = um ?? 1; // unit a pixel
    const length = niceBelow((this.width * 0.16 * per) / this.zoom);
    const [shown, unit] = !um ? [length, "px"] : length >= 1000 ? [length / 1000, "mm"] : length < 1 ? [length * 1000, "nm"] : [length, "µm"];
    this.scaleText.textContent = `${said(shown)} ${unit}`;
    this.scaleBar.style.width = `${(length / per) * this.zoom}px`;
    this.level.textContent = `${said(this.zoom * 100)} %`;
  }

  /** What lies over the picture and changes with the pointer: drawings, the object under it. */
  top() {
    if (!this.info || !this.width) return;
    const pen = this.over.getContext("2d");
    pen.setTransform(this.dense, 0, 0, this.dense, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    if (this.hovered) this.paintHover(pen);
    this.drawings.paint(pen, (p) => this.toScreen(p));
  }

  paintHover(pen) {
    const { layer, row } = this.hovered;
    const k = this.step();
    for (const t of this.inSight(k)) {
      const tile = this.tiles.kept.get(`l:${layer.id}:${layer.version}|${t.k}|${t.row}|${t.col}`);
      if (tile?.form !== "ids") continue;
      const [l, u, w, d] = this.box(t).map((v) => v / this.dense);
      const sx = w / (tile.width - 2), sy = d / (tile.height - 2);
      outlined(pen, tile, row + 1, (x, y) => [l + x * sx, u + y * sy]);
    }
  }

  // -- pointer and keys --------------------------------------------------------------------------------------------------

  listen() {
    const { stage } = this;
    stage.addEventListener("wheel", (e) => {
      e.preventDefault();
      if (!this.info) return;
      const [sx, sy] = this.spot(e);
      const unit = e.deltaMode === 1 ? 30 : e.deltaMode === 2 ? 300 : 1;
      this.zoomBy(Math.exp(clamp(-e.deltaY * unit * (e.ctrlKey ? 0.01 : 0.0016), -1, 1)), sx, sy);
    }, { passive: false });
    stage.addEventListener("pointerdown", (e) => this.down(e));
    stage.addEventListener("pointermove", (e) => this.moved(e));
    stage.addEventListener("pointerup", (e) => this.up(e));
    stage.addEventListener("pointercancel", (e) => { this.pointers.delete(e.pointerId); this.held = null; });
    stage.addEventListener("pointerleave", () => { this.hover(null); this.where.textContent = ""; this.values.textContent = ""; });
    stage.addEventListener("dblclick", (e) => { e.preventDefault(); if (this.drawings.making) this.finish(); });
    stage.addEventListener("keydown", (e) => this.key(e));
  }

  spot(e) {
    const box = this.stage.getBoundingClientRect();
    return [e.clientX - box.left, e.clientY - box.top];
  }

  down(e) {
    if (!this.info || e.button > 1 || e.target.closest?.(".mnb-note")) return;
    this.stage.focus({ preventScroll: true });
    const [sx, sy] = this.spot(e);
    if (e.target === this.mini) return this.miniTo(e);
    this.stage.setPointerCapture(e.pointerId);
    this.pointers.set(e.pointerId, [sx, sy]);
    if (this.pointers.size === 2) {
      const [a, b] = [...this.pointers.values()];
      this.pinch = { apart: Math.hypot(a[0] - b[0], a[1] - b[1]), zoom: this.zoom };
      this.held = null;
      return;
    }
    const place = this.toImage(sx, sy);
    const { drawings } = this;
    this.held = { sx, sy, place, center: [...this.center], moved: false, button: e.button };
    if (this.tool === "move" || e.button === 1) {
      const grip = e.button === 1 ? null : drawings.at(sx, sy, (p) => this.toScreen(p));
      if (grip) {
        const shape = drawings.shapes.get(grip.id);
        this.held.grip = { ...grip, from: place, points: shape.points.map((p) => [...p]) };
        drawings.chosen = grip.id;
        this.panel.showDrawn();
        this.top();
      }
      this.stage.classList.add("mnb-dragging");
    } else if (this.tool === "point") {
      drawings.finish("point", [place]);
      this.done(e);
    } else if (this.tool === "box") {
      drawings.making = { kind: "box", points: [place, place] };
    } else if (this.tool === "lasso") {
      drawings.making = { kind: "polygon", points: [place], lasso: true };
    } else if (!drawings.making) {
      drawings.making = { kind: this.tool, points: [place] };
    } else if (this.tool === "polygon" && drawings.making.points.length > 2 && near(this.toScreen(drawings.making.points[0]), [sx, sy])) {
      this.finish();
    } else {
      drawings.making.points.push(place);
    }
    this.top();
  }

  moved(e) {
    if (!this.info) return;
    const [sx, sy] = this.spot(e);
    if (this.pointers.has(e.pointerId)) this.pointers.set(e.pointerId, [sx, sy]);
    if (this.pinch && this.pointers.size === 2) {
      const [a, b] = [...this.pointers.values()];
      const target = (this.pinch.zoom * Math.hypot(a[0] - b[0], a[1] - b[1])) / (this.pinch.apart || 1);
      return this.zoomBy(target / this.zoom, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
    }
    const place = this.toImage(sx, sy);
    this.probe(place);
    const { held, drawings } = this;
    if (!held) {
      if (this.tool === "move") this.hoverAt(sx, sy, place);
      else if (drawings.making && (this.tool === "polygon" || this.tool === "line")) { this.ahead(place); }
      return;
    }
    if (Math.hypot(sx - held.sx, sy - held.sy) > 4) held.moved = true;
    if (held.grip) {
      if (held.moved) { drawings.drag(held.grip, place); this.top(); }
    } else if (this.tool === "move" || held.button === 1) {
      if (held.moved) this.move([held.center[0] - (sy - held.sy) / this.zoom, held.center[1] - (sx - held.sx) / this.zoom], this.zoom);
    } else if (drawings.making) {
      const { making } = drawings;
      if (making.kind === "box") making.points[1] = place;
      else if (held.moved) { making.free = true; making.points.push(place); }
      this.top();
    }
  }

  /** A line from the last vertex to the pointer, so that one sees what the next click does. */
  ahead(place) {
    const pen = this.over.getContext("2d");
    this.top();
    const [ax, ay] = this.toScreen(this.drawings.making.points.at(-1)), [bx, by] = this.toScreen(place);
    pen.setLineDash([5, 4]);
    pen.beginPath(); pen.moveTo(ax, ay); pen.lineTo(bx, by); pen.lineWidth = 1.5; pen.strokeStyle = INK; pen.stroke();
    pen.setLineDash([]);
  }

  up(e) {
    this.pointers.delete(e.pointerId);
    this.pinch = null;
    this.stage.classList.remove("mnb-dragging");
    const { held, drawings } = this;
    this.held = null;
    if (!held || !this.info) return;
    const { making } = drawings;
    if (held.grip) {
      const shape = drawings.shapes.get(held.grip.id);
      if (shape) drawings.put(shape); // also when only clicked: it is "this" from now on
      this.panel.showDrawn();
    } else if (this.tool === "move" && !held.moved) {
      this.click(held, e);
    } else if (making?.kind === "box") {
      drawings.making = null;
      const [[ya, xa], [yb, xb]] = making.points;
      if (Math.abs(ya - yb) * this.zoom > 3 && Math.abs(xa - xb) * this.zoom > 3) { drawings.finish("box", making.points); this.done(e); }
    } else if (making?.free) {
      if (this.tool === "line") making.points = [making.points[0], making.points.at(-1)];
      this.finish(e);
    }
    this.top();
  }

  finish(e) {
    const { making } = this.drawings;
    this.drawings.making = null;
    if (!making) return;
    let points = making.points;
    if (making.free && making.kind === "polygon") points = simplified(points, 2.5 / this.zoom);
    points = points.filter((p, k) => k === 0 || Math.hypot(p[0] - points[k - 1][0], p[1] - points[k - 1][1]) * this.zoom > 0.8);
    if (points.length >= (making.kind === "polygon" ? 3 : 2)) {
      if (making.lasso) this.send({ type: "within", shape: { kind: "polygon", points }, add: !!e?.shiftKey });
      else this.drawings.finish(making.kind, points);
      this.done(e);
    }
    this.top();
  }

  done(e) {
    if (!e?.shiftKey || this.tool === "lasso") this.useTool("move");
    this.panel.showDrawn();
  }

  click(held, e) {
    const { drawings } = this;
    const had = drawings.chosen;
    drawings.chosen = null;
    const found = this.objectAt(held.sx, held.sy, held.place);
    const layer = this.layers.get("objects");
    if (found && found.layer.id === "objects") this.send({ type: "pick", rows: [found.row], toggle: e.shiftKey || e.ctrlKey || e.metaKey });
    else if (layer?.selected.size && !e.shiftKey) this.send({ type: "pick", rows: [] });
    if (had) { this.panel.showDrawn(); this.send({ type: "unpoint" }); }
    this.top();
  }

  objectAt(sx, sy, [y, x]) {
    if (y < 0 || x < 0 || y >= this.h || x >= this.w) return null;
    for (const layer of [...this.layers.values()].reverse()) {
      if (!layer.visible) continue;
      const k = this.step(), edge = this.info.tile * 2 ** k;
      const t = { k, row: Math.floor(y / edge), col: Math.floor(x / edge) };
      const tile = this.tiles.kept.get(`l:${layer.id}:${layer.version}|${t.k}|${t.row}|${t.col}`);
      if (!tile) continue;
      if (tile.form === "ids") {
        const { ids, width } = idsOf(tile);
        const [l, u, w, d] = this.box(t).map((v) => v / this.dense);
        const tx = Math.floor(((sx - l) / w) * (tile.width - 2)), ty = Math.floor(((sy - u) / d) * (tile.height - 2));
        const id = ids[(ty + 1) * width + tx + 1];
        if (id) return { layer, row: id - 1 };
      } else if (tile.form === "points") {
        let best = 10 / this.zoom, row = -1;
        for (let k2 = 0; k2 < tile.rows.length; k2++) {
          const far = Math.hypot(tile.xy[2 * k2] - x, tile.xy[2 * k2 + 1] - y);
          if (far < best) { best = far; row = tile.rows[k2]; }
        }
        if (row >= 0) return { layer, row };
      }
    }
    return null;
  }

  hoverAt(sx, sy, place) {
    const found = this.objectAt(sx, sy, place);
    this.tipAt = [sx, sy];
    if (found?.row === this.hovered?.row && found?.layer === this.hovered?.layer) { if (!this.tip.hidden) this.placeTip(); return; }
    this.hover(found);
  }

  hover(found) {
    this.hovered = found;
    this.tip.hidden = true;
    clearTimeout(this.factsTimer);
    if (found) this.factsTimer = setTimeout(() => this.send({ type: "facts", layer: found.layer.id, row: found.row }), 60);
    this.top();
  }

  showFacts({ layer, row, facts }) {
    if (this.hovered?.layer.id !== layer || this.hovered.row !== row) return;
    this.tip.replaceChildren(h("dl", {}, facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
    this.tip.hidden = false;
    this.placeTip();
  }

  placeTip() {
    const [sx, sy] = this.tipAt;
    this.tip.style.left = `${sx + 18 + this.tip.offsetWidth > this.width ? Math.max(sx - 14 - this.tip.offsetWidth, 2) : sx + 18}px`;
    this.tip.style.top = `${clamp(sy + 12, 2, Math.max(this.height - this.tip.offsetHeight - 4, 2))}px`;
  }

  /** Place at once; raw values from the kernel, one question at a time. */
  probe([y, x]) {
    const inside = y >= 0 && x >= 0 && y < this.h && x < this.w;
    const place = [Math.floor(y), Math.floor(x)];
    const um = this.info.um;
    this.where.replaceChildren(...(inside ? [h("b", {}, `x ${place[1].toLocaleString("en-US")}  y ${place[0].toLocaleString("en-US")} px`), um ? `   ${said(x * um[1])}, ${said(y * um[0])} µm` : ""] : []));
    if (!inside) { this.values.textContent = ""; return; }
    this.ask = place;
    if (!this.asking) this.askValues();
  }

  askValues() {
    this.asking = true;
    const [y, x] = this.ask;
    this.ask = null;
    this.send({ type: "probe", y, x });
    clearTimeout(this.askingTimer);
    this.askingTimer = setTimeout(() => { this.asking = false; }, 3000);
  }

  showValues({ values, y, x }) {
    this.asking = false;
    const { channels } = this.info;
    const shown = values.map((v, k) => [channels[k], v]).filter(([c]) => c?.visible);
    const told = [...shown.slice(0, 8).map(([c, v]) => [c.name, v]), ...this.mapped([y, x])];
    this.values.replaceChildren(...told.flatMap(([name, v]) => [`${name} `, h("b", {}, said(v)), "   "]));
    if (this.ask) this.askValues();
  }

  miniTo(e) {
    const box = this.mini.getBoundingClientRect();
    const to = (m) => this.move([(m.clientY - box.top) / this.miniScale, (m.clientX - box.left) / this.miniScale], this.zoom);
    to(e);
    const stop = () => { window.removeEventListener("pointermove", to); window.removeEventListener("pointerup", stop); };
    window.addEventListener("pointermove", to);
    window.addEventListener("pointerup", stop);
  }

  useTool(name) {
    this.tool = name;
    this.drawings.making = null;
    this.stage.dataset.tool = name;
    for (const [key, b] of Object.entries(this.toolButtons)) b.setAttribute("aria-pressed", String(key === name));
    const told = { box: "drag a box", polygon: "click corners, Enter closes; or drag freely", line: "drag, or click and Enter", point: "click a place", lasso: "drag around objects" }[name];
    this.hint.textContent = told ?? "";
    this.hint.hidden = !told;
    this.hover(null);
  }

  correct(what) {
    if (what === "rename") { this.renaming = true; this.panel.showObjects(); return; }
    const shape = this.drawings.shapes.get(this.drawings.chosen);
    const fits = (what === "split" && shape?.kind === "line") || (what === "add" && (shape?.kind === "polygon" || shape?.kind === "box"));
    const named = /^(box|polygon) \d+$/.test(shape?.name ?? "") ? "object" : shape?.name;
    this.send({ type: "correct", what, ...(fits ? { shape, name: named } : {}) });
    if (fits) { this.drawings.remove(shape.id); this.panel.showDrawn(); this.top(); }
  }

  key(e) {
    if (!this.info || e.target !== this.stage) return;
    const far = 90 / this.zoom;
    const { drawings } = this;
    const layer = this.layers.get("objects");
    const acts = {
      ArrowLeft: () => this.move([this.center[0], this.center[1] - far], this.zoom), ArrowRight: () => this.move([this.center[0], this.center[1] + far], this.zoom),
      ArrowUp: () => this.move([this.center[0] - far, this.center[1]], this.zoom), ArrowDown: () => this.move([this.center[0] + far, this.center[1]], this.zoom),
      "+": () => this.zoomBy(1.4), "=": () => this.zoomBy(1.4), "-": () => this.zoomBy(1 / 1.4), 0: () => this.fit(),
      b: () => this.useTool("box"), p: () => this.useTool("polygon"), l: () => this.useTool("line"), o: () => this.useTool("point"), s: () => this.useTool("lasso"), v: () => this.useTool("move"),
      "[": () => this.stepPlane("z", -1), "]": () => this.stepPlane("z", 1), ",": () => this.stepPlane("t", -1), ".": () => this.stepPlane("t", 1),
      Enter: () => this.finish(e),
      Escape: () => { if (this.tool !== "move") this.useTool("move"); else { drawings.chosen = null; if (layer?.selected.size) this.send({ type: "pick", rows: [] }); this.panel.showDrawn(); } this.top(); },
      Delete: () => this.deleteChosen(), Backspace: () => this.deleteChosen(),
    };
    if ((e.ctrlKey || e.metaKey) && e.key === "z") { e.preventDefault(); if (layer?.undo) this.correct("undo"); return; }
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const digit = e.key >= "1" && e.key <= "9" ? Number(e.key) - 1 : -1;
    if (digit >= 0 && digit < this.info.channels.length) {
      const channel = this.info.channels[digit];
      channel.visible = !channel.visible;
      this.channelShown(digit);
      channel.refill?.();
    } else if (acts[e.key]) acts[e.key]();
    else return;
    e.preventDefault();
  }

  stepPlane(axis, by) {
    const n = this.info.sizes[axis];
    if (n > 1) this.setPlane(axis, clamp(Math.max(this.plane[axis], 0) + by, 0, n - 1));
  }

  deleteChosen() {
    if (this.drawings.chosen) {
      this.drawings.remove(this.drawings.chosen);
      this.panel.showDrawn();
      this.top();
    } else if (this.layers.get("objects")?.selected.size && this.layers.get("objects").editable) this.correct("delete");
  }

  sizeOf(shape) {
    const [uy, ux] = this.info.um ?? [1, 1];
    const unit = this.info.um ? "µm" : "px";
    const at = Drawings.corners(shape).map(([y, x]) => [y * uy, x * ux]);
    if (shape.kind === "point") return "";
    if (shape.kind === "line") {
      let length = 0;
      for (let k = 1; k < at.length; k++) length += Math.hypot(at[k][0] - at[k - 1][0], at[k][1] - at[k - 1][1]);
      return `${said(Number(length.toPrecision(3)))} ${unit}`;
    }
    let area = 0;
    at.forEach(([y, x], k) => { const [v, u] = at[(k + 1) % at.length]; area += x * v - u * y; });
    return `${said(Number((Math.abs(area) / 2).toPrecision(3)))} ${unit}²`;
  }

  destroy() {
    cancelAnimationFrame(this.frame);
    for (const clean of this.cleanups) clean();
    this.restore?.();
    this.root.remove();
  }
}

const near = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]) < NEAR + 2;

function bytesOf(b) {
  return b instanceof DataView ? new Uint8Array(b.buffer, b.byteOffset, b.byteLength) : new Uint8Array(b);
}

export default {
  render({ model, el }) {
    const view = new View(model, el);
    return () => view.destroy();
  },
};
