"use strict";
// Talks to this server alone. What it shows it sets as text, never as markup.

const at = (id) => document.getElementById(id);
const node = (name, text, kind) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
};
const SVG = "http://www.w3.org/2000/svg";
const drawn = (name, values, text) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
};
const digits = (x) => x.toFixed(3);
const lines = (id) => at(id).value.split("\n").map((l) => l.trim()).filter((l) => l);

async function ask(path, body) {
  const headers = {};
  if (at("key").value) headers.Authorization = `Bearer ${at("key").value}`;
  const options = { headers };
  if (body) {
    options.method = "POST";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer.");
  }
  const text = await response.text();
  if (response.ok) return path.startsWith("card") ? text : JSON.parse(text);
  if (response.status === 401) {
    at("locked").hidden = false;
    at("key").focus();
  }
  let said = text;
  try {
    const error = JSON.parse(text);
    said = error.error?.message ?? error.error ?? error.message ?? text;
  } catch {
    // It is shown as it is.
  }
  throw new Error(said || `The server answered ${response.status}.`);
}

function grade(answer) {
  const found = answer.grades[0];
  const all = [];
  const first = node("div");
  first.append(node("span", digits(found.recommended), "large"));
  const names = { calibrated: "grade", grade: "grade of the head", cosine: "cosine", score: "score" };
  first.append(node("span", ` ${names[found.recommended_is]}`, "soft"));
  all.push(first);
  const band = found.calibrated;
  if (band && answer.scale) {
    const [low, high] = answer.scale;
    const x = (value) => 10 + (280 * (value - low)) / (high - low);
    const percent = Math.round(100 * answer.coverage);
    const said = `${digits(band.low)} to ${digits(band.high)} holds the grade of ${percent} of 100 such pairs`;
    const picture = drawn("svg", { viewBox: "0 0 300 48", role: "img", "aria-label": said });
    picture.append(
      drawn("line", { class: "axis", x1: 10, x2: 290, y1: 16, y2: 16 }),
      drawn("line", { class: "interval", x1: x(band.low), x2: x(band.high), y1: 16, y2: 16 }),
      drawn("circle", { class: "grade", cx: x(band.grade), cy: 16, r: 6 }),
      drawn("text", { x: 10, y: 42 }, low),
      drawn("text", { x: 290, y: 42, "text-anchor": "end" }, high),
    );
    all.push(picture, node("div", said, "soft"));
  }
  for (const kind of ["cosine", "score"]) {
    if (found[kind] !== undefined && found.recommended_is !== kind) {
      all.push(node("div", `${kind} ${digits(found[kind])}`, "soft"));
    }
  }
  if (found.truncated) all.push(node("div", "A text was cut to the model's length.", "soft"));
  if (found.unknown) {
    all.push(node("div", "A text is empty or mostly unknown to the model.", "soft"));
  }
  return all;
}

function ranking(answer, documents) {
  const list = node("ol");
  const scores = answer.results.map((r) => r.relevance_score);
  const least = Math.min(0, ...scores);
  for (const { index, relevance_score: score } of answer.results) {
    const item = node("li", `${documents[index]} `);
    item.append(node("span", digits(score), "soft"));
    const bar = node("progress");
    bar.max = 1;
    bar.value = Math.max(0, (score - least) / (1 - least));
    bar.setAttribute("aria-hidden", "true");
    item.append(bar);
    list.append(item);
  }
  return [list];
}

function vector(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

// From dark blue over light to red: as clear to those who do not tell red from green.
function colour(x) {
  const t = Math.max(0, Math.min(1, x));
  const stops = [[33, 60, 110], [88, 141, 190], [235, 235, 225], [226, 140, 86], [160, 30, 45]];
  const place = Math.min(3, Math.floor(t * 4));
  const part = t * 4 - place;
  const mix = (c) => Math.round(stops[place][c] + part * (stops[place + 1][c] - stops[place][c]));
  return [mix(0), mix(1), mix(2)];
}

function matrix(answer, texts) {
  const vectors = answer.data.map((d) => vector(d.embedding));
  const cosine = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  const all = vectors.map((a) => vectors.map((b) => cosine(a, b)));
  const count = texts.length;
  const side = node("div");
  const canvas = node("canvas");
  canvas.width = canvas.height = count;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "Cosines of all lines with all lines; arrow keys move");
  const context = canvas.getContext("2d");
  const image = context.createImageData(count, count);
  all.flat().forEach((x, i) => image.data.set([...colour(x), 255], 4 * i));
  context.putImageData(image, 0, 0);
  const reading = node("div", "Point at a square, or move with the arrow keys.", "soft");
  reading.setAttribute("aria-live", "polite");
  let [row, column] = [0, 0];
  const show = () => {
    reading.textContent = `${digits(all[row][column])}: “${texts[row]}” and “${texts[column]}”`;
  };
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const place = (x, from, size) => Math.max(0, Math.min(count - 1, Math.floor(((x - from) / size) * count)));
    column = place(event.clientX, box.left, box.width);
    row = place(event.clientY, box.top, box.height);
    show();
  });
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    row = Math.max(0, Math.min(count - 1, row + move[0]));
    column = Math.max(0, Math.min(count - 1, column + move[1]));
    show();
  });
  side.append(canvas, reading);
  const list = node("ol");
  all.forEach((values, i) => {
    const others = values.map((x, j) => [x, j]).filter(([, j]) => j !== i);
    others.sort((a, b) => b[0] - a[0] || a[1] - b[1]);
    const item = node("li", texts[i]);
    for (const [x, j] of others.slice(0, 3)) item.append(node("div", `${digits(x)} ${texts[j]}`, "soft"));
    list.append(item);
  });
  const parts = node("div", undefined, "parts");
  parts.append(side, list);
  return [parts];
}

function answers(form, result, work) {
  const button = at(form).querySelector("button");
  const run = async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    at(result).setAttribute("aria-busy", "true");
    try {
      at(result).replaceChildren(...(await work()));
    } catch (error) {
      at(result).replaceChildren(node("div", error.message, "wrong"));
    } finally {
      button.disabled = false;
      at(result).removeAttribute("aria-busy");
    }
  };
  at(form).addEventListener("submit", run);
  at(form).addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run(event);
  });
}

const model = () => at("model").value || undefined;

answers("pair", "pair-result", async () => {
  const pairs = [[at("first").value, at("second").value]];
  return grade(await ask("grade", { pairs, model: model() }));
});
answers("rank", "rank-result", async () => {
  const documents = lines("documents");
  if (!documents.length) throw new Error("There are no lines.");
  const query = at("query").value;
  return ranking(await ask("v1/rerank", { query, documents, model: model() }), documents);
});
answers("list", "list-result", async () => {
  const input = lines("lines");
  if (!input.length) throw new Error("There are no lines.");
  if (input.length > 200) throw new Error(`${input.length} lines are more than 200.`);
  const asked = { input, model: model(), encoding_format: "base64" };
  return matrix(await ask("v1/embeddings", asked), input);
});

async function describe() {
  const name = encodeURIComponent(model() ?? "");
  try {
    const info = await ask(`info?model=${name}`);
    const kind = Object.keys(info.model_type)[0];
    const values = info.dimensions ? `, ${info.dimensions} values` : "";
    at("about").textContent = `${kind}${values}, at most ${info.max_input_length} tokens, ${info.model_dtype}`;
    const card = await ask(`card?model=${name}`);
    at("card-text").textContent = card || "Its folder has no card.";
  } catch (error) {
    at("about").textContent = error.message;
  }
}

async function begin() {
  try {
    const found = await ask("v1/models");
    at("model").replaceChildren(...found.data.map((m) => node("option", m.id)));
    at("locked").hidden = true;
    await describe();
    if (!found.data.every((m) => m.ready)) setTimeout(describe, 1000);
  } catch (error) {
    at("about").textContent = error.message;
  }
}

at("model").addEventListener("change", describe);
at("key").addEventListener("change", begin);
begin();
