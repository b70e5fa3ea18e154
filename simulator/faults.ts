import { pick, type Random, seededRandom } from './random.ts';

/** All faults that a request can get instead of its answer (insurer-api.yaml, "How the line fails"). */
export const faultKinds = [
  'refused', // the connection is reset on arrival, and the next one at accept (or the listener is closed for a while)
  'reset-before-headers',
  'reset-in-body',
  'hang', // no byte until the client closes the connection
  'stalled', // half the body, then no byte until the client closes the connection
  'server-error', // 500, 502, 503, 504 with JSON, HTML or nothing
  'busy', // 429 or 503 with Retry-After
  'cut-short', // fewer bytes than Content-Length says, then FIN
  'chunked-without-end', // FIN instead of the last chunk
  'html-page', // 200 with the page of a proxy
  'broken-json', // 200 with a complete body that is not JSON
  'off-contract', // 200 with JSON that the contract does not allow
  'wrong-patient', // 200 with the care records of another patient
  'redirect', // 301, 302, 307, 308 to itself
  'truncated-gzip', // 200 with truncated gzip; cut-short if the client does not accept gzip
  // only by a script:
  'unauthorized', // 401
  'forbidden', // 403
  'too-large', // 200 with valid JSON of any size
  'unasked-304',
  'unasked-206',
  'wrong-range', // 206 that starts at another byte
  'trailing-bytes', // a correct answer, then more bytes on the same connection
  'not-insured', // 410 for an insured patient
  'unknown', // 404 for a known patient
] as const;
export type FaultKind = (typeof faultKinds)[number];
export const isFaultKind = (text: string): text is FaultKind => (faultKinds as readonly string[]).includes(text);
export type Mix = Partial<Record<FaultKind, number>>;

/** Weights. `hang`, `stalled` and `busy` are rare, because each costs the line at least a second. */
const defaultMix: Mix = {
  refused: 8,
  'reset-before-headers': 14,
  'reset-in-body': 12,
  hang: 0.05,
  stalled: 0.05,
  'server-error': 24,
  busy: 0.3,
  'cut-short': 10,
  'chunked-without-end': 8,
  'html-page': 8,
  'broken-json': 6,
  'off-contract': 5,
  'wrong-patient': 5,
  redirect: 3,
  'truncated-gzip': 3,
};

export interface FaultSettings {
  /** Share of requests that fail, from 0 to 1. */
  rate: number;
  mix: Mix;
  /** Time from the first byte of a request to the first byte of its answer. */
  latencyMs: number;
  /** Value of Retry-After. As an HTTP date, it is rounded up to whole seconds. */
  retryAfterSeconds: number;
  /** How long the listener stays closed after `refused`. 0: it stays open, and one connection is reset at accept. */
  closedForMs: number;
  /** The insurer resets `hang` and `stalled` after this time. 0: never, the client must close the connection. */
  holdMs: number;
  /** Share of correct answers that are sent slowly but steadily, over `slowMs`. */
  slowShare: number;
  slowMs: number;
}

export const defaultFaults: FaultSettings = {
  rate: 0.8,
  mix: defaultMix,
  latencyMs: 20,
  retryAfterSeconds: 1,
  closedForMs: 0,
  holdMs: 0,
  slowShare: 0.01,
  slowMs: 400,
};

/** What a script can set for an answer. The seed decides the rest. */
interface BehaviourDetails {
  status?: number;
  retryAfterSeconds?: number;
  retryAfterForm?: 'seconds' | 'date';
  /** Position at which a body is truncated, broken or stalled. */
  afterBytes?: number;
  /** Size of a `too-large` body. */
  sizeBytes?: number;
  latencyMs?: number;
  closedForMs?: number;
  /** Sends the correct answer over this time, in at least ten pieces. */
  slowMs?: number;
  framing?: 'content-length' | 'chunked';
  gzip?: boolean;
  connectionClose?: boolean;
}

export interface ScriptRule extends BehaviourDetails {
  /** `list`, `care`, `any`, or a KVNR for the care records of one patient. */
  match?: string;
  /** `none`: the correct answer. */
  fault: FaultKind | 'none';
  /** How many requests it applies to. */
  times?: number;
}

export interface Behaviour {
  fault: FaultKind | 'none';
  details: BehaviourDetails;
  random: Random;
}

/** What is requested: the list, or the care records of one patient. */
export interface RequestTarget {
  kind: 'list' | 'care';
  kvnr?: string;
}

/**
 * Decides how each request is answered. The decision depends on the seed, the target, and how often the target was
 * requested. The clock and other requests do not change it, so a failing seed fails again.
 */
export class FaultPlan {
  settings: FaultSettings;
  readonly #seed: number;
  #script: (ScriptRule & { left: number })[] = [];
  readonly #requestCounts = new Map<string, number>();

  constructor(seed: number, settings: FaultSettings) {
    this.#seed = seed;
    this.settings = settings;
  }

  /** Adds rules. Each request uses up the first rule that matches it. */
  add(rules: readonly ScriptRule[]): void {
    for (const rule of rules) {
      if (rule.fault !== 'none' && !isFaultKind(rule.fault)) throw new RangeError(`unknown fault: ${rule.fault}`);
      this.#script.push({ ...rule, left: rule.times ?? 1 });
    }
  }

  clearScript(): void {
    this.#script = [];
  }

  get scriptedLeft(): number {
    return this.#script.reduce((sum, { left }) => sum + left, 0);
  }

  behaviourFor(target: RequestTarget): Behaviour {
    const name = target.kvnr ?? target.kind;
    const attempt = (this.#requestCounts.get(name) ?? 0) + 1;
    this.#requestCounts.set(name, attempt);
    const random = seededRandom(this.#seed, 'fault', name, attempt);
    const draw = this.#draw(random, target); // drawn in any case, so that a script does not change later requests
    const rule = this.#script.find((candidate) => candidate.left > 0 && matches(candidate.match ?? 'any', target));
    if (rule === undefined) return { fault: draw, details: {}, random };
    rule.left -= 1;
    if (rule.left === 0) this.#script = this.#script.filter(({ left }) => left > 0);
    return { fault: rule.fault, details: rule, random };
  }

  #draw(random: Random, target: RequestTarget): FaultKind | 'none' {
    const isFaulty = random() < this.settings.rate;
    const weights = Object.entries(this.settings.mix) as [FaultKind, number][];
    let left = random() * weights.reduce((sum, [, weight]) => sum + weight, 0);
    if (!isFaulty) return 'none';
    const drawn =
      weights.find(([, weight]) => {
        left -= weight;
        return left < 0;
      })?.[0] ?? 'reset-before-headers';
    return drawn === 'wrong-patient' && target.kind === 'list' ? 'reset-in-body' : drawn;
  }
}

const matches = (match: string, { kind, kvnr }: RequestTarget): boolean =>
  match === 'any' || match === kind || match === kvnr;

export const serverErrorBody = (random: Random, status: number): { contentType: string; text: string } =>
  pick(random, [
    { contentType: 'application/problem+json', text: `{"type":"about:blank","title":"Fehler","status":${status}}` },
    { contentType: 'application/json', text: '{"error":' }, // not JSON
    {
      contentType: 'text/html',
      text: `<html><body><h1>${status}</h1><p>Störung im Übertragungsnetz</p></body></html>`,
    },
    { contentType: '', text: '' },
  ]);

export const htmlPage =
  '<!DOCTYPE html><html><head><title>Proxy</title></head><body>Bitte melden Sie sich an.</body></html>';

/**
 * Returns JSON that cannot be stored. Where it names the patient, it also has a number of its own, because the same bytes
 * twice are an answer and no fault (docs/reference/insurer-answers.md, "The same answer twice").
 */
export function offContractBody(random: Random, { kind, kvnr }: RequestTarget): string {
  if (kind === 'list') {
    return pick(random, ['{"patients":[]}', 'null', '"[]"', '{}', '{"error":"Stichtag unbekannt"}', '0', '{"0":{}}']);
  }
  const start = `{"kvnr":"${kvnr}","trace":"${random()}"`;
  const record = '"id":"V1","programme":"DMP","title":"T","status":"active","start":"2024-01-01"';
  return pick(random, [
    `${start},"careRecords":{}}`,
    `${start},"careRecords":null}`,
    `${start},"careRecords":[null]}`,
    `${start},"careRecords":[{"programme":"DMP","title":"ohne Nummer","status":"active","start":"2024-01-01"}]}`,
    `${start},"careRecords":[{${record}},{${record}}]}`, // a duplicate id
    `${start}}`,
    `{"careRecords":[{${record}}]}`,
    '[]',
    'null',
  ]);
}

/** Returns bytes that no JSON parser may accept: truncated, with trailing bytes, mangled, or invalid UTF-8. */
export function brokenJson(random: Random, right: Buffer): Buffer {
  const at = Math.floor(right.length * (0.1 + 0.8 * random()));
  const half = right.subarray(0, at);
  return pick(random, [
    () => half,
    () => Buffer.concat([right, Buffer.from(random() < 0.5 ? ']' : '<!-- cached -->')]),
    () => Buffer.concat([half, Buffer.from('<html>502</html>')]),
    () => Buffer.concat([right.subarray(0, 1), Buffer.from('"\xff\xfe"', 'latin1'), right.subarray(1)]),
    () => Buffer.from("{'kvnr': undefined}"),
    () => Buffer.alloc(0),
  ])();
}
