// Breaks that are meant: `[{"break": "the line that was printed", "reason": "why"}, …]`.

/** What is wrong: breaks that nobody allowed, and entries that allow nothing or give no reason. */
export function unanswered(lines, allowed) {
  const meant = allowed.map((entry) => entry.break);
  const surprising = lines.filter((line) => !meant.includes(line));
  const stale = meant.filter((line) => !lines.includes(line));
  const bare = allowed.filter(({ reason }) => !reason?.trim());
  return [
    ...surprising.map((line) => `breaks clients: ${line}`),
    ...stale.map((line) => `allowed, but not there any more: ${line}`),
    ...bare.map((entry) => `allowed without a reason: ${entry.break}`),
  ];
}
