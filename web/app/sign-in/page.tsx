import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { nextPath } from "../../lib/next-path.ts";
import { getUser } from "../../server/session.ts";
import { AuthPage } from "../../ui/auth-page.tsx";
import { Notice } from "../../ui/notice.tsx";

export const metadata: Metadata = { title: "Sign in" };

export default async function SignIn({ searchParams }: PageProps<"/sign-in">) {
  const { next, ended } = await searchParams;
  const path = nextPath(next);
  const user = await getUser();
  if (user !== null && user !== "unavailable") redirect(path);
  return (
    <AuthPage
      purpose="sign-in"
      title="Sign in"
      next={path}
      notice={
        ended !== undefined && (
          <Notice tone="info">Your session has ended. Sign in to go on where you were.</Notice>
        )
      }
      other={{ question: "New here?", path: "/sign-up", link: "Create account" }}
    />
  );
}
