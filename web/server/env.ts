/**
 * The app's settings: read from the environment when the server runs, never when it is built, so
 * that one image serves every deployment.
 *
 * A value that does not fit stops the start with one line that names the variable and says what a
 * right value looks like. No message repeats a value: it may hold a password.
 */

export type DatabaseUrl =
  | { readonly kind: "sqlite"; readonly path: string }
  | { readonly kind: "postgres"; readonly url: string };

export interface Settings {
  readonly production: boolean;
  /** Where browsers find this app: an origin. */
  readonly appOrigin: string;
  /** Where browsers find the task API: its base URL, without a slash at the end. */
  readonly apiUrl: string;
  readonly apiOrigin: string;
  readonly audience: string;
  /** How long a token for the API lives, as Better Auth takes it: "15m". */
  readonly tokenLifetime: string;
  /** Days after which a new key signs; undefined: the first key signs for ever. */
  readonly rotationDays: number | undefined;
  /** Undefined outside production only: one is made and kept. */
  readonly secret: string | undefined;
  readonly database: DatabaseUrl;
  readonly trustedProxies: readonly string[];
}

export class SettingError extends Error {
  constructor(variable: string, problem: string) {
    super(`${variable} ${problem}`);
    this.name = "SettingError";
  }
}

type Source = Readonly<Record<string, string | undefined>>;

const MIN_SECRET_LENGTH = 32;
const DEFAULT_ROTATION_DAYS = 30;
/** Until it has expired, a token cannot be taken back: a day is more than anybody should want. */
const MAX_TOKEN_SECONDS = 24 * 60 * 60;
const SECONDS = { s: 1, m: 60, h: 60 * 60 } as const;

export function readSettings(source: Source): Settings {
  const production = source.NODE_ENV === "production";
  const app = httpUrl(source, "BETTER_AUTH_URL", production ? undefined : "http://localhost:3000");
  if (app.pathname !== "/") {
    throw new SettingError(
      "BETTER_AUTH_URL",
      "must be an origin without a path, like https://app.example.com: the app lives at its root",
    );
  }
  const api = httpUrl(source, "API_URL", "http://localhost:8000");
  return {
    production,
    appOrigin: app.origin,
    apiUrl: api.href.replace(/\/+$/, ""),
    apiOrigin: api.origin,
    audience: text(source, "JWT_AUDIENCE") ?? api.origin,
    tokenLifetime: tokenLifetime(text(source, "JWT_EXPIRATION") ?? "15m"),
    rotationDays: rotationDays(text(source, "JWT_ROTATION_DAYS")),
    secret: secret(text(source, "BETTER_AUTH_SECRET"), production),
    database: databaseUrl(text(source, "DATABASE_URL") ?? "sqlite:auth.db"),
    trustedProxies: (text(source, "TRUSTED_PROXIES") ?? "")
      .split(",")
      .map((entry) => entry.trim())
      .filter((entry) => entry !== ""),
  };
}

/** Compose files and shells pass "unset" as an empty string. */
function text(source: Source, variable: string): string | undefined {
  const value = source[variable]?.trim();
  return value === "" ? undefined : value;
}

function httpUrl(source: Source, variable: string, fallback: string | undefined): URL {
  const example = "like https://app.example.com";
  const value = text(source, variable) ?? fallback;
  if (value === undefined)
    throw new SettingError(variable, `is required in production, ${example}`);
  if (!/^https?:\/\//i.test(value) || !URL.canParse(value)) {
    throw new SettingError(variable, `must be an http or https URL, ${example}`);
  }
  const url = new URL(value);
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new SettingError(variable, `must have no user, password, query or fragment: ${example}`);
  }
  return url;
}

function tokenLifetime(value: string): string {
  const match = /^(\d{1,6}) ?([smh])$/.exec(value);
  const seconds = match === null ? 0 : Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS];
  // Better Auth takes a bare number for a point in time, in 1970: every token would be expired.
  if (seconds < 1 || seconds > MAX_TOKEN_SECONDS) {
    throw new SettingError(
      "JWT_EXPIRATION",
      "must be a number of seconds, minutes or hours up to 24h, like 15m",
    );
  }
  return value.replace(" ", "");
}

function rotationDays(value: string | undefined): number | undefined {
  if (value === undefined) return DEFAULT_ROTATION_DAYS;
  if (!/^\d{1,4}$/.test(value)) {
    throw new SettingError(
      "JWT_ROTATION_DAYS",
      "must be a whole number of days, like 30; 0 for never",
    );
  }
  return Number(value) === 0 ? undefined : Number(value);
}

function secret(value: string | undefined, production: boolean): string | undefined {
  if (value === undefined && !production) return undefined;
  if (value === undefined || value.length < MIN_SECRET_LENGTH) {
    throw new SettingError(
      "BETTER_AUTH_SECRET",
      `must have at least ${MIN_SECRET_LENGTH} characters, as from: openssl rand -base64 32`,
    );
  }
  return value;
}

function databaseUrl(value: string): DatabaseUrl {
  // The API's spellings too: sqlite:auth.db, sqlite://auth.db, sqlite:///var/lib/auth.db.
  const path = /^sqlite:(?:\/\/)?(?<path>[^?]+)$/.exec(value)?.groups?.path;
  if (path !== undefined) return { kind: "sqlite", path };
  if (/^postgres(?:ql)?:\/\//.test(value) && URL.canParse(value)) {
    return { kind: "postgres", url: value };
  }
  throw new SettingError(
    "DATABASE_URL",
    "must be like sqlite:auth.db or postgres://user:password@host:5432/name",
  );
}
