// jose's verdicts on tokens: what it says to the same token with the same key set and the same rules.
//
//   node jose.mjs < cases
//
// `cases` is {"issuer", "audience", "algorithms", "now", "leeway", "cases": [{"keys", "token"}]}; the
// answer is an array with "accepted" or the code of jose's error for each case.

import { json } from "node:stream/consumers";
import { createLocalJWKSet, jwtVerify } from "jose";

const { issuer, audience, algorithms, now, leeway, cases } = await json(process.stdin);

// As strict as the options of a resource server make it, but for `typ`: it would be one value, and
// Better Auth's own tokens have none.
const options = {
  issuer,
  audience,
  algorithms,
  currentDate: new Date(now * 1000),
  clockTolerance: leeway,
  requiredClaims: ["exp", "sub"],
};

const verdicts = [];
for (const { keys, token } of cases) {
  try {
    await jwtVerify(token, createLocalJWKSet(keys), options);
    verdicts.push("accepted");
  } catch (error) {
    // What WebCrypto throws has a number for a code.
    verdicts.push(typeof error.code === "string" ? error.code : error.name);
  }
}
process.stdout.write(JSON.stringify(verdicts));
