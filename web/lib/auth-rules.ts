/** What the server decides and the pages must know. */

/** Not Better Auth's own, which any other program on localhost may use: cookies ignore ports. */
export const COOKIE_PREFIX = "keyward";

export const PASSWORD_MIN_LENGTH = 12;
export const PASSWORD_MAX_LENGTH = 128;
