/**
 * The request that `fetch(input, init)` would send. A `Request` made of another with any change
 * forgets the referrer (Fetch §5.4), so that goes along.
 */
export function deriveRequest(input: RequestInfo | URL, init?: RequestInit): Request {
  if (!(input instanceof Request)) return new Request(input, init);
  const { referrer, referrerPolicy } = input;
  return new Request(input, { referrer, referrerPolicy, ...init });
}
