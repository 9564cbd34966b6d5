// Boxes, polygons, points and lines: made, moved, bent and deleted by pointer and keys. Places are [y, x] in px of level 0.

const INK = "#ffd23f", INK_CHOSEN = "#ffffff", NEAR = 8;

class Drawings {
  constructor(send) {
    this.send = send;
    this.shapes = new Map();
    this.chosen = null; // id
    this.making = null; // {kind, points, free}
    this.grip = null; // what is dragged: {id, vertex} or {id, from, points}
  }

  set(shapes) {
    this.shapes = new Map(shapes.map((s) => [s.id, s]));
    if (!this.shapes.has(this.chosen)) this.chosen = null;
  }

  put(shape) {
    this.shapes.set(shape.id, shape);
    this.send({ type: "draw", shape });
  }

  remove(id) {
    this.shapes.delete(id);
    if (this.chosen === id) this.chosen = null;
    this.send({ type: "undraw", id });
  }

  finish(kind, points) {
    const id = Array.from(crypto.getRandomValues(new Uint8Array(6)), (b) => b.toString(16).padStart(2, "0")).join("");
    const n = [...this.shapes.values()].filter((s) => s.kind === kind).length + 1;
    const shape = { id, kind, name: `${kind} ${n}`, points };
    this.put(shape);
    this.chosen = id;
    return shape;
  }

  static corners(shape) {
    if (shape.kind !== "box") return shape.points;
    const [[ya, xa], [yb, xb]] = shape.points;
    return [[ya, xa], [ya, xb], [yb, xb], [yb, xa]];
  }

  /** What lies under a screen place: a corner of the chosen shape, or the outline of one. */
  at(sx, sy, toScreen) {
    const chosen = this.shapes.get(this.chosen);
    if (chosen) {
      const corners = Drawings.corners(chosen).map(toScreen);
      const k = corners.findIndex(([x, y]) => Math.hypot(x - sx, y - sy) < NEAR);
      if (k >= 0) return { id: chosen.id, vertex: k };
    }
    for (const shape of [...this.shapes.values()].reverse()) {
      const corners = Drawings.corners(shape).map(toScreen);
      if (shape.kind === "point" ? Math.hypot(corners[0][0] - sx, corners[0][1] - sy) < NEAR : nearPath(corners, shape.kind !== "line", sx, sy))
        return { id: shape.id };
    }
    return null;
  }

  /** Moves a corner, or the whole shape, to a place. */
  drag(grip, place) {
    const shape = this.shapes.get(grip.id);
    if (!shape) return;
    if (grip.vertex === undefined) {
      const dy = place[0] - grip.from[0], dx = place[1] - grip.from[1];
      shape.points = grip.points.map(([y, x]) => [y + dy, x + dx]);
    } else if (shape.kind === "box") {
      const [[ya, xa], [yb, xb]] = grip.points;
      const across = [[yb, xb], [yb, xa], [ya, xa], [ya, xb]][grip.vertex]; // the corner that stays
      shape.points = [across, place];
    } else {
      shape.points = shape.points.map((p, k) => (k === grip.vertex ? place : p));
    }
  }

  paint(pen, toScreen) {
    for (const shape of this.shapes.values()) this.#paint(pen, shape, toScreen, shape.id === this.chosen);
    if (this.making) this.#paint(pen, this.making, toScreen, true, true);
  }

  #paint(pen, shape, toScreen, chosen, open = false) {
    const corners = Drawings.corners(shape).map(toScreen);
    const closed = shape.kind === "box" || (shape.kind === "polygon" && !open);
    pen.beginPath();
    if (shape.kind === "point") {
      const [x, y] = corners[0];
      pen.arc(x, y, 5, 0, 7);
      pen.moveTo(x - 9, y); pen.lineTo(x + 9, y); pen.moveTo(x, y - 9); pen.lineTo(x, y + 9);
    } else {
      corners.forEach(([x, y], k) => (k ? pen.lineTo(x, y) : pen.moveTo(x, y)));
      if (closed) pen.closePath();
    }
    pen.lineJoin = "round";
    pen.lineWidth = chosen ? 4 : 3.4;
    pen.strokeStyle = "#000b";
    pen.stroke();
    pen.lineWidth = chosen ? 2 : 1.6;
    pen.strokeStyle = chosen ? INK_CHOSEN : INK;
    pen.stroke();
    if (closed && chosen) { pen.fillStyle = "#ffd23f22"; pen.fill(); }
    if (chosen && shape.kind !== "point" && corners.length <= 200) {
      for (const [x, y] of corners) {
        pen.fillStyle = "#000"; pen.fillRect(x - 4.5, y - 4.5, 9, 9);
        pen.fillStyle = INK; pen.fillRect(x - 3, y - 3, 6, 6);
      }
    }
    if (!open && shape.name && corners.length) {
      const [x, y] = corners.reduce((a, b) => (b[1] < a[1] ? b : a));
      pen.font = "600 11.5px system-ui, sans-serif";
      pen.lineWidth = 3; pen.strokeStyle = "#000b"; pen.strokeText(shape.name, x + 4, y - 6);
      pen.fillStyle = chosen ? INK_CHOSEN : INK; pen.fillText(shape.name, x + 4, y - 6);
    }
  }
}

function nearPath(corners, closed, sx, sy) {
  const n = closed ? corners.length : corners.length - 1;
  for (let k = 0; k < n; k++) {
    const [ax, ay] = corners[k], [bx, by] = corners[(k + 1) % corners.length];
    const dx = bx - ax, dy = by - ay;
    const at = clamp(((sx - ax) * dx + (sy - ay) * dy) / (dx * dx + dy * dy || 1), 0, 1);
    if (Math.hypot(ax + at * dx - sx, ay + at * dy - sy) < NEAR - 2) return true;
  }
  return false;
}

/** Vertices without those that lie within a screen pixel or two of the path without them. */
function simplified(points, tolerance) {
  const kept = [points[0]];
  for (const p of points.slice(1, -1)) {
    const last = kept[kept.length - 1];
    if (Math.hypot(p[0] - last[0], p[1] - last[1]) > tolerance) kept.push(p);
  }
  return [...kept, points[points.length - 1]];
}
