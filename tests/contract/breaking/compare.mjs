// Finds what would break the clients of the API's last release.

import { isDeepStrictEqual } from "node:util";
import { apiCompare } from "api-smart-diff";
import { dereferenced, LISTS, operations, origin } from "./document.mjs";
import { breaks, securityOf, securityTightened } from "./rules.mjs";

/** Each break in one line, the same line for all uses of a shared part. */
export function breakingChanges(released, current) {
  return [
    ...new Set([
      ...changedParts(released, current),
      ...tightenedSecurity(released, current),
      ...removedTypes(released, current),
    ]),
  ].sort();
}

function changedParts(released, current) {
  const [then, now] = withoutEqual(dereferenced(released), dereferenced(current));
  const { diffs, merged } = apiCompare(then, now);
  return diffs.flatMap((diff) => {
    const { action, before, after, type } = diff;
    // Two paths that differ in the names of their parameters, which generated clients have too.
    if (action === "rename") return [`${before}: became ${after}`];

    const used = diff.path.map((key, at) => parameterName(merged, diff.path, at) ?? key);
    const document = action === "add" ? current : released;
    const isListed = LISTS.includes(used.at(-2)) && typeof used.at(-1) === "number";
    const difference = isListed
      ? {
          path: used.slice(0, -1),
          place: origin(document, [...used.slice(0, -1), after ?? before]).slice(0, -1),
          whole: cameOrWent(diffs, merged, diff),
        }
      : { path: used, place: origin(document, used) };
    const side = sideOf(used);
    // What api-smart-diff cannot classify counts until someone has looked at it.
    const byDefault = type === "breaking" || type === "unclassified";
    const counts = breaks({ ...difference, isListed, side, action, before, after }) ?? byDefault;
    const what = difference.whole ? PAST[action] : change(action, before, after);
    return counts ? [line(difference.place, what, side)] : [];
  });
}

/** Leaves out what is the same in both; comparing all of it would take twenty times as long. */
function withoutEqual(before, after) {
  const drop = (one, other, key) => {
    if (!isDeepStrictEqual(one[key], other[key])) return;
    delete one[key];
    delete other[key];
  };
  for (const [method, path, operation] of operations(before)) {
    const successor = after.paths[path]?.[method];
    if (successor === undefined) continue;
    for (const status of Object.keys(operation.responses)) {
      drop(operation.responses, successor.responses, status);
    }
    drop(before.paths[path], after.paths[path], method);
    drop(before.paths, after.paths, path);
  }
  return [before, after];
}

/** The name of the parameter that this step of the path leads to, if it leads to one. */
function parameterName(merged, path, at) {
  const isParameter = path[at - 1] === "parameters" && typeof path[at] === "number";
  return isParameter ? valueAt(merged, path.slice(0, at + 1))?.name : undefined;
}

function sideOf([first, , , part]) {
  if (first !== "paths") return undefined;
  if (part === "responses") return "response";
  return part === "requestBody" || part === "parameters" ? "request" : undefined;
}

/** Whether a list came or went as a whole: all of its values are differences alike. */
function cameOrWent(diffs, merged, { action, path }) {
  const list = path.slice(0, -1).join("\n");
  const alike = diffs.filter(
    (other) => other.action === action && other.path.slice(0, -1).join("\n") === list,
  );
  return alike.length === valueAt(merged, path.slice(0, -1))?.length;
}

const valueAt = (value, path) => path.reduce((inner, key) => inner?.[key], value);

function line(place, what, side) {
  const [first, path, method, ...rest] = place;
  const at =
    first === "paths" && method ? [`${method.toUpperCase()} ${path}`, ...rest] : [place.join("/")];
  return `${at.join(" ")}: ${what}${side ? ` (${side})` : ""}`;
}

const PAST = { add: "added", remove: "removed" };

function change(action, before, after) {
  if (action === "replace") return `${shown(before)} became ${shown(after)}`;
  const value = after ?? before;
  return isPart(value) ? PAST[action] : `${PAST[action]} ${shown(value)}`;
}

/** A part of the document, which its place describes well enough. */
const isPart = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function shown(value) {
  const json = isPart(value) ? "{…}" : JSON.stringify(value);
  return json.length > 60 ? `${json.slice(0, 60)}…` : json;
}

function tightenedSecurity(released, current) {
  return operations(released).flatMap(([method, path, operation]) => {
    const successor = current.paths[path]?.[method];
    if (successor === undefined) return [];
    const before = securityOf(released, operation);
    const after = securityOf(current, successor);
    if (!securityTightened(before, after)) return [];
    return [line(["paths", path, method, "security"], change("replace", before, after))];
  });
}

/** Generated clients name their types after the components. */
function removedTypes(released, current) {
  return Object.keys(released.components.schemas)
    .filter((name) => !(name in current.components.schemas))
    .map((name) => line(["components", "schemas", name], "removed"));
}
