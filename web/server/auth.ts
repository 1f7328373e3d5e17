import "server-only";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { nextCookies } from "better-auth/next-js";
import { jwt } from "better-auth/plugins";
import { COOKIE_PREFIX, PASSWORD_MIN_LENGTH } from "../lib/auth-rules.ts";
import { type Database, openDatabase } from "./database.ts";
import { readSettings, type Settings } from "./env.ts";
import { describeError, logLine } from "./log.ts";
import { developmentSecret } from "./secret.ts";

const DAY_SECONDS = 24 * 60 * 60;

export type Auth = ReturnType<typeof createAuth>;

interface Opened {
  readonly auth: Auth;
  readonly database: Database;
}

// `next dev` loads this module anew after each edit; the database stays open.
const kept = globalThis as typeof globalThis & { keywardAuth?: Promise<Opened> };

/** Opened by the first who asks: `next build` loads this module too, and has no database. */
function open(): Promise<Opened> {
  kept.keywardAuth ??= (async () => {
    const settings = readSettings(process.env);
    const database = await openDatabase(settings.database);
    return { auth: createAuth(settings, database), database };
  })();
  return kept.keywardAuth;
}

export const getAuth = async (): Promise<Auth> => (await open()).auth;

export const pingDatabase = async (): Promise<void> => (await open()).database.ping();

/** Makes what is missing: tables, and the first signing key. */
export async function prepareAuth(): Promise<void> {
  const { auth, database } = await open();
  await database.prepare(async () => {
    await (await getMigrations(auth.options)).runMigrations();
    // Else the first requests, coming at once, would each make a key.
    await auth.api.getJwks();
  });
}

function createAuth(settings: Settings, database: Database) {
  return betterAuth({
    appName: "Keyward",
    baseURL: settings.appOrigin,
    secret: settings.secret ?? developmentSecret(settings.database),
    database: database.connection,
    telemetry: { enabled: false },
    logger: {
      level: "warn",
      // The arguments are dropped but for an error: they are rows and request bodies.
      log: (level, message, ...rest) => {
        const error = rest.find((each) => each instanceof Error);
        logLine(level, error === undefined ? message : `${message} ${describeError(error)}`);
      },
    },
    // The route logs what is thrown; Better Auth would print it whole, the row's values too.
    onAPIError: { throw: true },
    emailAndPassword: { enabled: true, minPasswordLength: PASSWORD_MIN_LENGTH },
    advanced: {
      cookiePrefix: COOKIE_PREFIX,
      // By the scheme, not by NODE_ENV: a production build must also run on http://localhost.
      useSecureCookies: settings.appOrigin.startsWith("https:"),
      ipAddress: { trustedProxies: [...settings.trustedProxies] },
      // Beyond this many rows the newest key would not be published (the default is 100).
      database: { defaultFindManyLimit: 1000 },
    },
    plugins: [
      jwt({
        // A token goes to who asks for one, and does not ride on every answer about the session.
        disableSettingJwtHeader: true,
        jwks: {
          ...(settings.rotationDays && { rotationInterval: settings.rotationDays * DAY_SECONDS }),
          // An old key's last tokens live a day at most.
          gracePeriod: 2 * DAY_SECONDS,
        },
        jwt: {
          audience: settings.audience,
          expirationTime: settings.tokenLifetime,
          // By default the whole row of the user goes to whoever holds the token.
          definePayload: ({ user }) => ({ email: user.email, name: user.name }),
        },
      }),
      nextCookies(),
    ],
  });
}
