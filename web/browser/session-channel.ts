const NAME = "keyward-session";

export type SessionChange = "signed-in" | "signed-out";

// A channel hears all others of its name, those of its own page too.
const TAB = Math.random().toString(36);

/** Tells the other tabs what happened in this one. */
export function announceSessionChange(change: SessionChange): void {
  const channel = new BroadcastChannel(NAME);
  channel.postMessage({ tab: TAB, change });
  channel.close();
}

/** Calls back when another tab announces a change; returns how to stop. */
export function onSessionChange(callback: (change: SessionChange) => void): () => void {
  const channel = new BroadcastChannel(NAME);
  channel.onmessage = ({ data }: MessageEvent<{ tab: string; change: SessionChange }>) => {
    if (data.tab !== TAB) callback(data.change);
  };
  return () => channel.close();
}
