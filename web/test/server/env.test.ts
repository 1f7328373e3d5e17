import assert from "node:assert/strict";
import { test } from "node:test";
import { readSettings, SettingError } from "../../server/env.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const PRODUCTION = {
  NODE_ENV: "production",
  BETTER_AUTH_URL: "https://app.example.com",
  BETTER_AUTH_SECRET: SECRET,
};

function refusal(source: Record<string, string | undefined>): string {
  try {
    readSettings({ ...PRODUCTION, ...source });
  } catch (error) {
    assert.ok(error instanceof SettingError);
    assert.ok(!error.message.includes("\n"), "one line");
    return error.message;
  }
  return "accepted";
}

test("development needs no setting", () => {
  assert.deepEqual(readSettings({}), {
    production: false,
    appOrigin: "http://localhost:3000",
    apiUrl: "http://localhost:8000",
    apiOrigin: "http://localhost:8000",
    audience: "http://localhost:8000",
    tokenLifetime: "15m",
    rotationDays: 30,
    secret: undefined,
    database: { kind: "sqlite", path: "auth.db" },
    trustedProxies: [],
  });
});

test("production needs to be told its origin and its secret", () => {
  assert.match(refusal({ BETTER_AUTH_URL: undefined }), /^BETTER_AUTH_URL is required/);
  assert.match(refusal({ BETTER_AUTH_URL: "" }), /^BETTER_AUTH_URL is required/);
  assert.match(refusal({ BETTER_AUTH_SECRET: undefined }), /^BETTER_AUTH_SECRET must/);
  assert.equal(readSettings(PRODUCTION).secret, SECRET);
});

test("the audience is the API's origin, or what is given", () => {
  const API_URL = "https://api.example.com/v1/";
  assert.equal(readSettings({ ...PRODUCTION, API_URL }).audience, "https://api.example.com");
  assert.equal(readSettings({ ...PRODUCTION, API_URL }).apiUrl, "https://api.example.com/v1");
  const JWT_AUDIENCE = "urn:tasks";
  assert.equal(readSettings({ ...PRODUCTION, API_URL, JWT_AUDIENCE }).audience, "urn:tasks");
});

for (const value of [
  "app.example.com",
  "ftp://app.example.com",
  "https://",
  "https:app",
  "https://a b",
]) {
  test(`BETTER_AUTH_URL=${value} is no web address`, () => {
    assert.match(
      refusal({ BETTER_AUTH_URL: value }),
      /^BETTER_AUTH_URL must be an http or https URL/,
    );
  });
}

for (const value of [
  "https://u:p@app.example.com",
  "https://app.example.com/?a",
  "https://app.example.com/#a",
]) {
  test(`BETTER_AUTH_URL=${value} has more than an origin`, () => {
    assert.match(refusal({ BETTER_AUTH_URL: value }), /^BETTER_AUTH_URL must have no user/);
  });
}

test("the app lives at its origin's root", () => {
  assert.match(
    refusal({ BETTER_AUTH_URL: "https://a.example/app" }),
    /^BETTER_AUTH_URL must be an origin/,
  );
});

test("a short secret is refused and not repeated", () => {
  const message = refusal({ BETTER_AUTH_SECRET: "hunter2" });
  assert.match(message, /^BETTER_AUTH_SECRET must have at least 32/);
  assert.ok(!message.includes("hunter2"));
  // In development too: it would work until it is deployed.
  assert.match(
    refusal({ NODE_ENV: "development", BETTER_AUTH_SECRET: "hunter2" }),
    /^BETTER_AUTH_SECRET/,
  );
});

for (const [value, path] of [
  ["sqlite:auth.db", "auth.db"],
  ["sqlite://data/auth.db", "data/auth.db"],
  ["sqlite:///var/lib/auth.db", "/var/lib/auth.db"],
  ["sqlite:/var/lib/auth.db", "/var/lib/auth.db"],
] as const) {
  test(`DATABASE_URL=${value} is the file ${path}`, () => {
    const { database } = readSettings({ DATABASE_URL: value });
    assert.deepEqual(database, { kind: "sqlite", path });
  });
}

for (const url of ["postgres://u:p@h:5432/d", "postgresql://h/d"]) {
  test(`DATABASE_URL=${url} is PostgreSQL`, () => {
    assert.deepEqual(readSettings({ DATABASE_URL: url }).database, { kind: "postgres", url });
  });
}

for (const value of ["auth.db", "mysql://h/d", "sqlite:", "postgres://u:hunter2@h:port/d"]) {
  test(`DATABASE_URL=${value} is refused and not repeated`, () => {
    const message = refusal({ DATABASE_URL: value });
    assert.match(message, /^DATABASE_URL must/);
    assert.ok(!message.includes("hunter2"));
  });
}

for (const value of ["1s", "15m", "24h", "90 s"]) {
  test(`JWT_EXPIRATION=${value} is a time`, () => {
    assert.equal(readSettings({ JWT_EXPIRATION: value }).tokenLifetime, value.replace(" ", ""));
  });
}

// A bare number would be a moment in 1970; an unknown unit fails when the first token is asked for.
for (const value of ["900", "banana", "0m", "25h", "1d", "-5m", "1.5h", "15m "]) {
  const accepted = value.trim() !== value;
  test(`JWT_EXPIRATION="${value}" is ${accepted ? "trimmed" : "refused"}`, () => {
    const expected = accepted ? /^accepted$/ : /^JWT_EXPIRATION must/;
    assert.match(refusal({ JWT_EXPIRATION: value }), expected);
  });
}

test("keys rotate after so many days, or never", () => {
  assert.equal(readSettings({ JWT_ROTATION_DAYS: "7" }).rotationDays, 7);
  assert.equal(readSettings({ JWT_ROTATION_DAYS: "0" }).rotationDays, undefined);
  for (const value of ["-1", "1.5", "monthly", "99999"]) {
    assert.match(refusal({ JWT_ROTATION_DAYS: value }), /^JWT_ROTATION_DAYS must/);
  }
});

test("proxies are a list", () => {
  const { trustedProxies } = readSettings({ TRUSTED_PROXIES: "10.0.0.1, 10.1.0.0/16," });
  assert.deepEqual(trustedProxies, ["10.0.0.1", "10.1.0.0/16"]);
});
