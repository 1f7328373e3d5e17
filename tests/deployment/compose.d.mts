export interface Service {
  readonly command?: string[];
  readonly environment: Record<string, string>;
  readonly healthcheck: { readonly test: string[] };
}

export interface Compose {
  readonly services: Record<string, Service>;
  readonly configs: Record<string, { readonly content: string }>;
}

export const ROOT: string;
export const SECRETS: string[];
export function readCompose(variables: Record<string, string>): Compose;
