// The map: two quicklooks in Web Mercator under a swipe bar, polygons over them; pan by drag, zoom by wheel or pinch.
import { say } from "./words.js";

export const COLORS = {
  suspected_violation: "#e4002b", doubt: "#ff9500", lawful: "#18a03c", rural_road: "#18a03c", facility: "#18a03c",
  temporary: "#18a03c", other: "#2f7fe0", pseudo_change: "#888888",
};
const SVG = "http://www.w3.org/2000/svg";
const RADIUS = 6378137;
const by = (id) => document.getElementById(id);

// Web Mercator meters; y grows southward, as a screen's does.
const project = ([lon, lat]) => [
  (RADIUS * lon * Math.PI) / 180,
  -RADIUS * Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360)),
];

let view = { x: 0, y: 0, width: 1, height: 1 };
let everything = null;
const hidden = new Set();
const shown = new Map();

function apply() {
  const box = by("canvas").getBoundingClientRect();
  const ratio = box.width / Math.max(box.height, 1);
  const middle = [view.x + view.width / 2, view.y + view.height / 2];
  if (view.width / view.height < ratio) view.width = view.height * ratio;
  else view.height = view.width / ratio;
  view.x = middle[0] - view.width / 2;
  view.y = middle[1] - view.height / 2;
  by("canvas").setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
  swipe();
}

function swipe() {
  const part = { x: view.x - view.width, y: view.y - view.height, height: 3 * view.height };
  part.width = view.width * (1 + by("swipe").value / 100);
  for (const [key, value] of Object.entries(part)) by("left-part").setAttribute(key, value);
}

export function zoom(factor, at = [0.5, 0.5]) {
  const [x, y] = [view.x + view.width * at[0], view.y + view.height * at[1]];
  view = { x: x - (x - view.x) * factor, y: y - (y - view.y) * factor, width: view.width * factor, height: view.height * factor };
  apply();
}

export function fit(bounds = everything) {
  if (!bounds) return;
  const pad = Math.max(bounds[2] - bounds[0], bounds[3] - bounds[1], 50) * 0.08;
  view = { x: bounds[0] - pad, y: bounds[1] - pad, width: bounds[2] - bounds[0] + 2 * pad, height: bounds[3] - bounds[1] + 2 * pad };
  apply();
}

function grow(box, point) {
  return [Math.min(box[0], point[0]), Math.min(box[1], point[1]), Math.max(box[2], point[0]), Math.max(box[3], point[1])];
}

export function draw(features, choose) {
  by("shapes").replaceChildren();
  shown.clear();
  everything = null;
  for (const feature of features) {
    let box = [Infinity, Infinity, -Infinity, -Infinity];
    const rings = feature.geometry.coordinates.map((ring) => ring.map(project));
    rings[0].forEach((point) => (box = grow(box, point)));
    everything = everything ? grow(grow(everything, box.slice(0, 2)), box.slice(2)) : box;
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", rings.map((ring) => `M${ring.map((p) => p.join(" ")).join("L")}Z`).join(""));
    path.style.stroke = COLORS[feature.properties.verdict] ?? "#888888";
    path.addEventListener("click", () => choose(feature));
    by("shapes").append(path);
    shown.set(feature.id, { path, box, feature });
  }
  filter();
}

function filter() {
  for (const { path, feature } of shown.values()) path.style.display = hidden.has(feature.properties.verdict) ? "none" : "";
}

export function select(changeId) {
  for (const [id, { path }] of shown) path.classList.toggle("selected", id === changeId);
  const found = shown.get(changeId);
  if (!found) return;
  by("shapes").append(found.path);
  const [w, h] = [found.box[2] - found.box[0], found.box[3] - found.box[1]];
  const room = Math.max(w, h, 60) * 2;
  fit([found.box[0] - room, found.box[1] - room, found.box[2] + room, found.box[3] + room]);
}

export function legend() {
  const counts = {};
  for (const { feature } of shown.values()) counts[feature.properties.verdict] = (counts[feature.properties.verdict] ?? 0) + 1;
  by("legend").replaceChildren(
    ...Object.keys(counts).sort().map((verdict) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `${say(verdict)} ${counts[verdict]}`;
      button.style.setProperty("--color", COLORS[verdict] ?? "#888888");
      button.setAttribute("aria-pressed", String(!hidden.has(verdict)));
      button.addEventListener("click", () => {
        if (!hidden.delete(verdict)) hidden.add(verdict);
        filter();
        legend();
      });
      return button;
    }),
  );
}

export async function picture(id, scene) {
  const element = by(id);
  by(`${id}-date`).textContent = scene ? `${say(id)} ${scene.acquired?.slice(0, 10) ?? scene.name}` : "";
  if (element.dataset.scene === (scene?.id ?? "")) return;
  element.dataset.scene = scene?.id ?? "";
  element.removeAttribute("href");
  if (!scene) return;
  const answer = await fetch(`scenes/${scene.id}/quicklook`);
  if (!answer.ok) throw new Error((await answer.json()).message);
  const [left, bottom, right, top] = answer.headers.get("X-Bounds").split(",").map(Number);
  for (const [key, value] of Object.entries({ x: left, y: -top, width: right - left, height: top - bottom })) element.setAttribute(key, value);
  element.setAttribute("preserveAspectRatio", "none");
  element.setAttribute("href", URL.createObjectURL(await answer.blob()));
}

export function listen() {
  const canvas = by("canvas");
  const fingers = new Map();
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  canvas.addEventListener("wheel", (event) => (event.preventDefault(), zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, at(event))), { passive: false });
  canvas.addEventListener("pointerdown", (event) => fingers.set(event.pointerId, at(event)));
  canvas.addEventListener("pointermove", (event) => {
    const old = fingers.get(event.pointerId);
    if (!old) return;
    const now = at(event);
    const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    if (others.length) {
      const [from, to] = [old, now].map((p) => Math.hypot(p[0] - others[0][0], p[1] - others[0][1]));
      if (to > 0.01) zoom(from / to, others[0]);
    } else {
      view.x -= (now[0] - old[0]) * view.width;
      view.y -= (now[1] - old[1]) * view.height;
      apply();
    }
    fingers.set(event.pointerId, now);
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (step) {
      view.x += step[0] * view.width * 0.1;
      view.y += step[1] * view.height * 0.1;
      apply();
    }
  });
  by("swipe").addEventListener("input", swipe);
  by("in").addEventListener("click", () => zoom(1 / 1.5));
  by("out").addEventListener("click", () => zoom(1.5));
  by("fit").addEventListener("click", () => fit());
  new ResizeObserver(apply).observe(canvas);
}
