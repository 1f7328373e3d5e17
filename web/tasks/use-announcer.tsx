import { useCallback, useState } from "react";

/** A polite live region, and how to say something in it. */
export function useAnnouncer() {
  const [said, setSaid] = useState({ text: "", count: 0 });
  const announce = useCallback(
    (text: string) => setSaid(({ count }) => ({ text, count: count + 1 })),
    [],
  );
  const region = (
    <p className="visually-hidden" role="status">
      {/* A new element each time: the same words twice are news twice. */}
      <span key={said.count}>{said.text}</span>
    </p>
  );
  return { announce, region };
}
