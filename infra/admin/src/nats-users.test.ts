import { subjects } from "@sotto/interservice";
import { expect, test } from "vitest";
import { natsAccounts, natsPermissions } from "./nats-users.ts";

const covers = (pattern: string, subject: string) =>
  new RegExp(
    `^${pattern
      .split(".")
      .map((token) =>
        token === "*" ? "[^.]+" : token === ">" ? ".+" : token.replaceAll("$", "\\$"),
      )
      .join("\\.")}$`,
  ).test(subject);

const may = (user: string, way: "publish" | "subscribe", subject: string) =>
  natsPermissions[user]?.[way].some((pattern) => covers(pattern, subject)) === true;

test("every subject of the bus is said by somebody and heard by somebody", () => {
  const users = Object.keys(natsPermissions);
  const all = Object.values(subjects).map((subject) =>
    typeof subject === "string" ? subject : subject("aa"),
  );
  for (const subject of all) {
    expect(
      users.filter((user) => may(user, "publish", subject)),
      subject,
    ).not.toEqual([]);
    expect(
      users.filter((user) => may(user, "subscribe", subject)),
      subject,
    ).not.toEqual([]);
  }
});

test("who writes what in the log is one service for each kind", () => {
  const writers = (kind: string) =>
    Object.keys(natsPermissions).filter((user) =>
      may(user, "publish", `SOTTO_LOG.g.0.0123456789abcdef.${kind}`),
    );
  expect(writers("h")).toEqual(["keyserver"]);
  expect(writers("m")).toEqual(["tcp-edge"]);
});

test("nobody hears another's answers", () => {
  const text = natsAccounts((user) => `password of ${user}`);
  for (const user of Object.keys(natsPermissions)) {
    const heardBy = text
      .split("\n")
      .filter((line) => line.includes("subscribe:") && line.includes(`"_INBOX.${user}.>"`));
    expect(heardBy).toHaveLength(1);
    expect(text).toContain(`user: "${user}", password: "password of ${user}"`);
  }
  expect(text).not.toContain('"_INBOX.>"');
  // With it, a caller chooses where a service's answer goes: into the log, for one.
  expect(text).not.toContain("allow_responses");
});
