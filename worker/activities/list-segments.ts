import type { PayloadReference } from '../../core/contract/payload-reference.ts';
import type { Received } from '../../core/domain/transfer.ts';
import { byteOrderMarks, charsetOf, utf16Of } from '../../core/json/charset.ts';
import type { ListSink } from '../insurer/insurer-adapter.ts';
import { type Arrival, type ListReceiver, receivedOf } from '../insurer/insurer-client.ts';
import { LineError, StorageTooSlow } from '../line/line-error.ts';

/** The part of a list that is stored in the bucket. The next attempt continues from here. */
export interface ListProgress {
  /** object with the references of the first segments, because all of them would be too long for a heartbeat */
  readonly manifest?: PayloadReference;
  /** the segments after those in the manifest */
  readonly segments: readonly PayloadReference[];
  /** total size of all segments, including those in the manifest */
  readonly sizeBytes: number;
  readonly etag?: string;
  /** the adapter's position behind these segments; absent if an interrupted transfer must restart */
  readonly position?: string;
  /** the last byte that is neither white space nor in `afterLists`; absent if there is none */
  readonly lastByte?: number;
  /** of `charsetOf`; absent: UTF-8 */
  readonly charset?: string;
  /** of the transfer's first request: orders the list among all requests on the line */
  readonly fetchOrder?: string;
  /** the list is complete */
  readonly isComplete?: boolean;
}

export const emptyList: ListProgress = { segments: [], sizeBytes: 0 };

export interface SegmentsOptions {
  /** what an earlier attempt has stored */
  readonly progress: ListProgress;
  /** the segments in its manifest */
  readonly manifestSegments: readonly PayloadReference[];
  /** Stores a segment; must retry by itself. */
  readonly putSegment: (body: Buffer) => Promise<PayloadReference>;
  /** Stores the references of all segments; must retry by itself. */
  readonly putManifest: (segments: readonly PayloadReference[]) => Promise<PayloadReference>;
  /** Called after a segment has been stored, or all were discarded. */
  readonly onProgress: (progress: ListProgress) => void;
  /** monotonic clock, ms */
  readonly now: () => number;
  /**
   * maximum time in ms for which a write holds the line while a segment is stored. Doubles each time, up to ten minutes,
   * if the transfer cannot be resumed: otherwise a slow bucket would restart such a list for ever
   */
  readonly holdMaxMs: number;
  /** Called when `holdMaxMs` has doubled. */
  readonly onLongerHold: (holdMaxMs: number) => void;
}

const holdMaxMsLimit = 10 * 60_000;

const segmentBytes = 8 * 1024 * 1024;
/** Number of segments in a heartbeat, about 200 bytes each. More are moved into a manifest. */
const inlineSegmentsMax = 32;
/**
 * Maximum age of a segment: what a killed process can lose of a slow transfer. Grows with the number of segments, so that a
 * transfer of a day has a few hundred.
 */
const segmentMs = (segments: number): number => 5_000 * (1 + segments / 64);

/** Maximum length of the position of a page, which each heartbeat and each request for the next page hold. */
const positionCharsMax = 4_096;

/** Maximum length of white space before a list. An answer with more is not a list. */
const leadingBlanksMax = 64 * 1024;

const [openBracket, closeBracket] = [0x5b, 0x5d];
const isWhiteSpace = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
/** Returns whether a byte cannot be the bracket of a list. In UTF-16, a bracket and white space have a second byte, which is 0. */
const isBlank = (byte: number | undefined, charset = 'utf-8'): boolean =>
  isWhiteSpace(byte) || (byte === 0 && charset.startsWith('utf-16'));

/** NUL and the bytes of byte order marks, which may follow a list. The splitter checks them. */
const afterLists: ReadonlySet<number> = new Set([0, ...byteOrderMarks.flatMap((mark) => [...mark])]);

/** What has arrived of a list at one moment. */
interface Arrived {
  readonly progress: ListProgress;
  readonly manifestSegments: readonly PayloadReference[];
  readonly unstoredChunks: readonly Buffer[];
  readonly unstoredBytes: number;
  readonly lastByte: number | undefined;
  readonly position: string | undefined;
}

/** Writes a list into the bucket, segment by segment, while it arrives. */
export class ListSegments implements ListReceiver {
  #options: SegmentsOptions;
  #progress: ListProgress;
  #manifestSegments: readonly PayloadReference[];
  #unstoredChunks: Buffer[] = [];
  #unstoredBytes = 0;
  #lastByte: number | undefined;
  /** of all bytes that have arrived */
  #position: string | undefined;
  #segmentBeganMs: number;
  #holdMaxMs: number;
  /** a new transfer whose first byte has not arrived yet; only that byte shows whether it is a list and replaces the old one */
  #newTransfer:
    | { readonly progress: ListProgress; readonly contentType?: string | undefined; head: Buffer }
    | undefined;
  #receivedBytes = 0;
  #fetchOrder: string | undefined;
  /** of the current answer */
  #endsWithConnection = false;
  #arrival: Arrival | undefined;
  /** the last answer that was the list, or the rest of it, which starts at `fromBytes` */
  #listArrival: (Arrival & { readonly fromBytes: number }) | undefined;
  /** a segment that is being stored although its request has ended */
  #lateFlush: Promise<void> | undefined;
  /** what had arrived before the current answer, if that continues the list */
  #beforeAnswer: Arrived | undefined;

  constructor(options: SegmentsOptions) {
    this.#options = options;
    this.#progress = options.progress;
    this.#manifestSegments = options.manifestSegments;
    this.#lastByte = options.progress.lastByte;
    this.#position = options.progress.position;
    this.#segmentBeganMs = options.now();
    this.#holdMaxMs = options.holdMaxMs;
  }

  get progress(): ListProgress {
    return this.#progress;
  }

  /** Where the next request can continue; undefined if the transfer cannot be resumed. */
  get resume(): { from: number; position: string } | undefined {
    const from = this.#progress.sizeBytes + this.#unstoredBytes;
    return this.#position === undefined || from === 0 ? undefined : { from, position: this.#position };
  }

  /** Total bytes received, including those of discarded lists. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** What has arrived of the list, for people who wait for it. Also counts bytes that are not stored yet. */
  get received(): Received {
    if (this.#listArrival === undefined) return { receivedBytes: this.#progress.sizeBytes + this.#unstoredBytes };
    return receivedOf(this.#listArrival, this.#listArrival.fromBytes);
  }

  answered(fetchOrder: string, endsWithConnection: boolean, arrival: Arrival): void {
    this.#fetchOrder = fetchOrder;
    this.#endsWithConnection = endsWithConnection;
    this.#arrival = arrival;
  }

  begin({ from, etag, position, contentType }: Parameters<ListSink['begin']>[0]): void {
    const progress = {
      ...emptyList,
      ...this.#ofThisAnswer,
      ...(etag !== undefined && { etag }),
      ...(position !== undefined && { position }),
    };
    this.#newTransfer = from > 0 ? undefined : { progress, contentType, head: Buffer.alloc(0) };
    this.#beforeAnswer = from > 0 ? this.#arrived() : undefined;
    // an answer that ignores the range sends all bytes again
    this.#listArrival = this.#arrival && { ...this.#arrival, fromBytes: this.#arrival.isPartial ? from : 0 };
  }

  /**
   * Appends a chunk.
   * @throws LineError `not-json` if the body does not start like a list; what was stored before stays
   * @throws StorageTooSlow if a segment is not stored within `holdMaxMs`; it is stored later: see `whenStored`
   */
  async write(chunk: Buffer): Promise<void> {
    if (this.#newTransfer === undefined) return await this.#append(chunk);
    const head = this.#newTransfer.head.length === 0 ? chunk : Buffer.concat([this.#newTransfer.head, chunk]);
    this.#newTransfer.head = head;
    if (head.length < 2) return; // a list has two bytes, and they show the byte order of UTF-16
    const charset = charsetOf(head, this.#newTransfer.contentType);
    const utf16 = charset === 'utf-8' ? utf16Of(head) : undefined;
    if (utf16 !== undefined) throw notAList(`not UTF-8 (${utf16} fits)`);
    const first = firstByteOf(head, charset);
    if (first === undefined && head.length <= leadingBlanksMax) return;
    if (first !== openBracket) throw notAnArray();
    const { progress } = this.#newTransfer;
    this.restart();
    this.#progress = { ...progress, ...(charset !== 'utf-8' && { charset }) };
    this.#position = progress.position;
    await this.#append(head);
  }

  get #ofThisAnswer(): Pick<ListProgress, 'fetchOrder'> {
    return this.#fetchOrder === undefined ? {} : { fetchOrder: this.#fetchOrder };
  }

  async #append(chunk: Buffer): Promise<void> {
    this.#add(chunk);
    if (this.#isSegmentDue) await this.#flushInTime();
  }

  #add(chunk: Buffer): void {
    this.#receivedBytes += chunk.length;
    this.#lastByte = chunk.findLast((byte) => !isWhiteSpace(byte) && !afterLists.has(byte)) ?? this.#lastByte;
    this.#unstoredChunks.push(chunk);
    this.#unstoredBytes += chunk.length;
  }

  get #isSegmentDue(): boolean {
    const ageMs = this.#options.now() - this.#segmentBeganMs;
    return this.#unstoredBytes >= segmentBytes || ageMs >= segmentMs(this.#segmentCount);
  }

  /**
   * Appends a page to the array. Not stored before `flushIfDue` or `finish`, when the line is free.
   * @throws LineError `contract` if `next` is the position of this page, which would repeat it for ever, or too long
   */
  page(entries: readonly string[], next?: string): void {
    if (next !== undefined && next === this.resume?.position) throw wrongPosition('next page: this page again');
    if (next !== undefined && next.length > positionCharsMax) throw wrongPosition('next page: too long');
    if (this.resume === undefined) {
      this.restart();
      this.#progress = { ...this.#progress, ...this.#ofThisAnswer };
    }
    const isFirst = this.#lastByte === undefined;
    const isAfterEntry = !isFirst && this.#lastByte !== openBracket;
    const [start, end] = [isFirst ? '[' : isAfterEntry && entries.length > 0 ? ',' : '', next === undefined ? ']' : ''];
    this.#add(Buffer.from(`${start}${entries.map(asJson).join(',\n')}${end}`));
    this.#position = next;
  }

  async #flushInTime(): Promise<void> {
    const flushed = this.flush();
    const tooLate = Promise.withResolvers<never>();
    const limit = setTimeout(() => {
      flushed.catch(() => {}); // thrown by `whenStored`
      this.#lateFlush = flushed;
      if (this.resume === undefined) this.#holdLonger();
      tooLate.reject(new StorageTooSlow());
    }, this.#holdMaxMs);
    await Promise.race([flushed, tooLate.promise]).finally(() => clearTimeout(limit));
  }

  #holdLonger(): void {
    this.#holdMaxMs = Math.min(2 * this.#holdMaxMs, holdMaxMsLimit);
    this.#options.onLongerHold(this.#holdMaxMs);
  }

  /** Resolves once a segment is stored whose request ended before. Must be called before the next request. @throws the storage's error */
  async whenStored(): Promise<void> {
    const flushed = this.#lateFlush;
    this.#lateFlush = undefined;
    await flushed;
  }

  /** Stores the pages that have arrived since the last segment, if they are many or old. */
  async flushIfDue(): Promise<void> {
    if (this.#isSegmentDue) await this.flush();
  }

  /** Stores the bytes that have arrived since the last segment. */
  async flush(): Promise<void> {
    this.#segmentBeganMs = this.#options.now();
    if (this.#unstoredBytes === 0) return;
    const body = Buffer.concat(this.#unstoredChunks);
    const segment = await this.#options.putSegment(body);
    this.#unstoredChunks = [];
    this.#unstoredBytes = 0;
    const { position: _, ...progress } = this.#progress;
    this.#setProgress({
      ...progress,
      segments: [...progress.segments, segment],
      sizeBytes: progress.sizeBytes + body.length,
      ...(this.#lastByte !== undefined && { lastByte: this.#lastByte }),
      ...(this.#position !== undefined && { position: this.#position }),
    });
    if (this.#progress.segments.length >= inlineSegmentsMax) await this.writeManifest();
  }

  /** Stores the references of all segments in a manifest, unless that is done. @returns the manifest of all segments */
  async writeManifest(): Promise<PayloadReference> {
    const { manifest, segments } = this.#progress;
    if (manifest !== undefined && segments.length === 0) return manifest;
    const all = [...this.#manifestSegments, ...segments];
    const written = await this.#options.putManifest(all);
    this.#manifestSegments = all;
    this.#setProgress({ ...this.#progress, manifest: written, segments: [] });
    return written;
  }

  /**
   * Completes the list.
   * @throws LineError if it does not end like a list. `cut-short` if the answer declared no end and the rest can be asked for:
   *   what has arrived stays. Otherwise `not-json`: the answer is discarded
   */
  async finish(): Promise<void> {
    if (this.#newTransfer !== undefined) throw notAnArray();
    if (this.#lastByte !== closeBracket) {
      if (this.#endsWithConnection && this.resume !== undefined) throw new CutWithoutDeclaredEnd();
      this.revert();
      throw notAnArray();
    }
    await this.flush();
    this.#setProgress({ ...this.#progress, isComplete: true });
  }

  /** Discards everything that has arrived, because its parts do not belong to one list. */
  restart(): void {
    this.#unstoredChunks = [];
    this.#unstoredBytes = 0;
    this.#lastByte = undefined;
    this.#position = undefined;
    this.#newTransfer = undefined;
    this.#manifestSegments = [];
    this.#beforeAnswer = undefined;
    this.#setProgress(emptyList);
  }

  /** Discards what the current answer has sent. If that is the whole list, nothing is left. */
  revert(): void {
    const before = this.#beforeAnswer;
    if (before === undefined) {
      this.restart();
      return;
    }
    this.#beforeAnswer = undefined;
    this.#unstoredChunks = [...before.unstoredChunks];
    this.#unstoredBytes = before.unstoredBytes;
    this.#lastByte = before.lastByte;
    this.#position = before.position;
    this.#manifestSegments = before.manifestSegments;
    this.#setProgress(before.progress);
  }

  #arrived(): Arrived {
    return {
      progress: this.#progress,
      manifestSegments: this.#manifestSegments,
      unstoredChunks: [...this.#unstoredChunks],
      unstoredBytes: this.#unstoredBytes,
      lastByte: this.#lastByte,
      position: this.#position,
    };
  }

  get #segmentCount(): number {
    return this.#manifestSegments.length + this.#progress.segments.length;
  }

  #setProgress(progress: ListProgress): void {
    this.#progress = progress;
    this.#options.onProgress(progress);
  }
}

/** Returns JSON as it is, and any other text as a JSON string: it could swallow the entries after it. */
function asJson(entry: string): string {
  try {
    JSON.parse(entry);
    return entry;
  } catch {
    return JSON.stringify(entry);
  }
}

/** Returns the first byte after a byte order mark and white space; undefined if there is none yet. */
function firstByteOf(head: Buffer, charset: string): number | undefined {
  const start = byteOrderMarks.find((mark) => mark.subarray(0, head.length).equals(head.subarray(0, mark.length)));
  const text = head.subarray(start?.length ?? 0);
  return text.find((byte) => !isBlank(byte, charset));
}

/** A list that declared no end ended with its connection, before its last bracket. It may always do. */
export class CutWithoutDeclaredEnd extends LineError {
  constructor() {
    super('cut-short', { operation: 'patients', status: 200, problem: 'no declared end' });
  }
}

const wrongPosition = (problem: string): LineError =>
  new LineError('contract', { operation: 'patients', status: 200, problem });
const notAList = (problem: string): LineError =>
  new LineError('not-json', { operation: 'patients', status: 200, problem });
const notAnArray = (): LineError => notAList('not an array');
