import { randomBytes } from 'node:crypto';
import type { z } from 'zod';
import { type AccessDraft, agentLabel, type Role } from '../../core/domain/access.ts';
import {
  type Export,
  type ExportFile,
  type ExportState,
  exportedTypes,
  filesExpireAt,
  isExportInProgress,
  percentOf,
} from '../../core/domain/export.ts';
import { newRunId } from '../../core/domain/run-id.ts';
import type { Clients } from '../clients.ts';
import type { Actor } from '../http/actor.ts';
import { emulatorOriginOf } from '../http/api-url.ts';
import type { Call, Handler } from '../http/operation.ts';
import { Problem } from '../http/problems.ts';
import type { exportStatus } from '../http/schemas.ts';

/** Long enough to download a file, and too short to pass the address on. */
const linkLifetimeSeconds = 900;
const exportsShown = 50;

type Status = z.input<typeof exportStatus>;

const statusOf = (found: Export, output?: Status['output']): Status => {
  const { exportId, state, requestedBy, transactionTime, apiUrl, patients, skipped = 0, counts } = found;
  const { changed, finishedAt, failure } = found;
  const expireAt = filesExpireAt(found);
  return {
    exportId,
    state,
    requestedBy: agentLabel(requestedBy),
    transactionTime,
    request: `${apiUrl}/exports`,
    requiresAccessToken: false,
    percent: percentOf(found),
    patients,
    skipped,
    counts,
    ...(changed && { changed }),
    ...(finishedAt !== undefined && { finishedAt }),
    ...(expireAt !== undefined && { filesExpireAt: expireAt }),
    ...(failure !== undefined && { failure }),
    ...(output && { output }),
    error: [],
  };
};

/** @throws Problem `export-unknown` */
async function findExport({ stores, config }: Clients, exportId: string): Promise<Export> {
  const found = await stores.exports.read(config.INSURER_ID, exportId);
  if (found === undefined) throw new Problem('export-unknown');
  return found;
}

/** @throws Problem `unavailable` */
const wake = async ({ exportClient }: Clients, exportId: string): Promise<void> =>
  await exportClient.wake(exportId).catch((cause: unknown) => {
    throw new Problem('unavailable', { detail: 'Temporal does not answer. Repeat the request.' }, { cause });
  });

/** Starts an export. If one is in progress, wakes its workflow, which may have been terminated. */
export const startExport: Handler<'startExport'> = async (call, clients) => {
  const { stores, config } = clients;
  const now = new Date();
  const begun: Export = {
    exportId: newRunId(now.getTime(), randomBytes(3).toString('hex').slice(1)),
    state: 'running',
    requestedBy: agentOf(call.actor),
    source: call.source,
    transactionTime: now.toISOString(),
    apiUrl: call.apiUrl,
    insurer: { id: config.INSURER_ID, ...(config.INSURER_IK !== undefined && { iknr: config.INSURER_IK }) },
    batches: 0,
    patients: 0,
    counts: Object.fromEntries(exportedTypes.map((type) => [type, 0])) as Export['counts'],
  };
  const { exportId } = begun;
  const inProgress = await stores.exports.begin(config.INSURER_ID, begun);
  if (inProgress !== undefined) {
    await wake(clients, inProgress);
    const detail = `Wait for the export ${inProgress}, or cancel it.`;
    throw new Problem('export-in-progress', { detail, exportId: inProgress });
  }
  try {
    await wake(clients, exportId);
  } catch (error) {
    const failed = { state: 'failed', failure: 'not-started', finishedAt: new Date().toISOString() } as const;
    await stores.exports.change(config.INSURER_ID, exportId, ['running'], failed);
    throw error;
  }
  return { body: statusOf(begun) };
};

/** Returns who starts an export, as the access entries of the patients name them. */
const agentOf = ({ who, name }: Actor): AccessDraft['agent'] => ({
  who,
  ...(name !== undefined && { name }),
  role: 'integration' satisfies Role,
});

export const listExports: Handler<'listExports'> = async (_call, { stores, config }) => {
  const exports = await stores.exports.list(config.INSURER_ID, exportsShown);
  return { body: { exports: exports.map((each) => statusOf(each)) } };
};

/** Returns the files to the caller who has started the export, because the access entries name nobody else. */
export const readExport: Handler<'readExport'> = async ({ params, actor, apiUrl }, clients) => {
  const found = await findExport(clients, params.exportId);
  const expireAt = filesExpireAt(found);
  const areThere = expireAt !== undefined && Date.parse(expireAt) > Date.now();
  const isTheirs = found.requestedBy.who === actor.who && actor.roles.includes('integration');
  if (!areThere || !isTheirs) return { body: statusOf(found) };
  const { exports } = clients.stores;
  const files = await exports.readFiles(clients.config.INSURER_ID, params.exportId);
  const links = await exports.linksTo(files, linkLifetimeSeconds, emulatorOriginOf(apiUrl));
  const expiresAt = new Date(Date.now() + linkLifetimeSeconds * 1_000).toISOString();
  const linked = files.map(({ key: _, ...file }: ExportFile, index) => ({
    ...file,
    url: links[index] ?? '',
    expiresAt,
  }));
  return { body: statusOf(found, linked) };
};

/**
 * Changes the state, and wakes the workflow. Changes nothing if the state is the wanted one already, but wakes it, too.
 * @throws Problem `export-unknown`, `export-ended`, `unavailable`
 */
async function changeExport(
  { params, actor }: Pick<Call<'pauseExport'>, 'params' | 'actor'>,
  clients: Clients,
  wanted: ExportState,
): Promise<Status> {
  const { exportId } = params;
  const { stores, config } = clients;
  const before = await findExport(clients, exportId);
  if (before.state !== wanted) {
    const at = new Date().toISOString();
    const changed = { by: agentLabel(actor), at };
    const mayCancel = wanted === 'cancelled';
    const from: ExportState[] = isExportInProgress(before) ? ['running', 'paused'] : mayCancel ? ['completed'] : [];
    const end = mayCancel && isExportInProgress(before) ? { finishedAt: at } : {};
    const isChanged =
      from.length > 0 &&
      (await stores.exports.change(config.INSURER_ID, exportId, from, { state: wanted, changed, ...end }));
    if (!isChanged) throw new Problem('export-ended');
  }
  await wake(clients, exportId);
  return statusOf(await findExport(clients, exportId));
}

export const pauseExport: Handler<'pauseExport'> = async (call, clients) => ({
  body: await changeExport(call, clients, 'paused'),
});

export const resumeExport: Handler<'resumeExport'> = async (call, clients) => ({
  body: await changeExport(call, clients, 'running'),
});

export const cancelExport: Handler<'cancelExport'> = async (call, clients) => ({
  body: await changeExport(call, clients, 'cancelled'),
});
