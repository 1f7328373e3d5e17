// What breaks a client, where api-smart-diff judges otherwise or not at all.
//
// What clients send may only be allowed more; what they get may only promise more.

/**
 * Enumerations in answers that are announced as growing, because clients must have a default branch
 * anyway. Their values are promises all the same: taking one back breaks.
 */
const GROWING = ["components/schemas/Problem/properties/code/enum"];

// For people and tools to read; no client depends on it.
const PROSE = /^(description|summary|title|examples?|externalDocs|tags|links|deprecated|x-.*)$/;

// Below these stand names that somebody chose, which may look like any keyword.
const NAMED = ["paths", "parameters", "responses", "headers", "content", "properties", "schemas"];

/**
 * Whether a difference breaks clients; undefined leaves the question to api-smart-diff.
 *
 * A difference has the `path` where the part is used and the `place` where it is written, its
 * `action` ("add", "remove" or "replace"), the values `before` and `after`, and its `side` ("request",
 * "response" or undefined for neither). For a value in a list (`isListed`) path and place are the
 * list's, and `whole` says that the list itself came or went, and not just this value.
 */
export function breaks({ path, place, action, before, after, side, isListed, whole }) {
  const keys = keywords(path);
  const [key, parent, grandparent] = keys.toReversed();
  const added = action === "add";
  const removed = action === "remove";
  const request = side === "request";

  if (keys.some((step) => PROSE.test(step))) return false;
  // Compared as a whole, by `securityTightened`.
  if (keys.includes("security")) return false;
  if (keys[0] === "servers") return key === "url" || removed;
  // The names of functions in generated clients.
  if (key === "operationId") return !added;

  if (grandparent === "parameters" && ["style", "explode"].includes(key)) return true;
  if (key === "requestBody" && added) return after.required === true;
  if (grandparent === "headers" && key === "required") return before === true;
  // A client may have no parser for another media type.
  if (parent === "content" && side === "response") return true;

  if (parent === "properties") return removed;
  if (isListed) {
    // Another value is one less and one more.
    if (action === "replace") return true;
    if (key === "required") return request ? added : removed;
    // With its first value an enumeration comes, and allows less than before.
    const less = whole ? added : removed;
    const grows = GROWING.includes(place.join("/")) && !whole;
    return request || grows ? less : !less;
  }
  if (key === "additionalProperties" && !isObject(before) && !isObject(after)) {
    return request && after === false;
  }
  if (key === "type") return request ? !includes(after, before) : !includes(before, after);
  if ((key === "format" || key === "pattern") && action === "replace") return true;
  return undefined;
}

/** The path with an asterisk for each name that somebody chose. */
function keywords(path) {
  const keys = [];
  for (const step of path) keys.push(NAMED.includes(keys.at(-1)) ? "*" : step);
  return keys;
}

const isObject = (value) => typeof value === "object" && value !== null;

/** Whether one `type` allows all that the other does; in 3.1 it may be a list. */
function includes(type, other) {
  const types = [type].flat();
  const allows = (one) => types.includes(one) || (one === "integer" && types.includes("number"));
  return [other].flat().every(allows);
}

/** Whether some credentials that were enough are enough no longer. */
export function securityTightened(before, after) {
  return before.some((credentials) => !after.some((wanted) => satisfy(credentials, wanted)));
}

function satisfy(credentials, wanted) {
  return Object.entries(wanted).every(([scheme, scopes]) => {
    const given = credentials[scheme];
    return given !== undefined && scopes.every((scope) => given.includes(scope));
  });
}

/** The alternatives that an operation accepts; no alternatives are the same as `{}` alone. */
export function securityOf(document, operation) {
  const alternatives = operation.security ?? document.security ?? [];
  return alternatives.length > 0 ? alternatives : [{}];
}
