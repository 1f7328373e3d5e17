interface PolicyOptions {
  readonly nonce: string;
  readonly apiOrigin: string;
  /** `next dev` compiles with eval, adds styles by script, and has an overlay with fonts. */
  readonly development: boolean;
}

/** The Content-Security-Policy of a page: its own files, this one answer's scripts, one API. */
export function contentSecurityPolicy({ nonce, apiOrigin, development }: PolicyOptions): string {
  const directives = {
    "default-src": "'none'",
    "script-src": `'nonce-${nonce}' 'strict-dynamic'${development ? " 'unsafe-eval'" : ""}`,
    "style-src": development ? "'self' 'unsafe-inline'" : "'self'",
    "img-src": "'self'",
    "font-src": development ? "'self'" : "'none'",
    "connect-src": `'self' ${apiOrigin}`,
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "object-src": "'none'",
  };
  return Object.entries(directives)
    .map(([name, value]) => `${name} ${value}`)
    .join("; ");
}
