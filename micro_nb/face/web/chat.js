// The conversation: a line to ask in, answers whose numbers are buttons, and a card for each measurement. All that is shown came as
// text and stays text. The session in the kernel holds the turns; this side draws them.

class Chat {
  constructor(model, el) {
    this.model = model;
    this.turns = new Map(); // k -> element
    this.waiting = new Map(); // n -> element
    this.typed = []; // what was asked, for arrow-up
    this.at = 0;
    this.build(el);
    const heard = (message, buffers) => this.heard(message, buffers);
    model.on("msg:custom", heard);
    this.clean = () => { model.off("msg:custom", heard); clearInterval(this.clock); this.restore?.(); this.root.remove(); };
    this.send({ type: "hello" });
    this.root.mnb = this; // for tests and curious people
  }

  send(message) {
    this.model.send(message);
  }

  build(el) {
    this.about = h("span", { class: "mnb-title" }, "");
    this.log = h("div", { class: "mnb-log", role: "log", "aria-live": "polite", "aria-label": "conversation", tabIndex: 0 });
    this.suggestions = h("div", { class: "mnb-suggest" });
    this.chip = h("div", { class: "mnb-chip", hidden: true });
    this.work = h("div", { class: "mnb-work", role: "status", hidden: true });
    this.line = h("input", { type: "text", class: "mnb-ask", placeholder: "ask about the image", "aria-label": "question", autocomplete: "off", maxLength: 2000,
      onkeydown: (e) => this.key(e) });
    const ask = h("button", { type: "submit", class: "mnb-go" }, "Ask");
    const form = h("form", { class: "mnb-form", onsubmit: (e) => { e.preventDefault(); this.ask(this.line.value); } }, this.line, ask);
    this.root = h("div", { class: "mnb-root mnb-chat", hidden: true, role: "group", "aria-label": "chat" },
      h("div", { class: "mnb-bar", role: "toolbar", "aria-label": "conversation" }, this.about,
        button("copy", "copy the conversation as Markdown", () => this.send({ type: "markdown", to: "copy" })),
        button("save", "save the conversation as Markdown", () => this.send({ type: "markdown", to: "file" }))),
      this.log, this.work, this.suggestions, this.chip, form);
    this.root.style.height = `${(this.model.get("_height") ?? 480) + 64}px`;
    ownKeys(this.root);
    el.append(this.root);
  }

  heard(message, buffers) {
    const act = {
      begin: () => {
        this.root.hidden = false;
        this.restore ??= hideStill(message.still);
        this.linked = message.linked;
        this.about.textContent = message.about;
        this.log.replaceChildren();
        this.turns.clear();
        this.waiting.clear();
        this.empty();
      },
      asked: () => this.asked(message), turn: () => this.turn(message, buffers), failed: () => this.failed(message),
      ended: () => this.ended(message.n), progress: () => this.progress(message), suggest: () => this.suggest(message.suggestions),
      card: () => this.card(message), verdict: () => this.verdict(message), pointed: () => this.pointed(message),
      notice: () => this.add(h("p", { class: "mnb-fail" }, message.text)),
      file: () => this.file(message, buffers),
    }[message.type];
    if (act) act();
  }

  file(message, buffers) {
    const bytes = new Uint8Array(buffers[0].buffer ?? buffers[0], buffers[0].byteOffset ?? 0, buffers[0].byteLength);
    if (message.to === "copy") navigator.clipboard?.writeText(new TextDecoder().decode(bytes));
    else download(message.name, bytes);
  }

  empty() {
    if (!this.turns.size && !this.waiting.size)
      this.log.replaceChildren(h("p", { class: "mnb-soft mnb-first" }, "Every number in an answer is measured. Click it to see where, and how."));
  }

  add(el) {
    this.log.querySelector(".mnb-first")?.remove();
    this.log.append(el);
    this.log.scrollTop = this.log.scrollHeight;
  }

  // -- asking ------------------------------------------------------------------------------------------------------------

  ask(text, calls = []) {
    const question = text.trim();
    if (!question) return;
    this.typed.push(question);
    this.at = this.typed.length;
    this.line.value = "";
    this.send({ type: "ask", text: question, calls });
    this.line.focus({ preventScroll: true });
  }

  key(e) {
    if (e.key !== "ArrowUp" && e.key !== "ArrowDown") return;
    e.preventDefault();
    if (this.at === this.typed.length) this.draft = this.line.value;
    this.at = clamp(this.at + (e.key === "ArrowUp" ? -1 : 1), 0, this.typed.length);
    this.line.value = this.at === this.typed.length ? this.draft ?? "" : this.typed[this.at];
  }

  asked({ n, question }) {
    const el = h("div", { class: "mnb-turn" }, h("p", { class: "mnb-q" }, question), h("p", { class: "mnb-dots", "aria-label": "measuring" }, "measuring …"));
    el.question = question;
    this.waiting.set(n, el);
    this.add(el);
    if (!this.since) this.startClock();
  }

  startClock() {
    this.since = performance.now();
    this.told = null;
    this.label = h("span", {}, "");
    this.bar = h("i");
    this.work.replaceChildren(h("span", { class: "mnb-track" }, this.bar), this.label,
      h("button", { type: "button", class: "mnb-t", onclick: () => this.send({ type: "stop" }) }, "stop"));
    clearInterval(this.clock);
    this.clock = setInterval(() => this.tick(), 250);
  }

  tick() {
    const seconds = (performance.now() - this.since) / 1000;
    this.work.hidden = seconds < 0.4;
    const told = this.told;
    if (!told) { this.label.textContent = `${seconds.toFixed(0)} s`; return; }
    const share = told.total ? told.done / told.total : 0;
    this.bar.style.width = `${Math.round(share * 100)}%`;
    const left = share > 0.02 ? ((performance.now() - this.began) / 1000) * (1 / share - 1) : null;
    this.label.textContent = `${told.what}: ${said(told.done)} of ${said(told.total)} ${told.unit}` + (left !== null && left >= 1 ? `, about ${left.toFixed(0)} s left` : "");
  }

  progress(message) {
    if (!this.since) this.startClock();
    if (this.told?.what !== message.what) this.began = performance.now();
    this.told = message;
    this.tick();
  }

  ended(n) {
    const el = this.waiting.get(n);
    this.waiting.delete(n);
    el?.querySelector(".mnb-dots")?.remove();
    if (el && !el.querySelector(".mnb-fail") && el.parentNode) el.remove(); // its turn stands in its place
    if (!this.waiting.size) {
      this.since = null;
      clearInterval(this.clock);
      this.work.hidden = true;
    } else this.startClock();
  }

  failed({ n, text }) {
    const el = this.waiting.get(n);
    el?.querySelector(".mnb-dots")?.remove();
    el?.append(h("p", { class: "mnb-fail" }, text));
    this.log.scrollTop = this.log.scrollHeight;
  }

  // -- answers -----------------------------------------------------------------------------------------------------------

  turn(message, buffers) {
    const { k, question, parts, declined, remedy, understood, table, alternatives, facts } = message;
    const number = (part) => h("button", { type: "button", class: "mnb-n", title: "where this comes from", "aria-expanded": "false",
      onclick: (e) => this.openCard(k, part.e, e.currentTarget) }, part.text);
    const answer = h("p", { class: declined ? "mnb-a mnb-declined" : "mnb-a" }, parts.map((p) => (p.e === undefined ? p.text : number(p))));
    const more = [];
    if (remedy) more.push(h("p", { class: "mnb-soft mnb-wrap" }, remedy));
    if (table) more.push(this.table(table));
    if (buffers.length) {
      const url = URL.createObjectURL(new Blob([buffers[0]], { type: "image/png" }));
      more.push(h("img", { src: url, alt: "the place, or the distribution, that the answer speaks of", onload: () => URL.revokeObjectURL(url) }));
    }
    if (understood) more.push(h("details", { class: "mnb-read" }, h("summary", {}, "read as"), h("code", {}, understood)));
    if (facts && !parts.some((p) => p.e !== undefined)) more.push(h("button", { type: "button", class: "mnb-t", onclick: (e) => this.openCard(k, 0, e.currentTarget) }, "what was measured"));
    if (alternatives.length) {
      more.push(h("div", { class: "mnb-alt" }, h("span", { class: "mnb-soft" }, "did you mean"),
        alternatives.map(([words, calls]) => h("button", { type: "button", class: "mnb-t", title: calls.join("; "), onclick: () => this.ask(question, calls) }, words))));
    }
    const el = h("div", { class: "mnb-turn" }, h("p", { class: "mnb-q" }, question), answer, more, h("div", { class: "mnb-cards" }));
    const before = this.turns.get(k);
    this.turns.set(k, el);
    if (before) return before.replaceWith(el);
    const place = [...this.waiting.values()].find((w) => w.question === question && w.parentNode);
    this.log.querySelector(".mnb-first")?.remove();
    if (place) place.replaceWith(el);
    else this.log.append(el);
    this.log.scrollTop = this.log.scrollHeight;
    if (!this.typed.includes(question)) { this.typed.push(question); this.at = this.typed.length; }
  }

  table({ columns, rows, more }) {
    return h("div", { class: "mnb-wide" }, h("table", {}, h("thead", {}, h("tr", {}, columns.map((c) => h("th", {}, c)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((v) => h("td", {}, v)))))), more ? h("p", { class: "mnb-soft" }, `and ${more} more rows`) : null);
  }

  openCard(k, e, from) {
    const cards = this.turns.get(k)?.querySelector(".mnb-cards");
    const open = cards?.querySelector(`[data-e="${e}"]`);
    if (open && !this.linked) { open.remove(); from.setAttribute("aria-expanded", "false"); return; }
    from.setAttribute("aria-expanded", "true");
    this.send({ type: "card", turn: k, e });
  }

  /** The lab-book card of a measurement: what, how sure, where, by what, with which parameters, and the lines that do it again. */
  card({ turn, e, title, rows, code }) {
    const cards = this.turns.get(turn)?.querySelector(".mnb-cards");
    if (!cards) return;
    const verdict = h("span", { class: "mnb-verdict", role: "status" });
    const card = h("section", { class: "mnb-card2", "data-e": e, "aria-label": `evidence: ${title}` },
      h("div", { class: "mnb-cardhead" }, h("b", {}, title), h("button", { type: "button", class: "mnb-x", "aria-label": "close", onclick: () => card.remove() }, "×")),
      h("dl", {}, rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      h("pre", { tabIndex: 0 }, code),
      h("div", { class: "mnb-acts" },
        this.linked ? h("button", { type: "button", class: "mnb-t", onclick: () => this.send({ type: "show", turn, e }) }, "show in the viewer") : null,
        h("button", { type: "button", class: "mnb-t", onclick: () => navigator.clipboard?.writeText(code) }, "copy the code"),
        h("button", { type: "button", class: "mnb-t", onclick: () => { verdict.textContent = "measuring …"; this.send({ type: "again", turn, e }); } }, "measure again"), verdict));
    cards.replaceChildren(card);
    card.scrollIntoView({ block: "nearest" });
  }

  verdict({ turn, e, verdict, value }) {
    const at = this.turns.get(turn)?.querySelector(`[data-e="${e}"] .mnb-verdict`);
    if (!at) return;
    at.textContent = value ? `${verdict}: ${value}` : verdict;
    at.dataset.verdict = verdict;
  }

  suggest(suggestions) {
    this.suggestions.replaceChildren(...suggestions.map(({ text, calls, go_on }) => h("button", { type: "button", class: "mnb-t",
      onclick: () => (go_on ? this.send({ type: "go_on" }) : this.ask(text, calls)) }, text)));
  }

  pointed({ name, word }) {
    this.chip.hidden = !name;
    this.chip.replaceChildren(h("b", {}, `“${word}”`), ` is ${name}`);
  }
}

export default {
  render({ model, el }) {
    const chat = new Chat(model, el);
    return () => chat.clean();
  },
};
