import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type {
  DirectoryStore,
  MailboxOpening,
  RecordAppend,
  StoredInvite,
} from "./directory-store.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const hex = (text: string) => Buffer.from(text).toString("hex");

/** A store under test, and a way to close and open it again. */
export interface DirectoryUnderTest extends AsyncDisposable {
  readonly store: DirectoryStore;
  reopen(): Promise<DirectoryStore>;
}

function record(user: string, chainSequence = 0, more: Partial<RecordAppend> = {}): RecordAppend {
  return {
    bytes: bytes(`${user}/${chainSequence}`),
    user: hex(user),
    chainSequence,
    now: 1000,
    ...more,
  };
}

function invite(name: string, more: Partial<StoredInvite> = {}): StoredInvite {
  return {
    tokenHash: hex(name),
    createdBy: hex("owner"),
    createdAt: 1,
    expiresAt: 0,
    usesLeft: 1,
    grants: bytes("grant"),
    ...more,
  };
}

function mailbox(name: string, more: Partial<MailboxOpening> = {}): MailboxOpening {
  return {
    channel: hex(name),
    owner: hex("owner"),
    now: 1000,
    expiresAt: 61_000,
    ownedMax: 3,
    allMax: 5,
    ...more,
  };
}

/** The law of the `DirectoryStore` port. */
export function describeDirectoryStore(
  name: string,
  open: () => Promise<DirectoryUnderTest>,
): void {
  describe(`directory: ${name}`, () => {
    let opened: DirectoryUnderTest;
    let store: DirectoryStore;
    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened[Symbol.asyncDispose]());

    test("records stand byte for byte in one dense order", async () => {
      const strange = Uint8Array.from({ length: 256 }, (_, i) => i);
      expect(await store.append(record("a", 0, { bytes: strange }))).toEqual({
        ok: true,
        index: 0,
      });
      expect(await store.append(record("b"))).toEqual({ ok: true, index: 1 });
      expect(await store.append(record("a", 1))).toEqual({ ok: true, index: 2 });
      const stored = await store.read(0, 10);
      expect(stored.map(({ index }) => index)).toEqual([0, 1, 2]);
      expect(stored[0]?.bytes).toEqual(strange);
      expect(await store.read(1, 1)).toHaveLength(1);
      expect(await store.read(3, 10)).toEqual([]);
      expect(await store.size()).toBe(3);
      await expect(store.read(0, 0)).rejects.toThrow();
      await expect(store.read(0, 1001)).rejects.toThrow();
    });

    test("what was read can be waited for until it is durable", async () => {
      const appending = store.append(record("a"));
      await store.settled();
      await appending;
      await store.settled();
      expect(await (await opened.reopen()).size()).toBe(1);
    });

    test("of records for one place in a chain exactly one is taken", async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, () => store.append(record("a"))),
      );
      expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1);
      expect(
        outcomes.filter((outcome) => !outcome.ok && outcome.why === "CHAIN_CONFLICT"),
      ).toHaveLength(19);
      expect(await store.append(record("a", 2))).toEqual({ ok: false, why: "CHAIN_CONFLICT" });
      expect(await store.size()).toBe(1);
    });

    test("a name is one user's for ever", async () => {
      expect(await store.append(record("a", 0, { claimName: "alice" }))).toMatchObject({
        ok: true,
      });
      expect(await store.append(record("b", 0, { claimName: "alice" }))).toEqual({
        ok: false,
        why: "NAME_TAKEN",
      });
      expect(await store.append(record("b", 0, { claimName: "bob" }))).toMatchObject({ ok: true });
    });

    test("the first record is taken once where emptiness is asked for", async () => {
      expect(await store.append(record("a", 0, { expectEmpty: true }))).toMatchObject({ ok: true });
      expect(await store.append(record("b", 0, { expectEmpty: true }))).toEqual({
        ok: false,
        why: "NOT_EMPTY",
      });
    });

    test("an invite pays for as many records as it has uses, however many ask at once", async () => {
      await store.putInvite(invite("i", { usesLeft: 3 }));
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, (_, i) =>
          store.append(record(`u${i}`, 0, { redeemInvite: hex("i") })),
        ),
      );
      expect(outcomes.filter(({ ok }) => ok)).toHaveLength(3);
      expect(
        outcomes.filter((outcome) => !outcome.ok && outcome.why === "INVITE_USED"),
      ).toHaveLength(7);
      expect(await store.size()).toBe(3);
      expect((await store.getInvite(hex("i")))?.usesLeft).toBe(0);
    });

    test("a record that is refused takes no use", async () => {
      await store.putInvite(invite("i"));
      await store.append(record("a", 0, { claimName: "alice" }));
      expect(
        await store.append(record("b", 0, { claimName: "alice", redeemInvite: hex("i") })),
      ).toEqual({ ok: false, why: "NAME_TAKEN" });
      const kept = await store.getInvite(hex("i"));
      expect(kept?.usesLeft).toBe(1);
    });

    test("an invite that is unknown or expired pays for nothing", async () => {
      await store.putInvite(invite("old", { expiresAt: 999 }));
      expect(await store.append(record("a", 0, { redeemInvite: hex("none") }))).toEqual({
        ok: false,
        why: "INVITE_UNKNOWN",
      });
      expect(await store.append(record("a", 0, { redeemInvite: hex("old") }))).toEqual({
        ok: false,
        why: "INVITE_EXPIRED",
      });
      expect(
        await store.append(record("a", 0, { redeemInvite: hex("old"), now: 999 })),
      ).toMatchObject({ ok: true });
    });

    test("invites are listed oldest first, and deleted", async () => {
      await store.putInvite(invite("late", { createdAt: 2 }));
      await store.putInvite(invite("early", { createdAt: 1 }));
      expect((await store.listInvites()).map(({ tokenHash }) => tokenHash)).toEqual([
        hex("early"),
        hex("late"),
      ]);
      expect(await store.getInvite(hex("early"))).toEqual(invite("early"));
      expect(await store.deleteInvite(hex("early"))).toBe(true);
      expect(await store.deleteInvite(hex("early"))).toBe(false);
      expect(await store.getInvite(hex("early"))).toBeUndefined();
    });

    test("parallel claims of one-time packages give each out once, then the last resort", async () => {
      const device = hex("d");
      const packages = Array.from({ length: 10 }, (_, i) => bytes(`package ${i}`));
      expect(await store.addKeyPackages(device, packages)).toBe(10);
      await store.putLastResort(device, bytes("last"));
      const claimed = await Promise.all(
        Array.from({ length: 15 }, () => store.claimKeyPackage(device)),
      );
      const oneTime = claimed
        .filter((claim) => claim && !claim.lastResort)
        .map((claim) => Buffer.from(claim?.bytes ?? []).toString());
      expect([...oneTime].sort()).toEqual(
        packages.map((one) => Buffer.from(one).toString()).sort(),
      );
      expect(claimed.filter((claim) => claim?.lastResort)).toHaveLength(5);
      expect(await store.countKeyPackages(device)).toBe(0);
      expect(await store.claimKeyPackage(hex("other"))).toBeUndefined();
    });

    test("the oldest package goes first, no more than 200 are kept, and they can be forgotten", async () => {
      const device = hex("d");
      await store.addKeyPackages(device, [bytes("first"), bytes("second")]);
      expect(Buffer.from((await store.claimKeyPackage(device))?.bytes ?? []).toString()).toBe(
        "first",
      );
      expect(
        await store.addKeyPackages(
          device,
          Array.from({ length: 300 }, (_, i) => bytes(`${i}`)),
        ),
      ).toBe(200);
      await store.putLastResort(device, bytes("last"));
      await store.dropKeyPackages(device);
      expect(await store.claimKeyPackage(device)).toBeUndefined();
    });

    test("a roster never goes back to an older fold, and rooms follow the newest", async () => {
      const room = hex("room");
      const [a, b, c] = [hex("a"), hex("b"), hex("c")];
      expect(
        await store.putRoster({ room, foldedTo: 5, bytes: bytes("five"), users: [a, b] }),
      ).toBe(true);
      expect(await store.putRoster({ room, foldedTo: 5, bytes: bytes("other"), users: [c] })).toBe(
        false,
      );
      expect(await store.putRoster({ room, foldedTo: 4, bytes: bytes("four"), users: [c] })).toBe(
        false,
      );
      expect(await store.getRoster(room)).toEqual({
        room,
        foldedTo: 5,
        bytes: bytes("five"),
        users: [a, b],
      });
      expect(
        await store.putRoster({ room, foldedTo: 9, bytes: bytes("nine"), users: [b, c] }),
      ).toBe(true);
      expect([await store.roomsOf(a), await store.roomsOf(b), await store.roomsOf(c)]).toEqual([
        [],
        [room],
        [room],
      ]);
      await store.deleteRoster(room);
      expect(await store.getRoster(room)).toBeUndefined();
      expect(await store.roomsOf(b)).toEqual([]);
    });

    test("users are switched off and on again, and the first time counts", async () => {
      const [a, b] = [hex("a"), hex("b")];
      expect(await store.listDisabled()).toEqual([]);
      expect(await store.setDisabled(b, 10)).toBe(true);
      expect(await store.setDisabled(b, 20)).toBe(false);
      expect(await store.setDisabled(a, 30)).toBe(true);
      const again = await opened.reopen();
      expect(await again.listDisabled()).toEqual(
        [
          { user: a, since: 30 },
          { user: b, since: 10 },
        ].sort((one, other) => (one.user < other.user ? -1 : 1)),
      );
      expect(await again.setDisabled(b, undefined)).toBe(true);
      expect(await again.setDisabled(b, undefined)).toBe(false);
      expect(await again.listDisabled()).toEqual([{ user: a, since: 30 }]);
    });

    test("a message in a mailbox is written once, and read by whoever knows the channel", async () => {
      const channel = hex("m");
      expect(await store.putMail(channel, 0, bytes("early"), 1000)).toBe("UNKNOWN");
      expect(await store.getMail(channel, 0, 1000)).toBeUndefined();
      expect(await store.openMailbox(mailbox("m"))).toBe("OPEN");
      expect(await store.getMail(channel, 0, 1000)).toEqual(new Uint8Array());
      const strange = Uint8Array.from({ length: 256 }, (_, i) => i);
      expect(await store.putMail(channel, 0, strange, 1000)).toBe("DONE");
      expect(await store.putMail(channel, 0, strange, 1000)).toBe("DONE");
      expect(await store.putMail(channel, 0, bytes("other"), 1000)).toBe("CONFLICT");
      expect(await store.putMail(channel, 1, bytes("answer"), 1000)).toBe("DONE");
      const again = await opened.reopen();
      expect(await again.getMail(channel, 0, 1000)).toEqual(strange);
      expect(await again.getMail(channel, 1, 1000)).toEqual(bytes("answer"));
      expect(await again.getMail(channel, 2, 1000)).toEqual(new Uint8Array());
    });

    test("of messages under one number exactly one is taken", async () => {
      await store.openMailbox(mailbox("m"));
      const put = await Promise.all(
        Array.from({ length: 10 }, (_, i) => store.putMail(hex("m"), 0, bytes(`${i}`), 1000)),
      );
      expect(put.filter((word) => word === "DONE")).toHaveLength(1);
      expect(put.filter((word) => word === "CONFLICT")).toHaveLength(9);
    });

    test("a mailbox ends at its time, and opening it again does not put that off", async () => {
      const channel = hex("m");
      await store.openMailbox(mailbox("m"));
      await store.putMail(channel, 0, bytes("hello"), 1000);
      expect(await store.openMailbox(mailbox("m", { now: 31_000, expiresAt: 91_000 }))).toBe(
        "OPEN",
      );
      expect(await store.getMail(channel, 0, 60_999)).toEqual(bytes("hello"));
      expect(await store.getMail(channel, 0, 61_000)).toBeUndefined();
      expect(await store.putMail(channel, 1, bytes("late"), 61_000)).toBe("UNKNOWN");
      const later = { now: 61_000, expiresAt: 121_000 };
      expect(await store.openMailbox(mailbox("m", { ...later, owner: hex("other") }))).toBe("OPEN");
      expect(await store.getMail(channel, 0, 61_000)).toEqual(new Uint8Array());
    });

    test("mailboxes are bounded for each owner and in all, and a channel is one owner's", async () => {
      const other = { owner: hex("other") };
      const open = (name: string, more: Partial<MailboxOpening> = {}) =>
        store.openMailbox(mailbox(name, more));
      expect([await open("1"), await open("2"), await open("3")]).toEqual(["OPEN", "OPEN", "OPEN"]);
      expect(await open("4")).toBe("FULL");
      expect(await open("1")).toBe("OPEN");
      expect(await open("1", other)).toBe("TAKEN");
      expect([await open("5", other), await open("6", other)]).toEqual(["OPEN", "OPEN"]);
      expect(await open("7", { owner: hex("third") })).toBe("FULL");
      expect(await open("4", { now: 61_000, expiresAt: 121_000 })).toBe("OPEN");
    });

    test("what was stored is there after the store was closed and opened", async () => {
      await store.putInvite(invite("i"));
      await store.append(record("a", 0, { claimName: "alice", redeemInvite: hex("i") }));
      await store.putMeta("note", Uint8Array.of(0, 255, 10));
      await store.addKeyPackages(hex("d"), [bytes("one")]);
      await store.putRoster({
        room: hex("r"),
        foldedTo: 1,
        bytes: bytes("fold"),
        users: [hex("a")],
      });
      const again = await opened.reopen();
      expect(await again.size()).toBe(1);
      expect((await again.read(0, 10))[0]?.bytes).toEqual(bytes("a/0"));
      expect(await again.append(record("b", 0, { claimName: "alice" }))).toEqual({
        ok: false,
        why: "NAME_TAKEN",
      });
      expect(await again.append(record("b", 0, { redeemInvite: hex("i") }))).toEqual({
        ok: false,
        why: "INVITE_USED",
      });
      expect(await again.getMeta("note")).toEqual(Uint8Array.of(0, 255, 10));
      expect(await again.getMeta("none")).toBeUndefined();
      expect(await again.countKeyPackages(hex("d"))).toBe(1);
      expect(await again.roomsOf(hex("a"))).toEqual([hex("r")]);
    });

    test("a store that was closed answers nothing more", async () => {
      await store[Symbol.asyncDispose]();
      await expect(store.size()).rejects.toMatchObject({ code: "UNAVAILABLE" });
    });
  });
}
