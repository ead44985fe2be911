import { readConfig } from "./config.ts";
import { unpackedServer } from "./debian-package.ts";
import { firstThatWorks } from "./first-that-works.ts";
import { commandOnPath, type ServerCommand } from "./server-command.ts";

/** How to run Prometheus' own checker: from the PATH, or from an unpacked package. */
export async function promtoolCommand(): Promise<ServerCommand> {
  const { cacheFolder, searchPath } = readConfig();
  const debian = { package: "prometheus", suite: "bookworm", binary: "usr/bin/promtool" };
  return firstThatWorks("promtool", [
    {
      name: "PATH",
      attempt: () => commandOnPath({ name: "promtool", atLeast: [2, 40] }, searchPath),
    },
    { name: "Debian package", attempt: () => unpackedServer(debian, cacheFolder) },
  ]);
}
