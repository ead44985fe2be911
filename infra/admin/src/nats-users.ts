import { inboxPrefix } from "@sotto/nats";

/** The log's subjects begin so. */
const log = "SOTTO_LOG";

interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  /** Answers calls: may publish to a call's own inbox, once. */
  readonly answers: boolean;
}

/** The account holds the log's streams and no others. */
const readLog = ["$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.DIRECT.GET.*"];

/**
 * What each service may say and hear on NATS: what it does, and nothing else. Only the keyserver writes handshake
 * records, so an edge that somebody took over changes no room; only edges write messages.
 */
export const natsPermissions: Readonly<Record<string, Permissions>> = {
  "tcp-edge": {
    publish: [
      "svc.keyserver.*",
      "svc.media.command",
      "svc.presence.snapshot",
      "presence.lease",
      "presence.change",
      "signal.*",
      `${log}.g.*.*.m`,
      ...readLog,
    ],
    subscribe: ["hint.*", "presence.state", "presence.ask", "signal.*", `${log}.live.>`],
    answers: false,
  },
  keyserver: {
    publish: ["hint.*", `${log}.g.*.*.h`, "$JS.API.STREAM.CREATE.*", ...readLog],
    subscribe: ["svc.keyserver.*", "hint.*"],
    answers: true,
  },
  presence: {
    publish: ["presence.state", "presence.ask", "presence.replica"],
    subscribe: [
      "presence.lease",
      "presence.change",
      "presence.state",
      "presence.replica",
      "svc.presence.snapshot",
    ],
    answers: true,
  },
  media: { publish: [], subscribe: ["svc.media.command"], answers: true },
};

/** The `accounts` block of a NATS server's configuration, with a user for each service. */
export function natsAccounts(passwordOf: (user: string) => string): string {
  const users = Object.entries(natsPermissions).map(([user, permissions]) =>
    userBlock(user, passwordOf(user), permissions),
  );
  return [
    "# Written by sotto-admin secrets; what is changed here is lost at the next start.",
    "accounts {",
    "  SOTTO {",
    "    jetstream: enabled",
    "    users: [",
    ...users,
    "    ]",
    "  }",
    "}",
    "",
  ].join("\n");
}

function userBlock(user: string, password: string, permissions: Permissions): string {
  const { publish, subscribe, answers } = permissions;
  const heard = [...subscribe, `${inboxPrefix(user)}.>`];
  const said = publish.length > 0 ? `{ allow: ${list(publish)} }` : '{ deny: [">"] }';
  return [
    "      {",
    `        user: ${quoted(user)}, password: ${quoted(password)}`,
    "        permissions: {",
    `          publish: ${said}`,
    `          subscribe: { allow: ${list(heard)} }`,
    ...(answers ? ["          allow_responses: true"] : []),
    "        }",
    "      }",
  ].join("\n");
}

function list(subjects: readonly string[]): string {
  return `[${subjects.map(quoted).join(", ")}]`;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
