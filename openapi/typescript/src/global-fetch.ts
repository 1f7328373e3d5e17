/** The global `fetch` as it is at the time of the call: tests and tracing put theirs there later. */
export const globalFetch: typeof fetch = (input, init) => globalThis.fetch(input, init);
