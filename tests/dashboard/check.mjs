// Checks the Grafana dashboard without a Grafana: its structure against the types that Grafana
// publishes, the syntax of its queries, and that dashboard and alerts name nothing but what
// docs/observability.md says the service emits. A panel with a misspelt label is empty, not wrong,
// so nobody would notice.
//
//   node check.mjs [root of the repository]
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { parser as traceql } from "@grafana/lezer-traceql";
import { parser as promql } from "@prometheus-io/lezer-promql";
import ts from "typescript";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(process.argv[2] ?? path.join(here, "../.."));
const read = (file) => readFileSync(path.join(root, file), "utf8");

const faults = [];
const fault = (where, what) => faults.push(`${where}: ${what}`);

const DASHBOARD = "observability/grafana/dashboards/keyward.json";
const ALERTS = "observability/prometheus/alerts.yml";
const DOCS = "docs/observability.md";

// What the service emits, from the tables of the documentation.

const docs = read(DOCS);
const section = (title) => docs.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? "";
const words = (text) => [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1]);

const metrics = new Map();
for (const line of section("Metrics")
  .split("\n")
  .filter((line) => line.startsWith("| `"))) {
  const [, name, kind, labels] = line.split("|").map((cell) => cell.trim());
  // Prometheus adds job and instance to whatever it scrapes or is sent.
  const known = new Set(["job", "instance", ...words(labels)]);
  const [metric] = words(name);
  if (kind !== "histogram") {
    metrics.set(metric, known);
    continue;
  }
  metrics.set(`${metric}_bucket`, new Set([...known, "le"]));
  for (const suffix of ["_sum", "_count"]) metrics.set(metric + suffix, known);
}
const attributes = new Set(
  section("Spans")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .flatMap((line) => words(line)),
);
if (metrics.size === 0 || attributes.size === 0) fault(DOCS, "no tables under Metrics and Spans");

// Queries.

function brokenAt(parser, query) {
  let at;
  parser.parse(query).iterate({
    enter(node) {
      if (node.type.isError) at ??= node.from;
    },
  });
  return at;
}

let queries = 0;

function checkPromql(where, expression) {
  queries += 1;
  // Any duration does: Grafana puts one in.
  const query = expression.replaceAll("$__rate_interval", "5m");
  const at = brokenAt(promql, query);
  if (at !== undefined) return fault(where, `no PromQL at «${query.slice(at)}» of «${expression}»`);
  const text = (node) => query.slice(node.from, node.to);
  const used = new Set();
  promql.parse(query).iterate({
    enter({ name, node }) {
      if (name !== "VectorSelector") return;
      const metric = text(node.getChild("Identifier") ?? node);
      const known = metrics.get(metric);
      if (!known) return void fault(where, `${metric} is not in the table of ${DOCS}`);
      for (const label of known) used.add(label);
      node.cursor().iterate((inner) => {
        if (inner.name === "LabelName" && !known.has(text(inner))) {
          fault(where, `${metric} has no label ${text(inner)}`);
        }
      });
    },
  });
  promql.parse(query).iterate({
    enter({ name, node }) {
      if (name !== "GroupingLabels") return;
      for (const label of node.getChildren("LabelName")) {
        if (!used.has(text(label)))
          fault(where, `no metric in «${expression}» has the label ${text(label)}`);
      }
    },
  });
}

function checkTraceql(where, expression, variables) {
  queries += 1;
  const query = expression.replace(/\$\{?(\w+)\}?/g, (whole, name) => variables.get(name) ?? whole);
  const at = brokenAt(traceql, query);
  if (at !== undefined)
    return fault(where, `no TraceQL at «${query.slice(at)}» of «${expression}»`);
  const strings = /"[^"]*"/g;
  for (const [, name] of query.replace(strings, "").matchAll(/\bspan\.([\w.]+)/g)) {
    if (!attributes.has(name)) fault(where, `no span has the attribute ${name}`);
  }
}

// A link into Explore carries its query as JSON in the URL, around variables that stand in it bare.
function checkLink(where, { url }, variables) {
  if (!url?.startsWith("/explore?")) return;
  try {
    const bare = url.replace(/\$\{([\w.]+)\}/g, (_, name) =>
      name.startsWith("__field.labels.") ? "x" : "0",
    );
    const panes = JSON.parse(new URL(bare, "http://grafana").searchParams.get("panes"));
    for (const pane of Object.values(panes)) {
      for (const { query } of pane.queries) checkTraceql(where, query, variables);
    }
  } catch (error) {
    fault(where, `a link that Explore cannot read: ${error.message}`);
  }
}

// Structure.

// Grafana's kinds of panels that have types here; another is added when the dashboard needs it.
const KINDS = ["stat", "table", "text", "timeseries"];

const PRELUDE = `
import type { DataSourceRef } from "@grafana/grafana-foundation-sdk/common";
import type { Dashboard, FieldConfig, FieldConfigSource, Panel, RowPanel } from "@grafana/grafana-foundation-sdk/dashboard";
import type * as prometheus from "@grafana/grafana-foundation-sdk/prometheus";
import type * as stat from "@grafana/grafana-foundation-sdk/stat";
import type * as table from "@grafana/grafana-foundation-sdk/table";
import type * as tempo from "@grafana/grafana-foundation-sdk/tempo";
import type * as text from "@grafana/grafana-foundation-sdk/text";
import type * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";

// The types as JSON has them: strings instead of enums, no methods.
type Json<T> = 0 extends 1 & T ? T
  : T extends string ? \`\${T}\`
  : T extends readonly (infer U)[] ? Json<U>[]
  : T extends object ? { [K in keyof T as T[K] extends () => void ? never : K]: Json<T[K]> }
  : T;

type From<Kind extends string> = { datasource: DataSourceRef & { type: Kind; uid: Kind }; refId: string };
type Query = (Json<prometheus.Dataquery> & From<"prometheus">) | (Json<tempo.Dataquery> & From<"tempo">);
// The SDK types a field's links as a dashboard's, which they are not.
type DataLink = { title: string; url: string; targetBlank?: boolean; oneClick?: boolean };
type Fields<Custom> = Json<Omit<FieldConfigSource, "defaults">> & {
  defaults: Json<Omit<FieldConfig, "links" | "custom">> & { links?: DataLink[]; custom?: Custom };
};
type Of<Kind extends string, Options> = Json<Omit<Panel, "options" | "fieldConfig" | "targets">> & {
  type: Kind; id: number; title: string; options: Json<Options>;
};
type Queried<Kind extends string, Options, Custom> = Of<Kind, Options> & {
  description: string; datasource: DataSourceRef; targets: Query[]; fieldConfig: Fields<Custom>;
};
type Panel_stat = Queried<"stat", stat.Options, never>;
type Panel_table = Queried<"table", table.Options, Json<table.FieldConfig>>;
type Panel_text = Of<"text", text.Options>;
type Panel_timeseries = Queried<"timeseries", timeseries.Options, Json<timeseries.FieldConfig>>;
type Panel_row = Json<RowPanel> & { panels: [] };
type Outside = Json<Omit<Dashboard, "panels">> & { uid: string; title: string };
`;

function checkTypes({ panels, ...outside }) {
  let source = PRELUDE;
  const places = [];
  const add = (where, type, value) => {
    places.push({ from: source.length, where });
    source += `export const value_${places.length} = ${JSON.stringify(value, null, 1)} satisfies ${type};\n`;
  };
  add(DASHBOARD, "Outside", outside);
  for (const panel of panels) {
    if (panel.type !== "row" && !KINDS.includes(panel.type)) {
      fault(name(panel), `unknown kind of panel ${JSON.stringify(panel.type)}`);
      continue;
    }
    add(name(panel), `Panel_${panel.type}`, panel);
  }
  const file = path.join(here, "dashboard.generated.ts");
  const options = {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    noEmit: true,
    skipLibCheck: true,
    strict: true,
    target: ts.ScriptTarget.ES2022,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile } = host;
  host.fileExists = (name) => path.resolve(name) === file || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    path.resolve(name) === file
      ? ts.createSourceFile(file, source, ...rest)
      : getSourceFile(name, ...rest);
  for (const { start = 0, messageText } of ts.getPreEmitDiagnostics(
    ts.createProgram([file], options, host),
  )) {
    const { where } = places.findLast(({ from }) => from <= start) ?? { where: "the check itself" };
    const line = source.slice(start, source.indexOf("\n", start)).trim();
    // The last line is the innermost reason; those before it repeat whole types.
    const reason = ts.flattenDiagnosticMessageText(messageText, "\n").split("\n").at(-1).trim();
    fault(where, `at «${line.slice(0, 100)}»: ${reason.slice(0, 240)}`);
  }
}

const name = ({ id, title }) => `${DASHBOARD}: panel ${id} ${JSON.stringify(title)}`;

function checkLayout(panels) {
  const ids = new Set();
  const taken = new Map();
  for (const panel of panels) {
    if (ids.has(panel.id)) fault(name(panel), "its id is taken");
    ids.add(panel.id);
    const { x, y, w, h } = panel.gridPos ?? {};
    if (!(x >= 0 && w > 0 && h > 0 && x + w <= 24)) {
      fault(name(panel), "does not lie within the 24 columns");
      continue;
    }
    const cells = Array.from(
      { length: w * h },
      (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`,
    );
    const other = cells.map((cell) => taken.get(cell)).find(Boolean);
    if (other) fault(name(panel), `overlaps ${JSON.stringify(other)}`);
    for (const cell of cells) taken.set(cell, panel.title);
  }
}

let dashboard;
try {
  dashboard = JSON.parse(read(DASHBOARD));
} catch (error) {
  fault(DASHBOARD, error.message);
}
if (dashboard && !Array.isArray(dashboard.panels)) fault(DASHBOARD, "has no list of panels");
else if (dashboard) {
  checkTypes(dashboard);
  checkLayout(dashboard.panels);
  const variables = new Map(
    (dashboard.templating?.list ?? []).map(({ name, query }) => [name, query]),
  );
  for (const panel of dashboard.panels) {
    for (const target of panel.targets ?? []) {
      if (typeof target.expr === "string") checkPromql(name(panel), target.expr);
      if (typeof target.query === "string") checkTraceql(name(panel), target.query, variables);
    }
    for (const link of panel.fieldConfig?.defaults?.links ?? [])
      checkLink(name(panel), link, variables);
  }
}

// The alerts' syntax is promtool's business; here, their names and their headings.

const alerts = read(ALERTS)
  .split(/^ +- alert: /m)
  .slice(1);
for (const alert of alerts) {
  const [title] = alert.split("\n", 1);
  const where = `${ALERTS}: ${title}`;
  const [, block, inline] = alert.match(/^ +expr: (?:\|\n((?:^ {10,}.*\n)+)|(.*)$)/m) ?? [];
  if (block ?? inline) checkPromql(where, block ?? inline);
  else fault(where, "has no expr that this check can read");
  if (!section("Alerts").includes(`\n### ${title}\n`))
    fault(where, `${DOCS} has no heading for it`);
  if (!alert.includes(`heading ${title}:`)) fault(where, "its runbook does not name its heading");
}
if (alerts.length === 0) fault(ALERTS, "no alerts");

if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exit(1);
}
console.log(
  `dashboard: ${dashboard.panels.length} panels, ${alerts.length} alerts, ${queries} queries: no fault found`,
);
