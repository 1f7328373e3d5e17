"use client";

import { AUTH_AWAY } from "../lib/auth-answer.ts";
import { Notice } from "./notice.tsx";
import { Page } from "./page.tsx";

/** In the place of a page that needs to know who asks. */
export function AuthAway({ title }: { readonly title: string }) {
  return (
    <Page>
      <div className="dead-end">
        <h1>{title}</h1>
        <Notice onRetry={() => window.location.reload()}>
          <p>{AUTH_AWAY}</p>
        </Notice>
      </div>
    </Page>
  );
}
