/**
 * What was typed when the session ended, until the same person is back in the same tab. It is the
 * only thing the app ever keeps in the browser's storage, and only for this one way.
 */
const KEY = "keyward-draft";

export function keepDraft(userId: string, text: string): void {
  if (text.trim() === "") return;
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ userId, text }));
  } catch {
    // Without storage the text is lost; that must not keep anybody here.
  }
}

export function takeDraft(userId: string): string {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    sessionStorage.removeItem(KEY);
    const draft = kept as { readonly userId?: unknown; readonly text?: unknown } | null;
    return draft?.userId === userId && typeof draft.text === "string" ? draft.text : "";
  } catch {
    return "";
  }
}
