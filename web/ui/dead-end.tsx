import Link from "next/link";
import type { ReactNode } from "react";
import { Page } from "./page.tsx";

interface DeadEndProps {
  readonly title: string;
  readonly children: ReactNode;
  readonly action?: ReactNode;
}

/** A page that has nothing to show but a way on. */
export function DeadEnd({ title, children, action }: DeadEndProps) {
  return (
    <Page width="narrow">
      <div className="dead-end">
        <h1>{title}</h1>
        {children}
        <p className="actions">
          {action}
          <Link className="button" href="/">
            Go to the start
          </Link>
        </p>
      </div>
    </Page>
  );
}
