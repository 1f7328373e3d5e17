import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { preconnect } from "react-dom";
import { signInPath } from "../../lib/next-path.ts";
import { readSettings } from "../../server/env.ts";
import { getUser } from "../../server/session.ts";
import { TasksApp } from "../../tasks/tasks-app.tsx";
import { readShow, tasksPath } from "../../tasks/view.ts";
import { AuthAway } from "../../ui/auth-away.tsx";

export const metadata: Metadata = { title: "Tasks" };

export default async function Tasks({ searchParams }: PageProps<"/tasks">) {
  const { show: wanted } = await searchParams;
  const show = readShow(typeof wanted === "string" ? wanted : null);
  const user = await getUser();
  if (user === "unavailable") return <AuthAway title="Tasks" />;
  // There was a cookie, or the proxy would have sent them on.
  if (user === null) redirect(signInPath(tasksPath(show), "ended"));

  const { apiUrl, apiOrigin } = readSettings(process.env);
  preconnect(apiOrigin, { crossOrigin: "anonymous" });
  return <TasksApp apiUrl={apiUrl} user={user} show={show} />;
}
