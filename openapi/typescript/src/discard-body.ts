/** Lets go of a body that nobody will read, so that it does not hold its connection. */
export function discardBody({ body }: Response): void {
  body?.cancel().catch(() => {});
}
