import { ErrorCode, SottoError, toHex } from "@sotto/protocol";
import type { ArchivePage, ArchivePlace, ArchivePort } from "../src/archive/archive-port.ts";
import { sha256 } from "../src/bytes.ts";

const pageRecords = 3;

/** An archive at a server, in memory: sequences with gaps, small pages, and trouble on demand. */
export class FakeArchive implements ArchivePort {
  incarnation = "aa".repeat(8);
  records: { sequence: number; data: Uint8Array }[] = [];
  /** Asked before every append; throws what the append shall reject with. */
  beforeAppend: (data: Uint8Array) => void = () => {};
  readonly #ids = new Set<string>();

  async append(id: Uint8Array, data: Uint8Array): Promise<void> {
    this.beforeAppend(data);
    if (this.#ids.has(toHex(id))) return;
    this.#ids.add(toHex(id));
    const last = this.records.at(-1)?.sequence ?? 0;
    this.records.push({ sequence: last + 3, data: data.slice() });
  }

  async read(after: ArchivePlace | undefined): Promise<ArchivePage> {
    const head = this.records.at(-1)?.sequence ?? 0;
    const there = this.records.find(({ sequence }) => sequence === after?.sequence)?.data;
    const foreign =
      after &&
      (after.incarnation !== this.incarnation ||
        after.sequence > head ||
        (after.sha256 && after.sha256 !== toHex(await sha256(there ?? new Uint8Array()))));
    if (foreign) throw new SottoError(ErrorCode.LOG_RESET, "another log");
    const entries = this.records
      .filter(({ sequence }) => sequence > (after?.sequence ?? 0))
      .slice(0, pageRecords);
    return { incarnation: this.incarnation, entries, head };
  }
}
