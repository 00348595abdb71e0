// The page: cases beside the map; a case's sheet with its rule, facts, missing proof and next steps.
import { current, say, turn, words } from "./words.js";
import * as map from "./map.js";

const by = (id) => document.getElementById(id);
const STATUSES = ["suspected", "doubt", "field_check", "proven", "returned", "city_review", "province_review", "objection",
  "violation", "stop_order", "filed", "investigation", "audited", "notice", "hearing", "decision", "served", "executed",
  "court", "closed", "rectification", "verification", "signed_off", "lawful", "rural_road", "facility", "other", "pseudo_change"];
const ROLES = ["county", "city", "province", "legal"];
const state = { features: [], pairs: [], scenes: [], cases: [], next: 0, total: 0, chosen: null };

async function ask(path, body) {
  let answer;
  try {
    answer = await fetch(path, body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  } catch {
    throw new Error(say("unreachable"));
  }
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.message);
  return found;
}

function complain(error) {
  by("fault").textContent = error?.message ?? "";
  by("fault").hidden = !error;
}

const guarded = (work) => async (...given) => {
  complain(null);
  try {
    await work(...given);
  } catch (error) {
    complain(error);
  }
};

function make(tag, text, ...children) {
  const element = document.createElement(tag);
  if (text !== undefined && text !== null) element.textContent = text;
  element.append(...children);
  return element;
}

const area = (row) => `${row.area_m2.toLocaleString(current(), { maximumFractionDigits: 0 })} m² · ${row.area_mu.toFixed(2)} 亩`;

async function loadMap() {
  [state.pairs, state.scenes] = await Promise.all([ask("pairs"), ask("scenes")]);
  state.features = [];
  for (let cursor = 0; cursor !== null; ) {
    const page = await ask(`changes?limit=1000&cursor=${cursor}`);
    state.features.push(...page.features);
    cursor = page.next;
  }
  map.draw(state.features, guarded(choose));
  map.fit();
  await show(state.features[0]);
}

async function show(feature) {
  const pair = state.pairs.find((p) => p.id === feature?.properties.pair_id);
  const scene = (id) => state.scenes.find((s) => s.id === id);
  await Promise.all([map.picture("before", scene(pair?.before_scene)), map.picture("after", scene(pair?.after_scene))]);
}

async function loadCases(fresh) {
  if (fresh) Object.assign(state, { cases: [], next: 0 });
  const query = new URLSearchParams({ limit: 50, cursor: state.next });
  for (const name of ["status", "verdict"]) if (by(name).value) query.set(name, by(name).value);
  const page = await ask(`cases?${query}`);
  state.cases.push(...page.items);
  Object.assign(state, { next: page.next, total: page.total });
  list();
}

function list() {
  by("cases").replaceChildren(
    ...state.cases.map((row) => {
      const button = make("button", null, make("b", say(row.verdict)), make("span", `${row.rule} · ${say(row.status)}`),
        make("span", `${area(row)} · ${say(row.change_class)}`), make("small", row.id));
      button.type = "button";
      button.style.setProperty("--color", map.COLORS[row.verdict] ?? "#888888");
      button.addEventListener("click", guarded(() => open(row.id)));
      return make("li", null, button);
    }),
  );
  by("more").hidden = state.next === null;
  by("summary").textContent = state.features.length || state.total
    ? `${state.features.length} ${say("changes")} · ${state.total} ${say("cases")}` : say("empty");
}

async function choose(feature) {
  map.select(feature.id);
  await show(feature);
  if (feature.properties.case_id) await open(feature.properties.case_id);
  else explain(feature);
}

async function open(id) {
  const file = await ask(`cases/${encodeURIComponent(id)}`);
  state.chosen = file;
  map.select(file.change_id);
  await show(state.features.find((feature) => feature.id === file.change_id)).catch(complain);
  sheet(file);
}

function heading(title, verdict) {
  const back = make("button", say("back"));
  back.type = "button";
  back.addEventListener("click", close);
  const name = make("h2", say(verdict));
  name.style.setProperty("--color", map.COLORS[verdict] ?? "#888888");
  return [back, name, make("small", title)];
}

function close() {
  state.chosen = null;
  by("sheet").hidden = true;
  by("list").hidden = false;
}

function put(...parts) {
  by("sheet").replaceChildren(...parts);
  by("sheet").hidden = false;
  by("list").hidden = true;
  document.querySelector("aside").scrollTop = 0;
}

const number = (value) => (typeof value === "number" ? value.toLocaleString(current(), { maximumFractionDigits: 4 }) : String(value));

function table(title, entries) {
  const rows = Object.entries(entries).map(([name, value]) => make("tr", null, make("th", name), make("td", number(value))));
  return make("section", null, make("h3", title), rows.length ? make("table", null, ...rows) : make("p", say("nothing")));
}

const line = (title, text) => make("p", null, make("b", `${title} `), document.createTextNode(text || say("nothing")));
const days = (row) => [row.before, row.after].map((moment) => moment?.slice(0, 10) ?? "?").join(" → ");

function explain(feature) {
  const row = feature.properties;
  put(...heading(feature.id, row.verdict), line(say("rule"), row.rule_id), line(say("dates"), days(row)),
    line(say("area"), `${row.area_m2.toFixed(0)} m²`), table(say("missing"), row.missing));
}

function sheet(file) {
  const events = file.events.map((event) => make("li", null, make("b", say(event.kind)),
    document.createTextNode(` ${event.at.slice(0, 16).replace("T", " ")} · ${event.actor} · ${say(event.to_status)} ${event.reason}`)));
  put(...heading(`${file.id} · ${say(file.status)}`, file.verdict), line(say("rule"), file.rule), line(say("basis"), file.basis),
    line(say("dates"), days(file)), line(say("area"), area(file)), line(say("region"), file.region), line(say("proof"), file.proof),
    table(say("missing"), file.missing), table(say("facts"), file.seen),
    table(say("held"), Object.fromEntries(Object.entries(file.held).map(([k, v]) => [say(k), v]))), steps(file),
    make("section", null, make("h3", say("history")), make("ol", null, ...events)));
}

function field(name, label, kind = "input") {
  const input = make(kind);
  input.name = name;
  return [make("label", label, input), input];
}

function steps(file) {
  const form = make("form");
  const [officerLabel, officer] = field("actor", say("officer"));
  const [roleLabel, role] = field("role", say("role"), "select");
  role.append(...ROLES.map((name) => new Option(say(name), name)));
  officer.required = true;
  officer.value = localStorage.getItem("tiankan.officer") ?? "";
  role.value = localStorage.getItem("tiankan.role") ?? "county";
  const lacking = [...new Set(file.moves.flatMap((move) => move.needs))].filter((kind) => !(kind in file.held));
  const evidence = lacking.map((kind) => field(kind, say(kind)));
  const buttons = file.moves.map((move) => {
    const button = make("button", `${say(move.to)} (${move.roles.map(say).join(", ")})`);
    button.value = move.to;
    button.title = move.needs.map(say).join(", ");
    return button;
  });
  form.append(make("h3", say("moves")), officerLabel, roleLabel, ...evidence.map(([label]) => label), make("div", null, ...buttons));
  form.addEventListener("submit", guarded(async (event) => {
    event.preventDefault();
    localStorage.setItem("tiankan.officer", officer.value);
    localStorage.setItem("tiankan.role", role.value);
    const given = Object.fromEntries(evidence.filter(([, input]) => input.value.trim()).map(([, input]) => [input.name, input.value.trim()]));
    await ask(`cases/${encodeURIComponent(file.id)}/moves`, { to: event.submitter.value, actor: officer.value, role: role.value, evidence: given, version: file.version });
    await open(file.id);
    await loadCases(true);
  }));
  return form;
}

function dress() {
  document.documentElement.lang = current() === "zh" ? "zh-CN" : "en";
  by("language").textContent = say("language");
  by("footnote").textContent = say("footnote");
  by("more").textContent = say("more");
  for (const name of ["in", "out", "fit", "swipe"]) by(name).setAttribute("aria-label", say(name));
  const fill = (id, all, names) => {
    const chosen = by(id).value;
    by(id).setAttribute("aria-label", say(all));
    by(id).replaceChildren(new Option(say(all), ""), ...names.map((name) => new Option(say(name), name)));
    by(id).value = chosen;
  };
  fill("status", "all_statuses", words(STATUSES));
  fill("verdict", "all_verdicts", ["suspected_violation", "doubt"]);
  map.legend();
  list();
}

by("language").addEventListener("click", guarded(async () => {
  turn();
  dress();
  if (state.chosen) sheet(state.chosen);
  await show(state.features.find((f) => f.id === state.chosen?.change_id) ?? state.features[0]);
}));
by("more").addEventListener("click", guarded(() => loadCases(false)));
for (const name of ["status", "verdict"]) by(name).addEventListener("change", guarded(() => loadCases(true)));
map.listen();
dress();
guarded(async () => {
  await loadCases(true);
  await loadMap().finally(dress);
})();
