/** Whether this Node.js has `node:sqlite` without a flag (22.13 and newer). */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

export const nodeHasSqlite = major > 22 || (major === 22 && minor >= 13);
