import type { Metadata } from "next";
import { DeadEnd } from "../ui/dead-end.tsx";

export const metadata: Metadata = { title: "Page not found" };

export default function NotFound() {
  return (
    <DeadEnd title="There is no such page">
      <p>The address may be mistyped, or the page may be gone.</p>
    </DeadEnd>
  );
}
