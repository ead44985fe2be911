import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseInvite } from "@sotto/identity";
import { ErrorCode } from "@sotto/protocol";
import { expect, test } from "vitest";
import { run } from "../../infra/admin/src/program.ts";
import { entries, texts, until, World } from "./world.ts";

/** Runs `sotto-admin` on a world's server; answers what it printed. */
async function admin(world: World, ...args: readonly string[]): Promise<Record<string, unknown>> {
  let out = "";
  const code = await run(["--data", world.data, "--json", ...args], {
    env: {},
    terminal: false,
    out: (text) => {
      out += text;
    },
    complain: () => {},
  });
  expect(code).toBe(0);
  return JSON.parse(out) as Record<string, unknown>;
}

const memberNames = (person: {
  client: { rooms: { members(room: string): { name: string }[] } };
}) =>
  person.client.rooms
    .members("general")
    .map(({ name }) => name)
    .sort();

test("a disabled account is out at once, removed by whoever is online, and comes back when it is let in", async () => {
  await using world = await World.start();
  const [alice, bob, carol] = await world.people("alice", "bob", "carol");
  const { invite } = await carol.client.invite();
  // The room's only admin is away: any member does it.
  await alice[Symbol.asyncDispose]();
  expect(await admin(world, "disable", "Carol")).toEqual({ name: "carol", changed: true });
  await until("carol is refused", () => carol.client.refusal !== undefined);
  await expect(carol.client.send("general", "still here?")).rejects.toThrow(/disabled/);
  await until("bob removed carol", () => memberNames(bob).join() === "alice,bob");
  await bob.client.send("general", "without carol");
  const { user } = carol.client.profile;
  expect(await entries(bob)).toContainEqual(
    expect.objectContaining({ change: "removed", users: [user], disabled: [user] }),
  );
  const people = (await admin(world, "people"))["people"] as Record<string, unknown>[];
  expect(people.find(({ name }) => name === "carol")).toMatchObject({
    disabledSince: expect.any(Number),
    rooms: 0,
  });
  // The name stays hers, her invites are void, and nobody can let her in.
  await expect(world.arrive("dave", invite)).rejects.toMatchObject({
    code: ErrorCode.INVITE_UNKNOWN,
  });
  await expect(bob.client.rooms.add("general", "carol")).rejects.toThrow();

  expect(await admin(world, "enable", "carol")).toEqual({ name: "carol", changed: true });
  const again = await world.open("carol", carol.store);
  await again.client.online();
  await bob.client.rooms.add("general", "carol");
  await until("carol is back", () => memberNames(bob).join() === "alice,bob,carol");
  await bob.client.send("general", "with carol");
  await until("carol reads on", async () => (await texts(again)).includes("with carol"));
  expect(await texts(again)).not.toContain("without carol");
  expect(await texts(again)).toContain("with carol");
});

test("the operator sees how the key directory stands, also after a restore", async () => {
  await using world = await World.start();
  const [, bob] = await world.people("alice", "bob");
  const { directory } = (await admin(world, "status")) as { directory: Record<string, unknown> };
  expect(directory).toEqual({
    size: 2,
    root: expect.stringMatching(/^[0-9a-f]{64}$/),
    behind: false,
    altered: false,
  });
  await writeFile(join(world.data, "restored"), "");
  expect(await admin(world, "status")).toMatchObject({ directory: { size: 2, behind: true } });
  let said = "";
  const around = { env: {}, terminal: false, complain: () => {} };
  const out = (text: string) => {
    said += text;
  };
  expect(await run(["--data", world.data, "status"], { ...around, out })).toBe(0);
  expect(said).toContain("2 records");
  expect(said).toContain("restored from a backup");
  // Whoever comes online shows what they have seen, and not that nobody has seen more.
  await bob[Symbol.asyncDispose]();
  const again = await world.open("bob", bob.store);
  await again.client.online();
  expect(await admin(world, "status")).toMatchObject({ directory: { behind: true } });
  await writeFile(join(world.data, "restored"), `2 ${directory["root"]}`);
  expect(await admin(world, "status")).toMatchObject({ directory: { behind: false } });
  await again.client.invite();
});

test("the operator invites, lists and revokes, and knows an owner when there is one", async () => {
  await using world = await World.start();
  const first = await admin(world, "invite", "--owner");
  expect(first["invite"]).toMatch(/^sotto:\/\//);
  expect(first["invite"]).not.toBe(world.ownerInvite);
  const carried = [String(first["invite"]), world.ownerInvite].map((one) => parseInvite(one));
  expect(carried[0]?.logKey).toHaveLength(32);
  expect(carried[0]?.logKey).toEqual(carried[1]?.logKey);
  await world.people("alice");
  await expect(admin(world, "invite", "--owner")).rejects.toThrow(/has its owner: alice/);
  const made = await admin(world, "invite", "--uses", "2");
  const listed = (await admin(world, "invites"))["invites"] as { id: string; by: string }[];
  expect(listed.map(({ by }) => by)).toEqual(["operator"]);
  const bob = await world.arrive("bob", String(made["invite"]));
  await bob.client.online();
  await admin(world, "invites", "revoke", listed[0]?.id ?? "");
  expect(await admin(world, "invites")).toEqual({ invites: [] });
  await expect(world.arrive("carol", String(made["invite"]))).rejects.toMatchObject({
    code: ErrorCode.INVITE_UNKNOWN,
  });
  await expect(admin(world, "disable", "nobody")).rejects.toThrow(/nobody here is called/);
  await expect(
    run(["--data", join(world.data, "elsewhere"), "people"], {
      env: {},
      terminal: false,
      out: () => {},
      complain: () => {},
    }),
  ).rejects.toThrow(/no server is running there/);
});
