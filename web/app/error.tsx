"use client";

import { DeadEnd } from "../ui/dead-end.tsx";

interface ErrorPageProps {
  readonly error: Error & { readonly digest?: string };
  readonly reset: () => void;
}

export default function ErrorPage({ error, reset }: ErrorPageProps) {
  return (
    <DeadEnd
      title="Something went wrong"
      action={
        <button className="button" data-look="primary" type="button" onClick={reset}>
          Try again
        </button>
      }
    >
      <title>Something went wrong · Keyward</title>
      <p>This page could not be shown. What you saved is safe.</p>
      {error.digest && <p>Error {error.digest}</p>}
    </DeadEnd>
  );
}
