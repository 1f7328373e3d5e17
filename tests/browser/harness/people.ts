/** People with an account, made behind the pages: only a few tests are about signing up. */

import { randomInt, randomUUID } from "node:crypto";
import type { APIRequest, APIResponse, BrowserContext } from "@playwright/test";
import { expect } from "@playwright/test";

export interface Credentials {
  name: string;
  email: string;
  password: string;
}

/** A task, as far as tests look at it. */
export interface Task {
  id: string;
  title: string;
  completed: boolean;
  revision: number;
}

export type StorageState = Awaited<ReturnType<BrowserContext["storageState"]>>;

/** Nobody else has these. */
export function newCredentials(name: string): Credentials {
  return { name, email: `${randomUUID()}@example.com`, password: "correct horse battery" };
}

export class Person {
  readonly credentials: Credentials;
  /** What makes a browser context theirs. */
  readonly storageState: StorageState;
  readonly id: string;
  readonly #request: Awaited<ReturnType<APIRequest["newContext"]>>;
  readonly #apiUrl: string;

  private constructor(
    credentials: Credentials,
    id: string,
    storageState: StorageState,
    request: Awaited<ReturnType<APIRequest["newContext"]>>,
    apiUrl: string,
  ) {
    this.credentials = credentials;
    this.id = id;
    this.storageState = storageState;
    this.#request = request;
    this.#apiUrl = apiUrl;
  }

  static async signUp(
    request: APIRequest,
    { webUrl, apiUrl, name }: { webUrl: string; apiUrl: string; name: string },
  ): Promise<Person> {
    const credentials = newCredentials(name);
    const context = await request.newContext({
      baseURL: webUrl,
      extraHTTPHeaders: {
        // Better Auth refuses a sign-up that no page of its own could have sent,
        origin: webUrl,
        // and more than three in ten seconds from one address.
        "x-forwarded-for": `10.${randomInt(256)}.${randomInt(256)}.${randomInt(1, 255)}`,
      },
    });
    const response = await context.post("/api/auth/sign-up/email", { data: credentials });
    await succeeded(response);
    const { user } = (await response.json()) as { user: { id: string } };
    return new Person(credentials, user.id, await context.storageState(), context, apiUrl);
  }

  /** What this person may do with the API, done without a page. */
  async call(
    method: string,
    path: string,
    options: { data?: unknown; headers?: Record<string, string> } = {},
  ): Promise<APIResponse> {
    const answer = await this.#request.get("/api/auth/token");
    await succeeded(answer);
    const { token } = (await answer.json()) as { token: string };
    return this.#request.fetch(`${this.#apiUrl}${path}`, {
      method,
      ...options,
      headers: { authorization: `Bearer ${token}`, ...options.headers },
    });
  }

  /** Oldest first, so the last title is on top of the list. */
  async addTasks(...titles: string[]): Promise<Task[]> {
    const tasks: Task[] = [];
    for (const title of titles) {
      const response = await this.call("POST", "/api/tasks", { data: { title } });
      await succeeded(response);
      tasks.push((await response.json()) as Task);
    }
    return tasks;
  }

  /** The newest, as the API has them. */
  async tasks(): Promise<Task[]> {
    const response = await this.call("GET", "/api/tasks?limit=100");
    await succeeded(response);
    return ((await response.json()) as { items: Task[] }).items;
  }

  async leave(): Promise<void> {
    await this.#request.dispose();
  }
}

async function succeeded(response: APIResponse): Promise<void> {
  expect(response.ok(), `${response.url()}: ${response.status()} ${await response.text()}`).toBe(
    true,
  );
}
