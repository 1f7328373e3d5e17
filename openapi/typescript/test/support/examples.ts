import type { Task } from "@keyward/client";

export const TASK: Task = {
  id: "019ab2c3-d4e5-7f60-8a1b-2c3d4e5f6071",
  title: "Buy milk",
  completed: false,
  revision: 1,
  createdAt: "2026-01-02T03:04:05.678901Z",
  updatedAt: "2026-01-02T03:04:05.678901Z",
};

export const PROBLEM = {
  type: "urn:keyward:problem:task_not_found",
  title: "Task not found",
  status: 404,
  code: "task_not_found",
  detail: "there is no task with this id",
  traceId: "0af7651916cd43dd8448eb211c80319c",
} as const;

export function json(body: unknown, init: ResponseInit = {}): Response {
  return Response.json(body, init);
}

export function problem(members: Record<string, unknown>, init: ResponseInit = {}): Response {
  const body = { ...PROBLEM, ...members };
  return new Response(JSON.stringify(body), {
    status: body.status,
    ...init,
    headers: { "Content-Type": "application/problem+json", ...init.headers },
  });
}
