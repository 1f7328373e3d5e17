// Ways around in an OpenAPI document.

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/** Lists of values, in which each value is a part of its own. */
export const LISTS = ["required", "enum"];

/** Every operation as `[method, path, operation]`. */
export function operations(document) {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => [method, path, item[method]]),
  );
}

/**
 * The document with each reference replaced by what it leads to, so that a part is compared where
 * it is used, and moving or renaming a component is no difference. Ours has no circular ones.
 */
export function dereferenced(document) {
  const copy = (value) => {
    if (Array.isArray(value)) return value.map(copy);
    if (value === null || typeof value !== "object") return value;
    if (typeof value.$ref === "string") {
      // In 3.1 a reference may have siblings, such as a description of its own.
      const { $ref, ...siblings } = value;
      return copy({ ...follow(document, $ref), ...siblings });
    }
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, copy(member)]));
  };
  const { securitySchemes } = document.components;
  const whole = { ...copy({ ...document, components: {} }), components: { securitySchemes } };
  for (const item of Object.values(whole.paths)) shareParameters(item);
  return whole;
}

/** Gives each operation the parameters of its path, unless it has its own of that name. */
function shareParameters(item) {
  const { parameters: shared = [] } = item;
  delete item.parameters;
  for (const operation of METHODS.map((method) => item[method]).filter(Boolean)) {
    const own = operation.parameters ?? [];
    const isOwn = (one) => own.some((other) => other.name === one.name && other.in === one.in);
    operation.parameters = [...shared.filter((one) => !isOwn(one)), ...own];
  }
}

/**
 * Where the part at this path of the dereferenced document is written in the document itself: the
 * place a developer changes, the same for all its uses.
 */
export function origin(document, path) {
  return locate(document, [], document, path).place;
}

/** The place that leads furthest along the path, and how much of the path is left there. */
function locate(document, place, value, path) {
  if (path.length === 0) return { place, left: 0 };
  const [key, ...rest] = path;
  const found = [{ place: [...place, ...path], left: path.length }];
  const child = childOf(place, value, key);
  if (child !== undefined) found.push(locate(document, [...place, key], child, rest));
  if (value?.$ref !== undefined) {
    found.push(locate(document, keysOf(value.$ref), follow(document, value.$ref), path));
  }
  for (const [index, part] of (value?.allOf ?? []).entries()) {
    found.push(locate(document, [...place, "allOf", index], part, path));
  }
  return found.reduce((best, other) => (other.left < best.left ? other : best));
}

function childOf(place, value, key) {
  // A value in a list is told by itself, wherever it stands.
  if (LISTS.includes(place.at(-1)) && Array.isArray(value)) return value.includes(key) || undefined;
  return typeof value === "object" ? value?.[key] : undefined;
}

function follow(document, reference) {
  const target = keysOf(reference).reduce((value, key) => value?.[key], document);
  if (target === undefined) throw new Error(`${reference} leads nowhere`);
  return target;
}

const keysOf = (reference) =>
  reference
    .split("/")
    .slice(1)
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
