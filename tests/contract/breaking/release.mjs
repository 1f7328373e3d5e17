// What each release does with the document: the one it ships becomes the one that later changes are
// held against, and the breaks that were allowed on the way to it are history.
//
//   npm run release --prefix tests/contract

import { copyFileSync, writeFileSync } from "node:fs";
import { ALLOWED, CURRENT, RELEASED } from "../support/files.mjs";

copyFileSync(CURRENT, RELEASED);
writeFileSync(ALLOWED, "[]\n");
console.log(`${CURRENT} is now the released document`);
