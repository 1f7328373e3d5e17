// How src/generated is made from the service's document: `npm run generate`.

import { defineConfig } from "@hey-api/openapi-ts";

// What can go wrong on the way to the service and back. The service knows nothing of
// these, yet whoever handles an error meets them beside its own codes.
const CLIENT_CODES = [
  "http_error",
  "network_error",
  "response_invalid",
  "session_ended",
  "timeout",
  "token_unavailable",
];

export default defineConfig({
  input: "../openapi.json",
  logs: { file: false },
  output: {
    path: "src/generated",
    module: { extension: ".js" },
    // No formatter and no tsconfig of the surroundings: the same output everywhere.
    tsConfigPath: null,
  },
  parser: {
    patch: {
      schemas: {
        Problem: (schema) => {
          const { code } = schema.properties;
          code.enum = [...code.enum, ...CLIENT_CODES].sort();
          code.description += " Or one of the client's own: see `ApiError`.";
        },
      },
      // The generator sends the media type that comes first. A patch is a merge patch.
      operations: (_method, _path, { requestBody }) => {
        if (requestBody?.content?.["application/merge-patch+json"]) {
          delete requestBody.content["application/json"];
        }
      },
    },
  },
  plugins: [
    "@hey-api/typescript",
    { name: "@hey-api/client-fetch", baseUrl: false, throwOnError: true },
    // A call without `client` would go out without a token, to the page's own origin.
    { name: "@hey-api/sdk", client: false },
    "@tanstack/react-query",
  ],
});
