"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const canvas = document.getElementById("points");
const tip = document.getElementById("tip");
const search = document.getElementById("search");
const points = data.points;
const number = (n) => n.toLocaleString("en");
const hue = (cluster) => (cluster * 137.508) % 360;
const dark = matchMedia("(prefers-color-scheme: dark)");
const color = (cluster) =>
  cluster < 0 ? (dark.matches ? "#59626f" : "#b9c0ca")
    : `hsl(${hue(cluster)} 65% ${dark.matches ? 62 : 42}%)`;

const drawn = points.length < data.texts ? `, ${number(points.length)} of them drawn` : "";
document.getElementById("about").textContent =
  `${number(data.texts)} texts${drawn}, ${number(data.clusters.length)} clusters by ${data.method}` +
  (data.alone ? `, ${number(data.alone)} texts in none` : "") + `; vectors of ${data.model}`;

// What is shown: a cluster, or texts that match.
let chosen = null, matching = null, near = -1;
const least = [Infinity, Infinity], most = [-Infinity, -Infinity];
for (const p of points) for (const i of [0, 1]) {
  least[i] = Math.min(least[i], p[i]);
  most[i] = Math.max(most[i], p[i]);
}
const span = [0, 1].map((i) => Math.max(most[i] - least[i], 1e-9));
let zoom = 1, shift = [0, 0];
const place = (p) => [0, 1].map((i) => {
  const size = i ? canvas.clientHeight : canvas.clientWidth;
  const part = (p[i] - least[i]) / span[i];
  return (((i ? 1 - part : part) * 0.92 + 0.04 - 0.5) * zoom + 0.5) * size + shift[i];
});
const shown = (p, n) =>
  (chosen === null || p[2] === chosen) && (matching === null || matching.has(n));

function draw() {
  const scale = devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * scale;
  canvas.height = canvas.clientHeight * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const radius = Math.max(1.5, Math.min(4.5, 90 / Math.sqrt(points.length))) * Math.min(zoom, 2) ** 0.5;
  // Faint ones first.
  for (const wanted of [false, true]) {
    pen.globalAlpha = wanted ? 0.85 : 0.12;
    points.forEach((p, n) => {
      if (shown(p, n) !== wanted) return;
      const [x, y] = place(p);
      pen.fillStyle = color(p[2]);
      pen.beginPath();
      pen.arc(x, y, wanted && n === near ? 2 * radius : radius, 0, 7);
      pen.fill();
    });
  }
}

function nearest(x, y) {
  let best = -1, far = 14 * 14;
  points.forEach((p, n) => {
    if (!shown(p, n)) return;
    const [a, b] = place(p), d = (a - x) ** 2 + (b - y) ** 2;
    if (d < far) [best, far] = [n, d];
  });
  return best;
}

function tell(n) {
  if (n === near) return;
  near = n;
  tip.hidden = n < 0;
  if (n >= 0) {
    const p = points[n], [x, y] = place(p);
    const name = document.createElement("small");
    const words = p[2] < 0 ? "in no cluster" : data.clusters[p[2]].keywords.slice(0, 3).join(", ");
    name.textContent = `${p[3]} · ${words}`;
    tip.replaceChildren(p[4], name);
    tip.style.left = `${Math.max(0, Math.min(x + 12, canvas.clientWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${Math.max(0, Math.min(y + 12, canvas.clientHeight - tip.offsetHeight - 8))}px`;
  }
  draw();
}

function zoomed(by, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const to = Math.max(1, Math.min(60, zoom * by)), factor = to / zoom;
  const middle = [canvas.clientWidth / 2, canvas.clientHeight / 2];
  shift = [x, y].map((at, i) => at - middle[i] - (at - middle[i] - shift[i]) * factor);
  if (to === 1) shift = [0, 0];
  zoom = to;
  tell(-1);
  draw();
}

let held = null;
canvas.addEventListener("pointerdown", (e) => {
  held = [e.clientX, e.clientY];
  canvas.setPointerCapture(e.pointerId);
});
canvas.addEventListener("pointerup", () => { held = null; });
canvas.addEventListener("pointermove", (e) => {
  const at = canvas.getBoundingClientRect();
  if (held) {
    shift = [shift[0] + e.clientX - held[0], shift[1] + e.clientY - held[1]];
    held = [e.clientX, e.clientY];
    draw();
  } else tell(nearest(e.clientX - at.left, e.clientY - at.top));
});
canvas.addEventListener("pointerleave", () => tell(-1));
canvas.addEventListener("wheel", (e) => {
  e.preventDefault();
  const at = canvas.getBoundingClientRect();
  zoomed(Math.exp(-e.deltaY / 400), e.clientX - at.left, e.clientY - at.top);
}, { passive: false });
canvas.addEventListener("keydown", (e) => {
  const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[e.key];
  if (step) shift = [shift[0] + step[0], shift[1] + step[1]];
  else if (e.key === "+" || e.key === "=") return zoomed(1.4);
  else if (e.key === "-") return zoomed(1 / 1.4);
  else if (e.key === "0") return zoomed(0);
  else return;
  e.preventDefault();
  draw();
});

search.addEventListener("input", () => {
  const words = search.value.trim().toLowerCase();
  matching = words === "" ? null : new Set(points.flatMap((p, n) =>
    p[4].toLowerCase().includes(words) || p[3].toLowerCase() === words ? [n] : []));
  document.getElementById("matches").textContent =
    matching === null ? "" : `${number(matching.size)} found`;
  draw();
});

const list = document.getElementById("clusters");
data.clusters.forEach((cluster, n) => {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-pressed", "false");
  const dot = document.createElement("i"), words = document.createElement("span"), size = document.createElement("b");
  dot.style.background = color(n);
  words.textContent = cluster.keywords.slice(0, 6).join(", ") || "(no words)";
  size.textContent = number(cluster.size);
  button.append(dot, words, size);
  button.addEventListener("click", () => {
    chosen = chosen === n ? null : n;
    for (const [i, other] of [...list.children].entries()) other.setAttribute("aria-pressed", String(i === chosen));
    draw();
  });
  list.append(button);
});
new ResizeObserver(draw).observe(canvas);
dark.addEventListener("change", () => {
  [...list.children].forEach((button, n) => { button.firstChild.style.background = color(n); });
  draw();
});
draw();
