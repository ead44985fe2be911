import { arrivedWith, openGrant, standingDevices } from "@sotto/identity";
import type { Group } from "@sotto/mls";
import { type DeviceId, EnvelopeKind, fromHex, toHex, type UserId } from "@sotto/protocol";
import type { Connection } from "../connection/connection.ts";
import { mayPass } from "../errors.ts";
import { addDevices, removeDevices } from "./changes.ts";
import type { LeafName } from "./envelopes.ts";
import { shouldRenew } from "./renewal.ts";
import { isRevoked } from "./revoked-leaves.ts";
import type { Room } from "./room.ts";

/** Somebody who has just arrived publishes keys a moment later: looked for again, less and less often. */
const retriesMs = [150, 300, 600, 1000, 2000, 4000, 8000, 15_000, 30_000];

/** Others get this much time to do it first, so that one commit is made and not ten. */
const patienceMs = 1500;
const renewPatienceMs = 5000;

/** Devices that belong in the room and are not. */
interface Waiting {
  readonly devices: LeafName[];
  /** This device's user has or invited one of them. */
  readonly own: boolean;
  /** Who had been in the room and was not when this was found out. */
  readonly former: ReadonlySet<UserId>;
}

/**
 * What a member device owes its room: let in who arrived with an invite that grants it, and further
 * devices of members; take out devices that were revoked, and people whom the operator switched off; renew its own keys. Any member device may do it; the one that
 * invited does it at once, the others wait a little, and the log decides between them.
 */
export class Upkeep {
  readonly #room: Room;
  #running = false;
  #again = false;
  #retries = 0;

  constructor(room: Room) {
    this.#room = room;
  }

  /** Looks what is owed, in the background. */
  wake(): void {
    this.#retries = 0;
    this.#begin();
  }

  #begin(): void {
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = true;
    void this.#run().finally(() => {
      this.#running = false;
      if (this.#again) {
        this.#again = false;
        this.#begin();
      }
    });
  }

  async #run(): Promise<void> {
    const { replica, committer } = this.#room;
    const { context } = replica;
    try {
      const connection = await context.online(30_000, context.signal);
      await replica.until(() => replica.caughtUp, 30_000);
      if (replica.state.phase !== "active" || context.directory.refusal()) return;
      await committer.uploadOwed(connection);
      await this.#takeOut();
      await this.#letIn(connection);
      await this.#tellTitle();
      await this.#renew();
    } catch (error) {
      // Who is not in the room any more, or not on the server, owes it nothing.
      const isOut = replica.state.phase === "left" || context.refusal() !== undefined;
      if (context.signal.aborted || isOut) return;
      if (mayPass(error)) return this.#laterAgain();
      context.notice(
        replica.room,
        `the room's members could not be brought up to date: ${String(error)}`,
      );
    }
  }

  async #takeOut(): Promise<void> {
    const { replica, committer } = this.#room;
    const { context, group } = replica;
    const { disabled, directory, profile } = context;
    // What anybody may: devices that were revoked, and people whom the operator switched off.
    const owed = ({ user, device }: LeafName) => disabled.has(user) || isRevoked(directory, device);
    const change = (now: Group) => removeDevices(now, owed, disabled);
    const first = group && change(group);
    if (!first) return;
    // One's own lost device is taken out at once; for others their own devices go first.
    if (!first.removed?.some(({ user }) => user === profile.user))
      await context.clock.sleep(context.random() * patienceMs, context.signal);
    await committer.commit(async (now) => change(now));
  }

  async #letIn(connection: Connection): Promise<void> {
    const { replica, committer } = this.#room;
    const { context } = replica;
    const first = await this.#waiting(connection);
    if (first.devices.length === 0) return;
    if (!first.own) await context.clock.sleep(context.random() * patienceMs, context.signal);
    const before = replica.state.roster?.foldedTo;
    const after = await committer.commit(async (group) => {
      const present = new Set(group.members().map((member) => member.device));
      // Somebody else may have let them in meanwhile, and an admin may have removed them again.
      const gone = new Set(replica.state.roster?.former);
      const still = first.devices.filter(
        ({ user, device }) => !present.has(device) && (first.former.has(user) || !gone.has(user)),
      );
      return await addDevices(replica, connection, group, still);
    });
    if (after === before) return this.#laterAgain();
    // Not waited for: where a device was revoked meanwhile, it is this upkeep that sending waits for.
    void this.#room.tellTitle().catch(() => {});
    this.#room.telling.arrived();
    // There may be more of them than fit one commit.
    this.#again = true;
  }

  /** Who came in by an external commit has heard no title: any member tells it, the one that is there first. */
  async #tellTitle(): Promise<void> {
    const { context, state } = this.#room.replica;
    if (state.titleOwed === 0 || !state.title) return;
    await context.clock.sleep(context.random() * 2 * patienceMs, context.signal);
    if (state.titleOwed > 0) void this.#room.tellTitle().catch(() => {});
  }

  /** New keys for this device from time to time; and for the room a good commit after one that was skipped. */
  async #renew(): Promise<void> {
    const { replica, committer } = this.#room;
    const { context, state } = replica;
    const chance = context.random();
    const isDue = () => state.skipped.length > 0 || shouldRenew(state, context.clock.now(), chance);
    if (!isDue()) return;
    await context.clock.sleep(context.random() * renewPatienceMs, context.signal);
    await committer.commit(async () =>
      isDue() ? { kind: EnvelopeKind.UPDATE, stage: (group) => group.stageUpdate() } : undefined,
    );
  }

  #laterAgain(): void {
    const { group, context } = this.#room.replica;
    const waitMs = retriesMs[this.#retries++];
    if (waitMs !== undefined && group) context.clock.after(waitMs, () => this.#begin());
  }

  /** Devices that belong in the room and are not; `own` where this device's user has or invited one of them. */
  async #waiting(connection: Connection): Promise<Waiting> {
    const { replica } = this.#room;
    const { group, context } = replica;
    const former = new Set(replica.state.roster?.former);
    if (!group) return { devices: [], own: false, former };
    const directory = context.directory.directory;
    const members = group.members();
    const present = new Set(members.map((member) => member.device));
    // Who is there only by devices that were revoked is not there any more.
    const users = new Set(
      members
        .filter(({ device }) => !isRevoked(context.directory, device as DeviceId))
        .map((member) => member.user as UserId),
    );
    const arrived = await this.#arrived(connection, users);
    for (const user of arrived.users) users.add(user);
    for (const user of replica.state.roster?.direct ?? []) users.add(user);
    const owed = context.promised.owedIn(replica.room, directory);
    await context.promised.kept(
      replica.room,
      owed.filter((user) => users.has(user)),
    );
    for (const user of owed) users.add(user);
    const devices = [...users]
      .filter((user) => !context.disabled.has(user))
      .flatMap((user) => standingDevices(directory.user(user)))
      .filter(({ id }) => !present.has(id))
      .map(({ user, id }) => ({ user, device: id }));
    const mine = ({ user }: LeafName) => user === context.profile.user || owed.includes(user);
    const own = arrived.own || devices.some(mine);
    return { devices, own, former };
  }

  /**
   * Newcomers whose invite grants this room, and who never were in it. Who arrived before this device was in is left to
   * those who were there: that they were removed meanwhile only the server could tell.
   */
  async #arrived(
    connection: Connection,
    present: ReadonlySet<UserId>,
  ): Promise<{ users: UserId[]; own: boolean }> {
    const { replica } = this.#room;
    const { context } = replica;
    const directory = context.directory.directory;
    const room = fromHex(replica.room);
    const { grants } = await connection.request(
      { case: "listGrants", value: { rooms: [room] } },
      "grantList",
    );
    const { enteredAtSize } = replica.state;
    const candidates = directory.users().filter(({ id, invite, devices }) => {
      const arrivedLater = (devices[0]?.addedAt ?? 0) >= enteredAtSize;
      return invite && !present.has(id) && (arrivedLater || !context.checks.formerMembers);
    });
    if (candidates.length === 0 || grants.length === 0) return { users: [], own: false };
    const roster = await connection.request({ case: "getRoster", value: { room } }, "roster");
    const former = new Set([
      ...roster.former.map((id) => toHex(id)),
      ...(replica.state.roster?.former ?? []),
    ]);
    const users: UserId[] = [];
    let own = false;
    for (const bytes of grants) {
      const grant = await openGrant(bytes, directory);
      if (!grant?.rooms.includes(replica.room) || !present.has(grant.inviter.user)) continue;
      for (const user of candidates) {
        if (former.has(user.id) || !arrivedWith(user, user.arrivedAt, grant)) continue;
        users.push(user.id);
        own ||= grant.inviter.device === context.profile.device;
      }
    }
    return { users, own };
  }
}
