import type { Random } from "@sotto/testkit";
import { entries, type Joined, until } from "../../scenarios/world.ts";
import type { HostileWorld } from "./hostile-world.ts";
import { keptEpoch } from "./kept-group.ts";
import { Mortal } from "./mortal.ts";

/** Writes after which a process that is doomed ends. */
const doomWritesMax = 6;
/** A device comes back into one room three times in an hour at most. */
const lossesMax = 3;

/** A room in which anything happens to anybody at any time, by a seed. */
export class RandomRoom {
  readonly #hostile: HostileWorld;
  readonly #random: Random;
  readonly #everybody: readonly Mortal[];
  /** In the room: the first one, its admin, always is. */
  readonly #inside: Set<Mortal>;
  /** Never was outside since the room began. */
  readonly #faithful: Set<Mortal>;
  readonly #losses = new Map<Mortal, number>();
  #room = "";
  #said = 0;
  /** What happened, for whoever looks at a failure. */
  readonly story: string[] = [];

  private constructor(hostile: HostileWorld, random: Random, everybody: readonly Mortal[]) {
    this.#hostile = hostile;
    this.#random = random;
    this.#everybody = everybody;
    this.#inside = new Set(everybody);
    this.#faithful = new Set(everybody);
  }

  static async begin(
    hostile: HostileWorld,
    random: Random,
    names: readonly string[],
    repairs = true,
  ): Promise<RandomRoom> {
    const everybody = names.map((name) => new Mortal(hostile, name, undefined, repairs));
    for (const mortal of everybody) await mortal.join();
    const room = new RandomRoom(hostile, random, everybody);
    const { client } = room.#admin.now;
    room.#room = (await client.rooms.create("plans")).room;
    for (const name of names.slice(1)) await client.rooms.add(room.#room, name);
    await room.check();
    return room;
  }

  /** One thing happens. */
  async happen(): Promise<void> {
    const dice = this.#random();
    if (dice < 0.25) await this.#say(this.#pick());
    else if (dice < 0.4) await this.#renew(this.#pick());
    else if (dice < 0.52) await this.#removeOrAdd();
    else if (dice < 0.67) await this.#race();
    else if (dice < 0.79) await this.#crash(this.#pick());
    else if (dice < 0.85) await this.#crashJoining();
    else if (dice < 0.97) await this.#lose(this.#pick());
    else await this.#restart();
  }

  /** Everybody inside stands in one epoch and hears the same; who is outside is. Throws where it is not so. */
  async check(withinMs = 30_000): Promise<void> {
    const mark = `mark ${++this.#said}`;
    await this.#admin.step(() => this.#admin.say(this.#room, mark));
    const inside = [...this.#inside];
    let epochs: string[] = [];
    const agree = async () => {
      const kept = ({ store }: Mortal) => keptEpoch(store.disk, this.#room);
      epochs = await Promise.all(inside.map((mortal) => kept(mortal).catch(String)));
      return new Set(epochs).size === 1 && /^\d/.test(epochs[0] ?? "");
    };
    await until("everybody inside stands in one epoch", agree, withinMs).catch((cause) => {
      const standing = inside.map(({ name }, at) => `${name}: ${epochs[at]?.slice(0, 60)}`);
      throw new Error(`${inside.length} inside, ${standing.join("; ")}`, { cause });
    });
    for (const mortal of inside)
      await until(
        `${mortal.name} hears ${mark}`,
        async () => (await this.texts(mortal)).includes(mark),
        withinMs,
      );
    const expected = inside.map(({ name }) => name).sort();
    const members = this.#admin.now.client.rooms.members(this.#room).map(({ name }) => name);
    if (members.sort().join() !== expected.join())
      throw new Error(`${members} are inside, and should be ${expected}`);
  }

  /** What those who never were outside heard of each other, by name; and all that was acknowledged to them. */
  async end(): Promise<{ heard: Map<string, string[]>; acknowledged: string[] }> {
    const heard = new Map<string, string[]>();
    // What somebody said who was removed before others could ask for it again, nobody owes to those who had lost the
    // group meanwhile.
    const faithful = [...this.#faithful];
    const acknowledged = faithful.flatMap((mortal) => mortal.acknowledged);
    const said = new Set(acknowledged);
    for (const mortal of faithful)
      heard.set(
        mortal.name,
        (await this.texts(mortal)).filter((text) => said.has(text)),
      );
    return { heard, acknowledged };
  }

  async texts(mortal: Mortal): Promise<string[]> {
    const person: Joined = mortal.now;
    return (await entries(person)).flatMap((entry) =>
      entry.type === "message" && entry.room === this.#room ? [entry.text] : [],
    );
  }

  get #admin(): Mortal {
    return this.#everybody[0] as Mortal;
  }

  #pick(among: Iterable<Mortal> = this.#inside): Mortal {
    const list = [...among];
    return list[Math.floor(this.#random() * list.length)] as Mortal;
  }

  async #say(by: Mortal): Promise<void> {
    const text = `text ${++this.#said}`;
    this.story.push(`${by.name} says ${text}`);
    await by.step(() => by.say(this.#room, text));
  }

  async #renew(by: Mortal): Promise<void> {
    this.story.push(`${by.name} renews`);
    await by.step(() => by.now.client.rooms.renew(this.#room));
  }

  async #removeOrAdd(): Promise<void> {
    const outside = this.#everybody.filter((mortal) => !this.#inside.has(mortal));
    const whom = this.#pick(this.#everybody.slice(1));
    if (this.#inside.has(whom) && this.#inside.size > 2) await this.#remove(whom);
    else if (outside.length > 0) await this.#add(this.#pick(outside));
  }

  async #remove(whom: Mortal): Promise<void> {
    this.story.push(`${whom.name} is removed`);
    this.#inside.delete(whom);
    this.#faithful.delete(whom);
    await this.#until(whom, false, () => this.#rooms.remove(this.#room, whom.name));
  }

  async #add(whom: Mortal): Promise<void> {
    this.story.push(`${whom.name} is added`);
    await this.#until(whom, true, () => this.#rooms.add(this.#room, whom.name));
    this.#inside.add(whom);
    const isIn = () =>
      whom.now.client.rooms
        .list()
        .some(({ room, phase }) => room === this.#room && phase === "active");
    await until(`${whom.name} is in or dead`, () => whom.store.dead || isIn(), 30_000);
    if (whom.store.dead) await whom.again();
    await until(`${whom.name} is in`, isIn, 30_000);
  }

  /** The admin does it, and looks again where it died meanwhile: what it had begun may be done after all. */
  async #until(whom: Mortal, inside: boolean, what: () => Promise<unknown>): Promise<void> {
    const deaths = this.#admin.store.deaths;
    const done = () =>
      this.#rooms.members(this.#room).some(({ name }) => name === whom.name) === inside;
    await this.#admin.step(what);
    if (this.#admin.store.deaths === deaths) return;
    await this.#admin.step(async () => {
      await this.#rooms.waitFor(this.#room, 10_000);
      if (!done())
        await what().catch((error: unknown) => {
          if (!done()) throw error;
        });
    });
  }

  get #rooms() {
    return this.#admin.now.client.rooms;
  }

  /** Several commit and talk at the same moment. */
  async #race(): Promise<void> {
    const racers = new Set([this.#pick(), this.#pick(), this.#pick()]);
    this.story.push(`${[...racers].map(({ name }) => name)} race`);
    await Promise.all([...racers].flatMap((mortal) => [this.#renew(mortal)]));
    await Promise.all([...racers].map((mortal) => this.#say(mortal)));
  }

  /** Somebody's process ends at some write of what it is doing. */
  async #crash(who: Mortal): Promise<void> {
    const write = 1 + Math.floor(this.#random() * doomWritesMax);
    const moment = this.#random() < 0.5 ? "before" : "after";
    this.story.push(`${who.name} dies ${moment} write ${write}`);
    who.store.arm(write, moment);
    const dice = this.#random();
    if (dice < 0.35) await this.#renew(who);
    else if (dice < 0.7 || who !== this.#admin) await this.#say(who);
    else await this.#removeOrAdd();
    await this.#spare(who);
  }

  /** Somebody is let in, and the process of who adds or of who is added ends at some write of it. */
  async #crashJoining(): Promise<void> {
    const whom = this.#pick(this.#everybody.slice(1));
    if (this.#inside.has(whom)) await this.#remove(whom);
    const dying = this.#random() < 0.5 ? whom : this.#admin;
    const write = 1 + Math.floor(this.#random() * doomWritesMax);
    const moment = this.#random() < 0.5 ? "before" : "after";
    this.story.push(`${dying.name} dies ${moment} write ${write}`);
    dying.store.arm(write, moment);
    await this.#add(whom);
    await this.#spare(dying);
  }

  /** No death is to come any more; one that came after the step was done has nobody begun anew for. */
  async #spare(who: Mortal): Promise<void> {
    who.store.disarm();
    if (who.store.dead) await who.again();
  }

  /** Somebody starts again without the group: it was lost. */
  async #lose(who: Mortal): Promise<void> {
    const losses = this.#losses.get(who) ?? 0;
    if (losses === lossesMax) return await this.#say(who);
    this.#losses.set(who, losses + 1);
    this.story.push(`${who.name} loses the group`);
    await who.again(() =>
      who.store.disk.commit([{ table: "groups", key: this.#room, value: undefined }]),
    );
  }

  async #restart(): Promise<void> {
    this.story.push("the server starts again");
    await this.#hostile.world.stopServer();
    await this.#hostile.world.startServer();
  }
}
