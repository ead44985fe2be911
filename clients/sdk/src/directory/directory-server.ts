import type { Connection } from "../connection/connection.ts";

/** What reading the directory needs of a connection. */
export type DirectoryServer = Pick<Connection, "request" | "serverKey">;
