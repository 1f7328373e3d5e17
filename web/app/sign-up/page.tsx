import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { nextPath } from "../../lib/next-path.ts";
import { getUser } from "../../server/session.ts";
import { AuthPage } from "../../ui/auth-page.tsx";

export const metadata: Metadata = { title: "Create account" };

export default async function SignUp({ searchParams }: PageProps<"/sign-up">) {
  const path = nextPath((await searchParams).next);
  const user = await getUser();
  if (user !== null && user !== "unavailable") redirect(path);
  return (
    <AuthPage
      purpose="sign-up"
      title="Create account"
      next={path}
      other={{ question: "Have an account?", path: "/sign-in", link: "Sign in" }}
    />
  );
}
