import Link from "next/link";
import type { ReactNode } from "react";
import { AuthForm } from "./auth-form.tsx";
import styles from "./auth-page.module.css";
import { Page } from "./page.tsx";

interface AuthPageProps {
  readonly purpose: "sign-in" | "sign-up";
  readonly title: string;
  readonly next: string;
  readonly notice?: ReactNode;
  readonly other: { readonly question: string; readonly path: string; readonly link: string };
}

export function AuthPage({ purpose, title, next, notice, other }: AuthPageProps) {
  return (
    <Page width="narrow">
      <div className={styles.card}>
        <h1>{title}</h1>
        <AuthForm purpose={purpose} next={next} notice={notice} />
      </div>
      <p className={styles.other}>
        {other.question}{" "}
        <Link href={`${other.path}?${new URLSearchParams({ next })}`}>{other.link}</Link>
      </p>
    </Page>
  );
}
