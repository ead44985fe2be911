/** What child processes inherit, without settings of a server of this machine. */
export function processEnvironment(): Record<string, string> {
  const inherited = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !entry[0].startsWith("SOTTO_") && !entry[0].startsWith("COMPOSE_"),
  );
  return Object.fromEntries(inherited);
}
