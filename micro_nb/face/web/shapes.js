// Objects over the picture: fill and contour of labels in the colour of each row, dots of points, a tint of very many points.

/** Ids of a tile of labels (row + 1, with a rim of one pixel) and the box of every object in it. */
function idsOf(tile) {
  if (tile.ids) return tile;
  const n = tile.width * tile.height;
  const ids = new Uint32Array(n);
  for (let i = 0, j = 0; i < n; i++, j += 4) ids[i] = tile.rgba[j] | (tile.rgba[j + 1] << 8) | (tile.rgba[j + 2] << 16);
  const boxes = new Map();
  for (let y = 1, i; y < tile.height - 1; y++) {
    i = y * tile.width + 1;
    for (let x = 1; x < tile.width - 1; x++, i++) {
      const id = ids[i];
      if (!id) continue;
      const box = boxes.get(id);
      if (!box) boxes.set(id, [x, y, x, y]);
      else {
        if (x < box[0]) box[0] = x; else if (x > box[2]) box[2] = x;
        box[3] = y;
      }
    }
  }
  tile.ids = ids;
  tile.boxes = boxes;
  tile.rgba = null;
  return tile;
}

const _WHITE = [255, 255, 255];

/**
 * Draws a tile of labels, `fine` display pixels for each of its own, so that contours stay thin when one zooms in.
 * A selected object has a white contour and a stronger fill.
 */
function paintedIds(tile, layer, fine) {
  const { ids, width } = idsOf(tile);
  const w = tile.width - 2, high = tile.height - 2;
  const picture = new ImageData(w * fine, high * fine);
  const out = new Uint32Array(picture.data.buffer); // little-endian: alpha, blue, green, red
  const fill = Math.round(layer.opacity * 255), strong = Math.round(Math.min(layer.opacity + 0.25, 1) * 255);
  const { colors, selected, contour } = layer;
  const last = fine - 1;
  for (let y = 0; y < high; y++) {
    for (let x = 0; x < w; x++) {
      const i = (y + 1) * width + x + 1;
      const id = ids[i];
      if (!id) continue;
      const row = id - 1;
      const chosen = selected.has(row);
      const color = (colors[3 * row + 2] << 16) | (colors[3 * row + 1] << 8) | colors[3 * row];
      const body = (((chosen ? strong : fill) << 24) | color) >>> 0;
      const line = chosen ? 0xffffffff : ((255 << 24) | color) >>> 0;
      const up = ids[i - width] !== id, down = ids[i + width] !== id, left = ids[i - 1] !== id, right = ids[i + 1] !== id;
      const edge = (contour || chosen) && (up || down || left || right);
      if (fine === 1) {
        out[y * w + x] = edge ? line : body;
        continue;
      }
      for (let v = 0; v < fine; v++) {
        const at = (y * fine + v) * w * fine + x * fine;
        for (let u = 0; u < fine; u++) {
          const rim = edge && ((up && v === 0) || (down && v === last) || (left && u === 0) || (right && u === last));
          out[at + u] = rim ? line : body;
        }
      }
    }
  }
  tile.canvas = new OffscreenCanvas(w * fine, high * fine);
  tile.canvas.getContext("2d").putImageData(picture, 0, 0);
  tile.fine = fine;
}

/** Draws the contour of one object in a tile, for the hover; `place(x, y)` gives screen positions of tile pixels. */
function outlined(pen, tile, id, place, step) {
  const { ids, width, boxes } = idsOf(tile);
  const box = boxes.get(id);
  if (!box) return;
  pen.beginPath();
  for (let y = box[1]; y <= box[3]; y++) {
    for (let x = box[0]; x <= box[2]; x++) {
      const i = y * width + x;
      if (ids[i] !== id) continue;
      const [px, py] = place(x - 1, y - 1);
      const [qx, qy] = place(x, y);
      if (ids[i - width] !== id) { pen.moveTo(px, py); pen.lineTo(qx, py); }
      if (ids[i + width] !== id) { pen.moveTo(px, qy); pen.lineTo(qx, qy); }
      if (ids[i - 1] !== id) { pen.moveTo(px, py); pen.lineTo(px, qy); }
      if (ids[i + 1] !== id) { pen.moveTo(qx, py); pen.lineTo(qx, qy); }
    }
  }
  pen.lineWidth = 3.5;
  pen.strokeStyle = "#000a";
  pen.stroke();
  pen.lineWidth = 1.8;
  pen.strokeStyle = "#fff";
  pen.stroke();
}

/** The values of a map in the colours of a ramp; none where there is no value. */
function paintedMap({ grid, shape: [rows, cols], window: [low, high] }, ramp) {
  const picture = new ImageData(cols, rows);
  grid.forEach((value, i) => {
    if (!isFinite(value)) return;
    const at = 3 * clamp(Math.floor((255 * (value - low)) / (high - low)), 0, 255);
    picture.data.set([ramp[at], ramp[at + 1], ramp[at + 2], 255], 4 * i);
  });
  const canvas = new OffscreenCanvas(cols, rows);
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

/** A tint from the counts of very many points. */
function paintedDensity(tile, layer) {
  const { width, height, rgba } = tile;
  const picture = new ImageData(width, height);
  const [r, g, b] = layer.colors.length ? layer.colors.subarray(0, 3) : [240, 228, 66];
  for (let i = 0; i < width * height * 4; i += 4) {
    if (!rgba[i]) continue;
    picture.data[i] = r; picture.data[i + 1] = g; picture.data[i + 2] = b;
    picture.data[i + 3] = Math.min(255, 60 + rgba[i]);
  }
  tile.canvas = new OffscreenCanvas(width, height);
  tile.canvas.getContext("2d").putImageData(picture, 0, 0);
}
