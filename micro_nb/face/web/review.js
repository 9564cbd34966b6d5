// A blind review: what is to be judged, the grades below it, and the keys. Only codes and pictures come here, never the name of a method.

class Review {
  constructor(model, el) {
    this.model = model;
    this.title = h("span", { class: "mnb-title" });
    this.count = h("span", { class: "mnb-soft" });
    this.bar = h("div", { class: "mnb-track", "aria-hidden": "true" }, h("i"));
    this.who = h("select", { "aria-label": "rater", onchange: () => this.start(this.who.value) });
    this.things = h("div", { class: "mnb-things", role: "group", "aria-label": "to be judged", "aria-live": "polite" });
    this.grades = h("div", { class: "mnb-grades", role: "group", "aria-label": "judgement" });
    this.note = h("input", { type: "text", class: "mnb-ask", placeholder: "a remark, if there is one", "aria-label": "remark", maxLength: 2000 });
    this.back = button("undo", "the item before (Backspace)", () => this.send({ type: "back", rater: this.rater }));
    this.notice = h("p", { class: "mnb-fail", role: "status", hidden: true });
    this.root = h("div", { class: "mnb-root mnb-chat mnb-review", hidden: true, tabIndex: 0, role: "group", "aria-label": "blind review", onkeydown: (e) => this.key(e) },
      h("div", { class: "mnb-bar" }, this.title, this.who, this.bar, this.count, this.back), this.things, this.notice, this.grades,
      h("div", { class: "mnb-form" }, this.note));
    this.root.style.height = `${model.get("_height") ?? 560}px`;
    ownKeys(this.root);
    el.append(this.root);
    const heard = (message, buffers) => this.heard(message, buffers);
    model.on("msg:custom", heard);
    this.clean = () => { model.off("msg:custom", heard); this.restore?.(); this.root.remove(); };
    this.send({ type: "hello" });
    this.root.mnb = this; // for tests and curious people
  }

  send(message) {
    this.model.send(message);
  }

  heard(message, buffers) {
    const act = { begin: () => this.begin(message), item: () => this.item(message, buffers), finished: () => this.finished(message),
      notice: () => { this.notice.textContent = message.text; this.notice.hidden = false; } }[message.type];
    if (act) act();
  }

  begin({ raters, question, choices, still }) {
    this.choices = choices;
    this.root.hidden = false;
    this.restore ??= hideStill(still);
    this.title.textContent = question;
    this.who.replaceChildren(h("option", { value: "" }, "who are you?"), ...raters.map((name) => h("option", { value: name }, name)));
    this.say("Choose your name above. Then judge with the keys 1, 2, 3 and so on, or by a click; Backspace goes back. Every judgement is kept at once.");
    if (raters.length === 1) { this.who.value = raters[0]; this.start(raters[0]); }
  }

  start(rater) {
    this.rater = rater;
    if (rater) this.send({ type: "start", rater });
    this.root.focus({ preventScroll: true });
  }

  item({ code, texts, done, n, chosen, note }, buffers) {
    this.code = code;
    this.began = performance.now();
    this.note.value = note;
    this.notice.hidden = true;
    const pictures = [...buffers];
    for (const url of this.urls ?? []) URL.revokeObjectURL(url);
    this.urls = [];
    const sides = texts.map((text, k) => {
      if (text !== null) return h("div", { class: "mnb-thing mnb-words" }, text);
      const b = pictures.shift();
      const url = URL.createObjectURL(new Blob([b instanceof DataView ? new Uint8Array(b.buffer, b.byteOffset, b.byteLength) : b], { type: "image/png" }));
      this.urls.push(url);
      return h("img", { class: "mnb-thing", src: url, alt: texts.length > 1 ? ["left", "right"][k] : `item ${done + 1} of ${n}` });
    });
    this.things.replaceChildren(...sides);
    this.grades.replaceChildren(...this.choices.map((choice, k) => h("button", { type: "button", class: "mnb-t", "aria-pressed": String(choice === chosen),
      onclick: () => this.judge(choice) }, h("kbd", {}, String(k + 1)), choice)));
    this.progress(done, n);
  }

  finished({ n }) {
    this.code = null;
    this.grades.replaceChildren();
    this.progress(n, n);
    this.say("All is judged. Thank you.");
  }

  say(text) {
    this.things.replaceChildren(h("p", { class: "mnb-soft" }, text));
  }

  progress(done, n) {
    this.count.textContent = `${done} of ${n}`;
    this.bar.firstChild.style.width = `${(70 * done) / n}px`;
  }

  judge(choice) {
    if (!this.code) return;
    this.send({ type: "judge", rater: this.rater, code: this.code, choice, note: this.note.value, seconds: (performance.now() - this.began) / 1000 });
    this.code = null; // until the next item is here, so that nothing is judged twice
    this.root.focus({ preventScroll: true });
  }

  key(e) {
    if (e.target === this.note) { if (e.key === "Escape" || e.key === "Enter") this.root.focus(); return; }
    if (e.target === this.who || e.ctrlKey || e.metaKey || e.altKey) return;
    const k = this.choices?.[0] === "left" && e.key.startsWith("Arrow") ? { ArrowLeft: 0, ArrowDown: 1, ArrowRight: 2 }[e.key] ?? -1 : Number(e.key) - 1;
    if (e.key === "Backspace" && this.rater) this.send({ type: "back", rater: this.rater });
    else if (k in (this.choices ?? [])) this.judge(this.choices[k]);
    else return;
    e.preventDefault();
  }
}

export default {
  render({ model, el }) {
    const review = new Review(model, el);
    return () => review.clean();
  },
};
