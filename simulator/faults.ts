import { pick, type Random, seededRandom } from './random.ts';

/** Everything that a request can meet instead of its answer (insurer-api.yaml, "How the line fails"). */
export const faultKinds = [
  'refused', // the connection is reset on arrival, and the next one at accept (or the listener is closed for a while)
  'reset-before-headers',
  'reset-in-body',
  'hang', // no byte, until the client closes
  'stalled', // half the body, then no byte more, until the client closes
  'server-error', // 500, 502, 503, 504 with JSON, HTML or nothing
  'busy', // 429 or 503 with Retry-After
  'cut-short', // less than Content-Length says, then FIN
  'chunked-without-end', // FIN instead of the last chunk
  'html-page', // 200 with a proxy's page
  'broken-json', // 200, whole, and no JSON
  'off-contract', // 200, JSON that the contract does not allow
  'wrong-patient', // 200, someone else's care records
  'redirect', // 301, 302, 307, 308 to itself
  'gzip-cut', // 200, gzip whose end is missing; cut-short where gzip is not allowed
  // Only on command:
  'unauthorized', // 401
  'forbidden', // 403
  'too-large', // 200, valid JSON of any size
  'unasked-304',
  'unasked-206',
  'wrong-range', // 206 that starts at another byte
  'trailing-bytes', // a right answer, and more bytes after it on the same connection
  'not-insured', // 410 for someone who is
  'unknown', // 404 for someone who is
] as const;
export type FaultKind = (typeof faultKinds)[number];
export const isFaultKind = (text: string): text is FaultKind => (faultKinds as readonly string[]).includes(text);
export type Mix = Partial<Record<FaultKind, number>>;

/** Weights. Hanging, stalling and Retry-After are rare: each costs the line a second and more. */
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
  'gzip-cut': 3,
};

export interface FaultSettings {
  /** Share of the requests that fail, 0 to 1. */
  rate: number;
  mix: Mix;
  /** From the first byte of a request to the first of its answer. */
  latencyMs: number;
  /** What Retry-After says; as an HTTP date up to a second more, since dates count in seconds. */
  retryAfterSeconds: number;
  /** How long a refused connection's listener stays closed; 0: it stays open, one connection is reset at accept. */
  closedForMs: number;
  /** After this the insurer resets what it left hanging or stalled; 0: never, the client must close. */
  holdMs: number;
  /** Share of the right answers that come slowly but steadily, over `slowMs`. */
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

/** What a script can fix of a behaviour; the rest is drawn from the seed. */
interface BehaviourDetails {
  status?: number;
  retryAfterSeconds?: number;
  retryAfterForm?: 'seconds' | 'date';
  /** Where a body is cut, broken or stalled. */
  afterBytes?: number;
  /** Size of a `too-large` body. */
  sizeBytes?: number;
  latencyMs?: number;
  closedForMs?: number;
  /** Sends the right answer over this time, in ten pieces and more. */
  slowMs?: number;
  framing?: 'content-length' | 'chunked';
  gzip?: boolean;
  connectionClose?: boolean;
}

export interface ScriptRule extends BehaviourDetails {
  /** `list`, `care`, `any`, or one KVNR's care records. */
  match?: string;
  /** `none`: the right answer. */
  fault: FaultKind | 'none';
  /** How many requests it holds for. */
  times?: number;
}

export interface Behaviour {
  fault: FaultKind | 'none';
  details: BehaviourDetails;
  random: Random;
}

/** What the request is for: decides which rule of a script holds, and names the draw. */
export interface RequestTarget {
  kind: 'list' | 'care';
  kvnr?: string;
}

/**
 * Decides what becomes of each request. The draw depends on the seed, the target and how often it was asked for, so
 * neither the clock nor other requests in between change the fate of a patient: a failing seed fails again.
 */
export class FaultPlan {
  settings: FaultSettings;
  private readonly seed: number;
  private script: (ScriptRule & { left: number })[] = [];
  private readonly requestCounts = new Map<string, number>();

  constructor(seed: number, settings: FaultSettings) {
    this.seed = seed;
    this.settings = settings;
  }

  /** Adds rules to those still left; the first that fits a request is used up by one. */
  add(rules: readonly ScriptRule[]): void {
    for (const rule of rules) {
      if (rule.fault !== 'none' && !isFaultKind(rule.fault)) throw new RangeError(`no such fault: ${rule.fault}`);
      this.script.push({ ...rule, left: rule.times ?? 1 });
    }
  }

  clearScript(): void {
    this.script = [];
  }

  get scriptedLeft(): number {
    return this.script.reduce((sum, { left }) => sum + left, 0);
  }

  behaviourFor(target: RequestTarget): Behaviour {
    const name = target.kvnr ?? target.kind;
    const attempt = (this.requestCounts.get(name) ?? 0) + 1;
    this.requestCounts.set(name, attempt);
    const random = seededRandom(this.seed, 'fault', name, attempt);
    const draw = this.draw(random, target); // drawn in any case: a script changes nothing of what follows it
    const rule = this.script.find((candidate) => candidate.left > 0 && matches(candidate.match ?? 'any', target));
    if (rule === undefined) return { fault: draw, details: {}, random };
    rule.left -= 1;
    if (rule.left === 0) this.script = this.script.filter(({ left }) => left > 0);
    return { fault: rule.fault, details: rule, random };
  }

  private draw(random: Random, target: RequestTarget): FaultKind | 'none' {
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
    { contentType: 'application/json', text: '{"error":' }, // not even JSON
    {
      contentType: 'text/html',
      text: `<html><body><h1>${status}</h1><p>Störung im Übertragungsnetz</p></body></html>`,
    },
    { contentType: '', text: '' },
  ]);

export const htmlPage =
  '<!DOCTYPE html><html><head><title>Proxy</title></head><body>Bitte melden Sie sich an.</body></html>';

/** JSON, and nothing that the contract allows. */
export function offContractBody(random: Random, { kind, kvnr }: RequestTarget): string {
  if (kind === 'list') {
    return pick(random, ['{"patients":[]}', 'null', '"[]"', '{}', '{"error":"Stichtag unbekannt"}', '0', '{"0":{}}']);
  }
  const start = `{"kvnr":"${kvnr}","careRecords":`;
  const record = '"id":"V1","programme":"DMP","title":"T","status":"active","start":"2024-01-01"';
  return pick(random, [
    `${start}{}}`,
    `${start}null}`,
    `${start}[null]}`,
    `${start}[{"programme":"DMP","title":"ohne Nummer","status":"active","start":"2024-01-01"}]}`,
    `${start}[{${record.replace('"DMP"', '"XYZ"')}}]}`,
    `${start}[{${record.replace('"active"', '"ended"')}}]}`,
    `${start}[{${record.replace('2024-01-01', '2024-02-30')}}]}`,
    `${start}[{${record},"documents":[{"id":"d"}]}]}`,
    `${start}[{${record},"diagnoses":[{"text":"ohne Code"}]}]}`,
    `${start}[{${record}},{${record}}]}`, // an id twice
    `{"careRecords":[{${record}}]}`,
    `{"kvnr":"${kvnr}"}`,
    '[]',
    'null',
  ]);
}

/** Bytes that no JSON parser may take: cut, trailing, mangled or invalid UTF-8. */
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
