import { QueryCache, QueryClient } from "@tanstack/react-query";
import { backoffMs } from "./backoff.ts";
import { describeFailure, isSessionEnd } from "./failure.ts";

const FRESH_MS = 10_000;

/**
 * Reads heal by themselves: the first failure is tried again at once and unseen, later ones after
 * growing pauses while the person is told, for as long as the page is looked at.
 */
export function createQueryClient(onSessionEnd: () => void): QueryClient {
  let failures = 0;
  return new QueryClient({
    queryCache: new QueryCache({
      onSuccess: () => {
        failures = 0;
      },
      onError: (error) => {
        failures += 1;
        if (isSessionEnd(error)) onSessionEnd();
      },
    }),
    defaultOptions: {
      queries: {
        staleTime: FRESH_MS,
        // What the browser believes of the network is often wrong: the answers decide.
        networkMode: "always",
        refetchOnReconnect: true,
        retry: (count, error) => count === 0 && describeFailure(error).passing,
        retryDelay: 300,
        refetchInterval: ({ state: { status, error } }) => {
          const { passing, retryAfterMs } = describeFailure(error);
          return status === "error" && passing && backoffMs(failures, retryAfterMs);
        },
      },
      mutations: { networkMode: "always" },
    },
  });
}
