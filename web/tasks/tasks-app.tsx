"use client";

import { QueryClientProvider } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { onSessionChange } from "../browser/session-channel.ts";
import { createSession } from "./session.ts";
import { TaskScreen } from "./task-screen.tsx";
import type { Show } from "./view.ts";

export interface TasksAppProps {
  readonly apiUrl: string;
  readonly user: { readonly id: string; readonly name: string };
  readonly show: Show;
}

export function TasksApp({ apiUrl, user, show }: TasksAppProps) {
  const [session] = useState(() => createSession(apiUrl, user.id));

  useEffect(() => {
    function startAnew() {
      session.forget();
      // The server knows who is here now.
      window.location.reload();
    }
    // The browser may bring back a page that was left, memory and all.
    function onShow({ persisted }: PageTransitionEvent) {
      if (persisted) startAnew();
    }
    window.addEventListener("pageshow", onShow);
    const stop = onSessionChange((change) => {
      if (change === "signed-out") session.end();
      else startAnew();
    });
    return () => {
      window.removeEventListener("pageshow", onShow);
      stop();
    };
  }, [session]);

  return (
    <QueryClientProvider client={session.queryClient}>
      <TaskScreen session={session} userName={user.name} firstShow={show} />
    </QueryClientProvider>
  );
}
