import { inboxPrefix } from "@sotto/nats";

/** The log's subjects begin so. */
const log = "SOTTO_LOG";

interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  /**
   * Who calls it: it may publish to their inboxes. Not `allow_responses`: the server does not judge the subject that a
   * caller wants its answer on, and a caller could have a service write where it may not itself.
   */
  readonly answers: readonly string[];
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
    answers: [],
  },
  keyserver: {
    publish: ["hint.*", `${log}.g.*.*.h`, "$JS.API.STREAM.CREATE.*", ...readLog],
    subscribe: ["svc.keyserver.*", "hint.*"],
    answers: ["tcp-edge"],
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
    answers: ["tcp-edge"],
  },
  media: { publish: [], subscribe: ["svc.media.command"], answers: ["tcp-edge"] },
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
  const said = [...publish, ...answers.map((caller) => `${inboxPrefix(caller)}.>`)];
  return [
    "      {",
    `        user: ${quoted(user)}, password: ${quoted(password)}`,
    "        permissions: {",
    `          publish: { allow: ${list(said)} }`,
    `          subscribe: { allow: ${list(heard)} }`,
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
