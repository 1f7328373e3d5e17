/** Whose token it is. Only to compare with whom this page was made for: nothing is verified. */
export function tokenSubject(token: string): string | undefined {
  const payload = token.split(".")[1] ?? "";
  try {
    const bytes = Uint8Array.from(
      atob(payload.replaceAll("-", "+").replaceAll("_", "/")),
      (character) => character.charCodeAt(0),
    );
    const { sub } = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown };
    return typeof sub === "string" ? sub : undefined;
  } catch {
    return undefined;
  }
}
