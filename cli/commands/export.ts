import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type ExportedType, type ExportState, namedFiles } from '../../core/domain/export.ts';
import { type Api, findApi } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { say, sayJson } from '../output.ts';

/** An export as the API answers it. */
interface ExportStatus {
  readonly exportId: string;
  readonly state: ExportState;
  readonly requestedBy: string;
  readonly transactionTime: string;
  readonly percent: number;
  readonly patients: number;
  readonly skipped: number;
  readonly counts: Readonly<Record<ExportedType, number>>;
  readonly changed?: { readonly by: string; readonly at: string };
  readonly filesExpireAt?: string;
  readonly failure?: string;
  readonly output?: readonly {
    readonly type: ExportedType;
    readonly url: string;
    readonly sizeBytes: number;
    readonly sha256: string;
  }[];
}

/** Files that are downloaded with the same links, which are valid for a quarter of an hour. */
const filesByLinks = 50;

/** Adds the commands of a system that takes over all patients. */
export function addExportCommands(program: Command): void {
  const command = program.command('export').description('export all patients as FHIR R4, in files with NDJSON');
  const api = (): Api => findApi(process.env, 'integration');
  const exportArgument = ['[exportId]', 'by default, the newest export'] as const;

  command
    .command('start')
    .description('start an export; only one can be in progress')
    .action(async () => {
      const { exportId } = await api().post<ExportStatus>('/exports');
      say(`export ${exportId} is in progress: npm run sync -- export status`);
    });

  command
    .command('status')
    .description('show how far an export is')
    .argument(...exportArgument)
    .option('--json', 'print JSON')
    .action(async (exportId: string | undefined, { json }: { json?: true }) => {
      const found = await findExport(api(), exportId);
      if (json) return sayJson(found);
      for (const line of statusLines(found)) say(line);
    });

  for (const [name, description] of [
    ['pause', 'pause an export, after the batch in progress'],
    ['resume', 'resume a paused export where it stopped'],
    ['cancel', 'cancel an export, or delete the files of a completed one'],
  ] as const)
    command
      .command(name)
      .description(description)
      .argument(...exportArgument)
      .action(async (exportId: string | undefined) => {
        const { exportId: found } = await findExport(api(), exportId);
        const [line = ''] = statusLines(await api().post<ExportStatus>(`/exports/${found}/${name}`));
        say(line);
      });

  command
    .command('download')
    .description('download the files of a completed export, and check them')
    .argument('<folder>', 'is created if it does not exist')
    .argument(...exportArgument)
    .action(async (folder: string, exportId: string | undefined) => await download(api(), folder, exportId));
}

async function findExport(api: Api, exportId: string | undefined): Promise<ExportStatus> {
  if (exportId !== undefined) return await api.get<ExportStatus>(`/exports/${encodeURIComponent(exportId)}`);
  const [newest] = (await api.get<{ readonly exports: readonly ExportStatus[] }>('/exports')).exports;
  if (newest === undefined) throw new CommandError('notFound', 'there is no export. Start one with export start.');
  return await api.get<ExportStatus>(`/exports/${newest.exportId}`);
}

const leftOut = (skipped: number): string =>
  `${skipped} patients left out: their data cannot be read (log of the workers)`;

function statusLines(found: ExportStatus): string[] {
  const { exportId, state, requestedBy, transactionTime, percent, patients, skipped, counts, changed } = found;
  const { filesExpireAt, failure } = found;
  return [
    `export ${exportId} is ${state}${failure === undefined ? '' : ` (${failure})`}: ${patients} patients, ${percent} %`,
    ...(skipped > 0 ? [`  ${leftOut(skipped)}`] : []),
    `  requested by ${requestedBy} at ${transactionTime}`,
    ...(changed ? [`  last changed by ${changed.by} at ${changed.at}`] : []),
    `  ${Object.entries(counts)
      .map(([type, count]) => `${count} ${type}`)
      .join(', ')}`,
    ...(filesExpireAt === undefined ? [] : [`  the files are deleted at ${filesExpireAt}`]),
  ];
}

/** Downloads all files, with new links before the old ones expire. */
async function download(api: Api, folder: string, wanted: string | undefined): Promise<void> {
  const { exportId, state, skipped, output } = await findExport(api, wanted);
  if (output === undefined) {
    const why = state === 'completed' ? 'only the caller who has started it gets its files' : `it is ${state}`;
    throw new CommandError('failed', `export ${exportId} has no files for you: ${why}.`);
  }
  await mkdir(folder, { recursive: true });
  let links = output;
  for (const [index, { fileName }] of namedFiles(output).entries()) {
    if (index > 0 && index % filesByLinks === 0)
      links = (await api.get<ExportStatus>(`/exports/${exportId}`)).output ?? [];
    const file = links[index];
    if (file === undefined) throw new CommandError('failed', 'the files were deleted meanwhile. Start a new export.');
    const text = await api.readLink({ ...file, href: file.url });
    await writeFile(join(folder, fileName), text, { mode: 0o600 });
  }
  say(`${output.length} files of export ${exportId} are in ${folder}`);
  if (skipped > 0) say(`${leftOut(skipped)}. They are stored: remove nobody who is missing in these files.`);
}
