/** `test` with the app, signed in as somebody who has just got an account. */

import type { BrowserContextOptions, Page } from "@playwright/test";
import { Person, type StorageState } from "./people.ts";
import { Stack, type StackOptions } from "./stack.ts";
import { test as watched } from "./test.ts";

interface TestFixtures {
  /** Whose `page` is. */
  person: Person;
  newPerson: (name: string) => Promise<Person>;
  /** A page on another device: somebody's, or nobody's. */
  openPage: (person?: Person, options?: BrowserContextOptions) => Promise<Page>;
}

interface WorkerFixtures {
  stackOptions: StackOptions;
  stack: Stack;
}

/** Said outright: a context that is told nothing gets what `page` has. */
const NOBODY: StorageState = { cookies: [], origins: [] };

export const test = watched.extend<TestFixtures, WorkerFixtures>({
  stackOptions: [{}, { scope: "worker", option: true }],

  stack: [
    async ({ stackOptions, programs }, use) => {
      const stack = await Stack.start(stackOptions);
      programs.push(...stack.programs);
      await use(stack);
      await stack.end();
    },
    { scope: "worker", timeout: 120_000 },
  ],

  baseURL: async ({ stack }, use) => use(stack.web.url),

  watch: async ({ stack, watch }, use) => {
    watch.allowOrigins(stack.web.url);
    watch.allowApi(stack.api.url);
    await use(watch);
  },

  newPerson: async ({ playwright, stack }, use) => {
    const people: Person[] = [];
    await use(async (name) => {
      const urls = { webUrl: stack.web.url, apiUrl: stack.api.url };
      const person = await Person.signUp(playwright.request, { ...urls, name });
      people.push(person);
      return person;
    });
    for (const person of people) await person.leave();
  },

  person: async ({ newPerson }, use) => use(await newPerson("Ada Lovelace")),

  storageState: async ({ person }, use) => use(person.storageState),

  openPage: async ({ newPage }, use) =>
    use((person, options) => newPage({ ...options, storageState: person?.storageState ?? NOBODY })),
});

export { expect } from "@playwright/test";
