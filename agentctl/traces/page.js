"use strict";
(() => {
  const ROW = 28;
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const tree = byId("tree"), rows = byId("rows"), panel = byId("panel"), ruler = byId("ruler");
  const search = byId("search"), kind = byId("kind"), errors = byId("errors"), status = byId("status");
  const spans = data.spans;
  const children = spans.map(() => []);
  const end = Math.max(1e-6, ...spans.map((span) => span.end));
  const folded = new Set();
  let shown = [], place = new Map(), selected = -1, from = 0, to = end, printing = false;

  spans.forEach((span, index) => {
    if (span.parent !== null) children[span.parent].push(index);
  });

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function seconds(value) {
    if (value < 0.001) return `${Math.round(value * 1e6)} µs`;
    if (value < 1) return `${(value * 1000).toPrecision(3)} ms`;
    if (value < 60) return `${value.toFixed(2)} s`;
    return `${Math.floor(value / 60)}m ${String(Math.floor(value % 60)).padStart(2, "0")}s`;
  }

  // Which rows are shown.

  const texts = new Map();
  function textOf(index) {
    if (!texts.has(index)) {
      const span = spans[index];
      const parts = [span.kind, span.name, span.id, JSON.stringify(span.facts), span.error || ""];
      for (const list of [span.input, span.output]) {
        for (const item of list) parts.push(JSON.stringify(data.items[item]));
      }
      texts.set(index, parts.join(" ").toLowerCase());
    }
    return texts.get(index);
  }

  function filter() {
    const words = search.value.trim().toLowerCase();
    const isFiltered = words || kind.value || errors.checked;
    const wanted = new Set(), matches = new Set();
    if (isFiltered) {
      spans.forEach((span, index) => {
        if (kind.value && span.kind !== kind.value) return;
        if (errors.checked && !span.error) return;
        if (words && !textOf(index).includes(words)) return;
        matches.add(index);
        for (let up = index; up !== null && !wanted.has(up); up = spans[up].parent) wanted.add(up);
      });
    }
    shown = [];
    let hiddenBelow = Infinity;
    spans.forEach((span, index) => {
      if (span.depth > hiddenBelow) return;
      hiddenBelow = Infinity;
      if (isFiltered && !wanted.has(index)) return;
      shown.push({ index, aside: isFiltered && !matches.has(index) });
      if (!isFiltered && folded.has(index)) hiddenBelow = span.depth;
    });
    place = new Map(shown.map((row, at) => [row.index, at]));
    status.textContent = isFiltered ? `${matches.size} of ${spans.length} spans` : `${spans.length} spans`;
    byId("count").textContent = status.textContent;
    rows.style.height = `${shown.length * ROW}px`;
    draw();
  }

  // The rows in view: a trace may have thousands.

  function draw() {
    const first = printing ? 0 : Math.max(0, Math.floor(tree.scrollTop / ROW) - 10);
    const last = printing ? shown.length : Math.min(shown.length, Math.ceil((tree.scrollTop + tree.clientHeight) / ROW) + 10);
    const made = [];
    for (let at = first; at < last; at += 1) made.push(row(at));
    rows.replaceChildren(...made);
    tree.setAttribute("aria-activedescendant", place.has(selected) ? `row-${selected}` : "");
  }

  function row(at) {
    const { index, aside } = shown[at];
    const span = spans[index], siblings = span.parent === null ? data.roots : children[span.parent];
    const made = element("div", `row ${span.kind}${span.cut ? " cut" : ""}${span.error ? " failed" : ""}${aside ? " aside" : ""}`);
    made.id = `row-${index}`;
    made.dataset.index = index;
    made.setAttribute("role", "treeitem");
    made.setAttribute("aria-level", span.depth + 1);
    made.setAttribute("aria-setsize", siblings.length);
    made.setAttribute("aria-posinset", siblings.indexOf(index) + 1);
    made.setAttribute("aria-selected", index === selected);
    const time = span.cut ? "cut" : seconds(span.end - span.start);
    made.setAttribute("aria-label", `${span.kind} ${span.name}, ${time}${span.error ? ", error" : ""}`);
    if (children[index].length) made.setAttribute("aria-expanded", !folded.has(index));
    made.style.top = `${at * ROW}px`;
    const name = element("div", "name");
    name.style.paddingLeft = `${Math.min(span.depth, 14) * 12 + 4}px`;
    name.append(element("span", "fold", children[index].length ? (folded.has(index) ? "▸" : "▾") : ""));
    const text = element("span", "text");
    text.append(element("b", "", span.kind), ` ${span.name}`);
    name.append(text, element("span", "time", time));
    const lane = element("div", "lane"), bar = element("i");
    const width = to - from;
    bar.style.left = `${((span.start - from) / width) * 100}%`;
    bar.style.width = `${((span.end - span.start) / width) * 100}%`;
    lane.append(bar);
    made.append(name, lane);
    return made;
  }

  function drawRuler() {
    const marks = [];
    const raw = (to - from) / 4, unit = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((each) => each * unit).find((each) => each >= raw);
    for (let time = Math.ceil(from / step) * step; time < to; time += step) {
      const mark = element("span", "", time === 0 ? "0" : seconds(time));
      mark.style.left = `${((time - from) / (to - from)) * 100}%`;
      marks.push(mark);
    }
    ruler.replaceChildren(...marks);
  }

  function zoom(start, stop) {
    from = Math.max(0, start);
    to = Math.min(end, Math.max(stop, from + 1e-6));
    drawRuler();
    draw();
  }

  function zoomBy(factor) {
    const span = spans[selected];
    const middle = span ? Math.min(Math.max((span.start + span.end) / 2, from), to) : (from + to) / 2;
    zoom(middle - (middle - from) * factor, middle + (to - middle) * factor);
  }

  // The panel of the selected span.

  function json(value) {
    if (value === null || typeof value !== "object") {
      return element("span", typeof value === "string" ? "string" : "other", JSON.stringify(value));
    }
    const isList = Array.isArray(value), entries = Object.entries(value);
    if (!entries.length) return element("span", "other", isList ? "[]" : "{}");
    const fold = element("details"), summary = element("summary", "other");
    summary.textContent = isList ? `[ ${entries.length} ]` : `{ ${entries.length} }`;
    fold.open = entries.length <= 40;
    fold.append(summary);
    for (const [name, inner] of entries) {
      const line = element("div");
      line.append(element("span", "key", isList ? "" : `${name}: `), json(inner));
      fold.append(line);
    }
    return fold;
  }

  function item(index) {
    const box = element("div", "item");
    for (const part of data.items[index]) {
      if (part.who) box.append(element("div", "who", part.who));
      if (part.html !== undefined) {
        const text = element("div");
        text.innerHTML = part.html; // Rendered from Markdown at export, without the HTML in it.
        box.append(text);
      } else if (part.image !== undefined) {
        const image = element("img");
        image.src = part.image;
        image.alt = "image";
        box.append(image);
      } else if (part.text !== undefined) {
        box.append(element("pre", "", part.text));
      } else {
        const tree = element("div", "json");
        tree.append(json(part.json));
        box.append(tree);
      }
    }
    return box;
  }

  function select(index, { focus = false, link = true } = {}) {
    if (index < 0) return;
    if (!place.has(index)) {
      for (let up = spans[index].parent; up !== null; up = spans[up].parent) folded.delete(up);
      search.value = kind.value = "";
      errors.checked = false;
      selected = index;
      filter();
    }
    selected = index;
    const top = place.get(index) * ROW;
    if (top < tree.scrollTop) tree.scrollTop = top;
    if (top + ROW > tree.scrollTop + tree.clientHeight) tree.scrollTop = top + ROW - tree.clientHeight;
    draw();
    const span = spans[index], facts = element("dl");
    for (const [name, value] of span.facts) facts.append(element("dt", "", name), element("dd", "", value));
    panel.replaceChildren(element("h2", "", `${span.kind} ${span.name}`));
    if (span.error) panel.append(element("pre", "problem", span.error));
    panel.append(facts);
    for (const [title, list] of [["Input", span.input], ["Output", span.output]]) {
      if (list.length) panel.append(element("h3", "", title), ...list.map(item));
    }
    panel.scrollTop = 0;
    if (link) history.replaceState(null, "", `#${encodeURIComponent(span.id)}`);
    if (focus) tree.focus();
  }

  function follow() {
    let wanted = "";
    try {
      wanted = decodeURIComponent(location.hash.slice(1));
    } catch {
      return false;
    }
    const index = spans.findIndex((span) => span.id === wanted);
    if (index >= 0) select(index, { link: false });
    return index >= 0;
  }

  function toggle(index, isFolded) {
    if (!children[index].length) return;
    if (isFolded) folded.add(index);
    else folded.delete(index);
    filter();
  }

  function move(by) {
    const at = place.has(selected) ? place.get(selected) + by : 0;
    const row = shown[Math.min(Math.max(at, 0), shown.length - 1)];
    if (row) select(row.index);
  }

  const keys = {
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    PageDown: () => move(15),
    PageUp: () => move(-15),
    Home: () => move(-spans.length),
    End: () => move(spans.length),
    ArrowRight: () => (folded.has(selected) ? toggle(selected, false) : children[selected]?.length && move(1)),
    ArrowLeft: () => {
      const span = spans[selected];
      if (children[selected]?.length && !folded.has(selected)) toggle(selected, true);
      else if (span && span.parent !== null) select(span.parent);
    },
    "/": () => search.focus(),
    "+": () => zoomBy(0.5),
    "-": () => zoomBy(2),
    0: () => zoom(0, end),
    z: () => spans[selected] && zoom(spans[selected].start, spans[selected].end),
    Escape: () => {
      search.value = kind.value = "";
      errors.checked = false;
      filter();
      zoom(0, end);
      tree.focus();
    },
  };

  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.matches("input[type=search], select");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("button, input[type=checkbox], summary, a") && event.key !== "Escape") return;
    if (isTyping && event.key !== "Escape" && !(event.target === search && event.key === "ArrowDown")) return;
    const action = keys[event.key];
    if (!action || (panel.contains(event.target) && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    action();
    if (event.key === "ArrowDown" && isTyping) tree.focus();
  });
  tree.addEventListener("scroll", draw);
  addEventListener("resize", draw);
  addEventListener("hashchange", follow);
  addEventListener("beforeprint", () => { printing = true; draw(); });
  addEventListener("afterprint", () => { printing = false; draw(); });
  rows.addEventListener("click", (event) => {
    const found = event.target.closest(".row");
    if (!found) return;
    const index = Number(found.dataset.index);
    if (event.target.closest(".fold")) toggle(index, !folded.has(index));
    else select(index, { focus: true });
  });
  for (const [id, action] of [["in", () => zoomBy(0.5)], ["out", () => zoomBy(2)], ["fit", () => zoom(0, end)]]) {
    byId(id).addEventListener("click", action);
  }
  for (const control of [search, kind, errors]) control.addEventListener("input", filter);
  let grabbed = null;
  const at = (event) => {
    const box = ruler.getBoundingClientRect();
    return from + (Math.min(Math.max(event.clientX - box.left, 0), box.width) / box.width) * (to - from);
  };
  ruler.addEventListener("pointerdown", (event) => {
    grabbed = at(event);
    ruler.setPointerCapture(event.pointerId);
  });
  ruler.addEventListener("pointerup", (event) => {
    const [start, stop] = [grabbed, at(event)].sort((a, b) => a - b);
    grabbed = null;
    if (stop - start > (to - from) / 200) zoom(start, stop);
  });
  ruler.addEventListener("dblclick", () => zoom(0, end));

  byId("title").textContent = data.title;
  byId("facts").textContent = data.facts;
  for (const each of [...new Set(spans.map((span) => span.kind))]) {
    const option = element("option", "", each);
    option.value = each;
    kind.append(option);
  }
  drawRuler();
  filter();
  if (!follow() && spans.length) select(0, { link: false });
  tree.focus();
})();
