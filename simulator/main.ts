import { z } from 'zod';
import type { Mix } from './faults.ts';
import { type InsurerOptions, startInsurer } from './insurer.ts';

const count = z.coerce.number().int().min(0);
const share = z.coerce.number().min(0).max(1);

function mixFromJson(text: string, context: z.RefinementCtx): Mix {
  try {
    return z.record(z.string(), z.number().min(0)).parse(JSON.parse(text));
  } catch {
    context.addIssue('must be JSON such as {"server-error": 1, "hang": 0.1}');
    return z.NEVER;
  }
}

const settings = z.object({
  INSURER_PORT: count.max(65_535).default(9080),
  INSURER_CONTROL_PORT: count.max(65_535).default(9081),
  INSURER_API_TOKEN: z.string().min(1).optional(),
  INSURER_SEED: count.optional(),
  INSURER_PATIENTS: count.max(100_000_000).optional(),
  INSURER_IDENTICAL_DUPLICATES: count.optional(),
  INSURER_DIFFERING_DUPLICATES: count.optional(),
  INSURER_MALFORMED_ENTRIES: count.optional(),
  INSURER_NOT_INSURED_SHARE: share.optional(),
  INSURER_UNKNOWN_SHARE: share.optional(),
  INSURER_LARGE_DOCUMENTS: count.optional(),
  INSURER_LARGE_DOCUMENT_BYTES: count.max(200_000_000).optional(),
  INSURER_LARGE_RECORDS: count.optional(),
  INSURER_FAILURE_RATE: share.optional(),
  INSURER_MIX: z.string().transform(mixFromJson).optional(),
  INSURER_LATENCY_MS: count.optional(),
  INSURER_RETRY_AFTER_SECONDS: count.optional(),
  INSURER_CLOSED_FOR_MS: count.optional(),
  INSURER_HOLD_MS: count.optional(),
  INSURER_SLOW_SHARE: share.optional(),
  INSURER_SLOW_MS: count.optional(),
  INSURER_ETAG: z.enum(['strong', 'weak', 'none']).optional(),
  INSURER_RANGES: z.stringbool().optional(),
  INSURER_FRAMING: z.enum(['content-length', 'chunked', 'mixed']).optional(),
  INSURER_STATE_FILE: z.string().min(1).optional(),
});

const names: Record<keyof z.infer<typeof settings>, keyof InsurerOptions> = {
  INSURER_PORT: 'port',
  INSURER_CONTROL_PORT: 'controlPort',
  INSURER_API_TOKEN: 'token',
  INSURER_SEED: 'seed',
  INSURER_PATIENTS: 'patients',
  INSURER_IDENTICAL_DUPLICATES: 'identicalDuplicates',
  INSURER_DIFFERING_DUPLICATES: 'differingDuplicates',
  INSURER_MALFORMED_ENTRIES: 'malformedEntries',
  INSURER_NOT_INSURED_SHARE: 'notInsuredShare',
  INSURER_UNKNOWN_SHARE: 'unknownShare',
  INSURER_LARGE_DOCUMENTS: 'largeDocuments',
  INSURER_LARGE_DOCUMENT_BYTES: 'largeDocumentBytes',
  INSURER_LARGE_RECORDS: 'largeRecords',
  INSURER_FAILURE_RATE: 'rate',
  INSURER_MIX: 'mix',
  INSURER_LATENCY_MS: 'latencyMs',
  INSURER_RETRY_AFTER_SECONDS: 'retryAfterSeconds',
  INSURER_CLOSED_FOR_MS: 'closedForMs',
  INSURER_HOLD_MS: 'holdMs',
  INSURER_SLOW_SHARE: 'slowShare',
  INSURER_SLOW_MS: 'slowMs',
  INSURER_ETAG: 'etag',
  INSURER_RANGES: 'ranges',
  INSURER_FRAMING: 'framing',
  INSURER_STATE_FILE: 'stateFile',
};

function fail(message: string): never {
  process.stderr.write(`insurer: ${message}\n`);
  process.exit(1);
}

const parsed = settings.safeParse(process.env);
if (!parsed.success) fail(z.prettifyError(parsed.error).replaceAll('\n', ' '));
const given = Object.entries(parsed.data).map(([name, value]) => [names[name as keyof typeof names], value]);

const insurer = await startInsurer(Object.fromEntries(given)).catch((error: NodeJS.ErrnoException) => {
  if (error.code === 'EADDRINUSE')
    fail(`${error.message}. Stop the process that listens there, or set INSURER_PORT or INSURER_CONTROL_PORT.`);
  if (error instanceof SyntaxError) fail(`the state file is not valid JSON. Delete ${parsed.data.INSURER_STATE_FILE}.`);
  fail(error.message);
});
process.stdout.write(`insurer listening on ${insurer.baseUrl} control ${insurer.controlUrl}\n`);

const stop = (): void => void insurer.close().then(() => process.exit(0));
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
