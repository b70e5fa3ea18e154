import type { PayloadReference } from '../../core/contract/payload-reference.ts';
import type { ListSink } from '../line/line.ts';
import { LineError } from '../line/line-error.ts';

/** What there is of a list so far. Everything in it is in the bucket: whoever takes over goes on from here. */
export interface ListProgress {
  /** names the first segments; their row grows too long for a heartbeat */
  readonly manifest?: PayloadReference;
  /** those after the ones in the manifest */
  readonly segments: readonly PayloadReference[];
  /** of all segments, also those in the manifest */
  readonly sizeBytes: number;
  readonly etag?: string;
  /** under which the rest can be asked for; absent when a cut transfer starts again */
  readonly resumeEtag?: string;
  /** the last byte that is not blank; absent while there is none */
  readonly lastByte?: number;
  /** the whole list is there */
  readonly isWhole?: boolean;
}

export const emptyList: ListProgress = { segments: [], sizeBytes: 0 };

export interface SegmentsOptions {
  /** what an earlier attempt has left */
  readonly progress: ListProgress;
  /** what its manifest names */
  readonly manifestSegments: readonly PayloadReference[];
  /** Keeps a segment; repeated until it is kept. */
  readonly putSegment: (body: Buffer) => Promise<PayloadReference>;
  /** Keeps the row of the segments; repeated until it is kept. */
  readonly putManifest: (segments: readonly PayloadReference[]) => Promise<PayloadReference>;
  /** A segment has been kept, or all were thrown away. */
  readonly onProgress: (progress: ListProgress) => void;
  /** monotonic clock, ms */
  readonly now: () => number;
}

const segmentBytes = 8 * 1024 * 1024;
/** So many are told one by one, some 200 bytes each; then they go into a manifest. */
const inlineSegmentsMax = 32;
/** What a killed process may lose of a slow transfer. Grows with the segments, so that a day's transfer has some hundreds. */
const segmentMs = (segments: number): number => 5_000 * (1 + segments / 64);

/** So many blanks before a list are none of a list's. */
const leadingBlanksMax = 64 * 1024;

const [openBracket, closeBracket] = [0x5b, 0x5d];
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);
const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** A list on its way into the bucket, segment by segment. */
export class ListSegments implements ListSink {
  #options: SegmentsOptions;
  #progress: ListProgress;
  #earlier: readonly PayloadReference[];
  #tail: Buffer[] = [];
  #tailBytes = 0;
  #lastByte: number | undefined;
  #segmentBeganMs: number;
  /** a whole list that comes, as long as its first byte has not shown that it is one; until then what there is stays */
  #newcomer: { readonly begun: ListProgress; head: Buffer } | undefined;
  #takenBytes = 0;

  constructor(options: SegmentsOptions) {
    this.#options = options;
    this.#progress = options.progress;
    this.#earlier = options.manifestSegments;
    this.#lastByte = options.progress.lastByte;
    this.#segmentBeganMs = options.now();
  }

  get progress(): ListProgress {
    return this.#progress;
  }

  /** From where the rest can be asked for, if it can. */
  get resume(): { from: number; etag: string } | undefined {
    const { sizeBytes, resumeEtag } = this.#progress;
    const from = sizeBytes + this.#tailBytes;
    return resumeEtag === undefined || from === 0 ? undefined : { from, etag: resumeEtag };
  }

  /** How much of lists has come in all, also of those that were thrown away. */
  get receivedBytes(): number {
    return this.#takenBytes;
  }

  begin({ from, etag, resumeEtag }: { from: number; etag?: string; resumeEtag?: string }): void {
    const begun = {
      ...emptyList,
      ...(etag !== undefined && { etag }),
      ...(resumeEtag !== undefined && { resumeEtag }),
    };
    this.#newcomer = from > 0 ? undefined : { begun, head: Buffer.alloc(0) };
  }

  /** @throws LineError `not-json` when it does not begin like a list; what there was is still there then */
  async write(chunk: Buffer): Promise<void> {
    if (this.#newcomer === undefined) return await this.#take(chunk);
    const head = this.#newcomer.head.length === 0 ? chunk : Buffer.concat([this.#newcomer.head, chunk]);
    this.#newcomer.head = head;
    const first = firstByteOf(head);
    if (first === undefined && head.length <= leadingBlanksMax) return;
    if (first !== openBracket) throw notAnArray();
    const { begun } = this.#newcomer;
    this.restart();
    this.#progress = begun;
    await this.#take(head);
  }

  async #take(chunk: Buffer): Promise<void> {
    this.#takenBytes += chunk.length;
    this.#lastByte = chunk.findLast((byte) => !isBlank(byte)) ?? this.#lastByte;
    this.#tail.push(chunk);
    this.#tailBytes += chunk.length;
    const ageMs = this.#options.now() - this.#segmentBeganMs;
    if (this.#tailBytes >= segmentBytes || ageMs >= segmentMs(this.#count)) await this.flush();
  }

  /** Keeps what has come since the last segment. */
  async flush(): Promise<void> {
    this.#segmentBeganMs = this.#options.now();
    if (this.#tailBytes === 0) return;
    const body = Buffer.concat(this.#tail);
    const segment = await this.#options.putSegment(body);
    this.#tail = [];
    this.#tailBytes = 0;
    this.#tell({
      ...this.#progress,
      segments: [...this.#progress.segments, segment],
      sizeBytes: this.#progress.sizeBytes + body.length,
      ...(this.#lastByte !== undefined && { lastByte: this.#lastByte }),
    });
    if (this.#progress.segments.length >= inlineSegmentsMax) await this.writeManifest();
  }

  /** Puts the row of all segments into a manifest, if it is not there. @returns which names all of them */
  async writeManifest(): Promise<PayloadReference> {
    const { manifest, segments } = this.#progress;
    if (manifest !== undefined && segments.length === 0) return manifest;
    const all = [...this.#earlier, ...segments];
    const gathered = await this.#options.putManifest(all);
    this.#earlier = all;
    this.#tell({ ...this.#progress, manifest: gathered, segments: [] });
    return gathered;
  }

  /** The last byte has come. @throws LineError `not-json` when it does not end like a list; then nothing of it is left */
  async finish(): Promise<void> {
    if (this.#newcomer !== undefined) throw notAnArray();
    if (this.#lastByte !== closeBracket) {
      this.restart();
      throw notAnArray();
    }
    await this.flush();
    this.#tell({ ...this.#progress, isWhole: true });
  }

  /** Forgets all that has come: it is not of one list. */
  restart(): void {
    this.#tail = [];
    this.#tailBytes = 0;
    this.#lastByte = undefined;
    this.#newcomer = undefined;
    this.#earlier = [];
    this.#tell(emptyList);
  }

  get #count(): number {
    return this.#earlier.length + this.#progress.segments.length;
  }

  #tell(progress: ListProgress): void {
    this.#progress = progress;
    this.#options.onProgress(progress);
  }
}

/** The first byte that is neither blank nor of a byte order mark; undefined while there is none. */
function firstByteOf(head: Buffer): number | undefined {
  const mark = byteOrderMark.subarray(0, head.length);
  const text = head.subarray(0, mark.length).equals(mark) ? head.subarray(mark.length) : head;
  return text.find((byte) => !isBlank(byte));
}

const notAnArray = (): LineError =>
  new LineError('not-json', { operation: 'patients', status: 200, problem: 'no array' });
