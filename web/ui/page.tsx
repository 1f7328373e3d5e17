import type { ReactNode } from "react";
import { Brand } from "./brand.tsx";
import styles from "./page.module.css";

interface PageProps {
  /** What stands opposite the brand. */
  readonly aside?: ReactNode;
  readonly children: ReactNode;
  /** `narrow` for a form alone. */
  readonly width?: "narrow" | "wide";
}

/** What every page has: the brand, and a main part that the skip link leads to. */
export function Page({ aside, children, width = "wide" }: PageProps) {
  return (
    <>
      <header className={styles.header}>
        <Brand />
        {aside}
      </header>
      <main id="main" tabIndex={-1} className={styles.main} data-width={width}>
        {children}
      </main>
    </>
  );
}
