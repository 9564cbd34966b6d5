// Tiles of the picture: asked for by message, kept in a small cache, coloured here. A tile holds the codes of each channel (the
// square root of the place in the range that was sent), so that contrast, colour and gamma change without asking again.

const MOST_TILES = 56; // beyond those in sight

class Tiles {
  constructor(send, onChange) {
    this.send = send;
    this.onChange = onChange;
    this.kept = new Map(); // key -> tile
    this.open = new Map(); // request id -> key
    this.asked = new Map(); // key -> request id
    this.failed = new Map(); // key -> when
    this.next = 1;
    this.clock = 0;
    this.took = []; // ms from request to tile, for those who want to know
  }

  get(key) {
    const tile = this.kept.get(key);
    if (tile) tile.used = ++this.clock;
    return tile;
  }

  /** Asks for what is missing of `wanted` ({key, layer, k, row, col}), in its order, and drops what is not wanted any more. */
  want(wanted, spec) {
    const keys = new Set(wanted.map((w) => w.key));
    const drop = [];
    for (const [id, key] of this.open) {
      if (keys.has(key)) continue;
      drop.push(id);
      this.open.delete(id);
      this.asked.delete(key);
    }
    const tiles = [];
    const now = performance.now();
    for (const w of wanted) {
      if (this.kept.has(w.key) || this.asked.has(w.key) || now - (this.failed.get(w.key) ?? -1e9) < 4000) continue;
      const id = this.next++;
      this.open.set(id, w.key);
      this.asked.set(w.key, id);
      tiles.push([id, w.layer, w.k, w.row, w.col]);
    }
    if (tiles.length || drop.length) {
      this.heardAt ??= now;
      this.started = this.started ?? new Map();
      for (const [id] of tiles) this.started.set(id, now);
      this.send({ type: "want", spec, tiles, drop });
    }
  }

  /** A request ended: once, with a tile, an error, or because it was dropped. */
  async ended(message, buffers) {
    this.heardAt = undefined;
    const key = this.open.get(message.id);
    const began = this.started?.get(message.id);
    this.started?.delete(message.id);
    if (key === undefined) return;
    if (message.end !== "done") {
      this.open.delete(message.id);
      this.asked.delete(key);
      if (message.end === "failed") this.failed.set(key, performance.now());
      return this.onChange(message.end === "failed" ? message.text : undefined);
    }
    let tile = null;
    try {
      tile = await decoded(message, buffers);
    } catch (error) {
      this.failed.set(key, performance.now());
    }
    this.open.delete(message.id);
    this.asked.delete(key);
    if (tile) {
      tile.used = ++this.clock;
      this.kept.set(key, tile);
      if (began !== undefined) this.took.push(performance.now() - began);
      if (this.took.length > 500) this.took.shift();
    }
    this.onChange();
  }

  /** Forgets the tiles that were used longest ago, but none of those in sight. */
  trim(inSight) {
    if (this.kept.size <= MOST_TILES + inSight.size) return;
    const old = [...this.kept].filter(([key]) => !inSight.has(key)).sort((a, b) => a[1].used - b[1].used);
    for (const [key] of old.slice(0, this.kept.size - MOST_TILES - inSight.size)) this.kept.delete(key);
  }

  forget(starting) {
    for (const key of [...this.kept.keys()]) if (key.startsWith(starting)) this.kept.delete(key);
  }
}

async function decoded(message, buffers) {
  const bytes = buffers.map((b) => (b instanceof DataView ? new Uint8Array(b.buffer, b.byteOffset, b.byteLength) : new Uint8Array(b)));
  if (message.form === "none") return { form: "none" };
  if (message.form === "points") {
    const xy = new Float32Array(bytes[0].slice().buffer);
    return { form: "points", xy, rows: new Uint32Array(bytes[1].slice().buffer) };
  }
  const kind = message.form ? "image/png" : "image/jpeg";
  const picture = await createImageBitmap(new Blob([bytes[0]], { type: kind }), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(picture, 0, 0);
  picture.close();
  const rgba = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  return { form: message.form ?? "pixels", width: canvas.width, height: canvas.height, rgba };
}

/** The planes of a tile: of a colour picture its three samples, else one grey plane a channel, which lie one below the other. */
function planesOf(tile, rgb, count) {
  if (tile.planes) return tile.planes;
  const n = tile.width * tile.height;
  const size = rgb ? n : n / count;
  const planes = [];
  if (rgb) {
    for (let c = 0; c < 3; c++) {
      const plane = new Uint8Array(n);
      for (let i = 0; i < n; i++) plane[i] = tile.rgba[4 * i + c];
      planes.push(plane);
    }
  } else {
    for (let c = 0; c < count; c++) {
      const plane = new Uint8Array(size);
      for (let i = 0, j = c * size * 4; i < size; i++, j += 4) plane[i] = tile.rgba[j];
      planes.push(plane);
    }
    tile.height /= count;
  }
  tile.planes = planes;
  tile.rgba = null;
  return planes;
}

/** For each code of a channel the red, green and blue it adds. */
function lookup(channel, range, linear) {
  const out = [new Uint8Array(256), new Uint8Array(256), new Uint8Array(256)];
  const [low, high] = channel.window;
  const color = rgbOf(channel.color);
  for (let code = 0; code < 256; code++) {
    const share = code / 255;
    const value = range[0] + (linear ? share : share * share) * (range[1] - range[0]);
    const shade = clamp((value - low) / Math.max(high - low, 1e-12), 0, 1) ** channel.gamma;
    for (let c = 0; c < 3; c++) out[c][code] = Math.round(color[c] * shade);
  }
  return out;
}

/** Colours a tile: the sum of its visible channels. `looks` are lookups or null for channels that are hidden. */
function colored(tile, planes, looks) {
  const { width, height } = tile;
  const picture = new ImageData(width, height);
  const out = picture.data;
  const used = planes.map((plane, k) => [plane, looks[k]]).filter(([, look]) => look);
  const n = width * height;
  if (used.length === 1) {
    const [plane, [r, g, b]] = used[0];
    for (let i = 0, j = 0; i < n; i++, j += 4) {
      const v = plane[i];
      out[j] = r[v]; out[j + 1] = g[v]; out[j + 2] = b[v]; out[j + 3] = 255;
    }
  } else if (used.length === 3) {
    const [[p0, l0], [p1, l1], [p2, l2]] = used;
    for (let i = 0, j = 0; i < n; i++, j += 4) {
      const a = p0[i], b = p1[i], c = p2[i];
      out[j] = l0[0][a] + l1[0][b] + l2[0][c];
      out[j + 1] = l0[1][a] + l1[1][b] + l2[1][c];
      out[j + 2] = l0[2][a] + l1[2][b] + l2[2][c];
      out[j + 3] = 255;
    }
  } else {
    for (let i = 0, j = 0; i < n; i++, j += 4) {
      let r = 0, g = 0, b = 0;
      for (const [plane, look] of used) {
        const v = plane[i];
        r += look[0][v]; g += look[1][v]; b += look[2][v];
      }
      out[j] = r; out[j + 1] = g; out[j + 2] = b; out[j + 3] = 255;
    }
  }
  tile.canvas = tile.canvas ?? new OffscreenCanvas(width, height);
  tile.canvas.getContext("2d").putImageData(picture, 0, 0);
}
