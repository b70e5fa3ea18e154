import type { Command } from 'commander';
import { type LineChange, paceMax } from '../../core/domain/gate.ts';
import type { LineStatus } from '../../core/domain/line-status.ts';
import {
  changeLine,
  limitLines,
  minuteOf,
  pauseLines,
  quietLines,
  reasonLines,
} from '../../terminal/progress-lines.ts';
import { findApi } from '../api-client.ts';
import { say, sayJson } from '../output.ts';
import { paceOf, pauseEndOption, reasonArgument } from './arguments.ts';

/** Adds the operator's commands about the line. */
export function addLineCommands(program: Command): void {
  program
    .command('pause')
    .description(
      'pause the line; returns once no request is in flight, and blocks new requests until resumed or until the end',
    )
    .addArgument(reasonArgument())
    .addOption(pauseEndOption())
    .action(async (reason: string, { until }: { until?: string }) => {
      const startedMs = performance.now();
      const command = { reason: reason.trim(), ...(until !== undefined && { until }) };
      const line = await findApi(process.env, 'operator').post<LineStatus>('/line/pause', command);
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
      const isFirst = line.reason === reason.trim() && (line.openReasons ?? []).length <= 1;
      if (!isFirst) for (const each of pauseLines(line)) say(each); // it was already paused
      const end = line.until === undefined ? '' : `${minuteOf(line.until)}, or until `;
      say(
        `the line is paused, and silent after ${seconds} s: no request is sent until ${end}npm run sync -- resume <reason>`,
      );
    });

  program
    .command('resume')
    .description('open a paused line, and show every reason it was paused for; the next request starts immediately')
    .addArgument(reasonArgument())
    .action(async (reason: string) => {
      const api = findApi(process.env, 'operator');
      if ((await api.get<LineStatus>('/line')).state === 'open') return say('the line is open already');
      const opened = await api.post<LineStatus>('/line/resume', { reason: reason.trim() });
      say('the line is open: the next request starts immediately');
      for (const each of reasonLines(opened)) say(`  it was paused ${each}`);
    });

  program
    .command('lift')
    .description('lift the cooldown of the line: the next request is sent immediately')
    .addArgument(reasonArgument())
    .action(async (reason: string) => {
      const api = findApi(process.env, 'operator');
      if ((await api.get<LineStatus>('/line')).cooldown === undefined) return say('there is no cooldown to lift');
      const line = await api.post<LineStatus>('/line/lift', { reason: reason.trim() });
      say(`the cooldown is lifted${line.state === 'paused' ? ', but the line is paused' : ''}`);
    });

  program
    .command('pace')
    .description('set how many requests a minute the line may send, syncs on demand included')
    .argument('<requests>', `1 to ${paceMax}, or "default" for LINE_REQUESTS_PER_MINUTE of the workers`, paceOf)
    .addArgument(reasonArgument())
    .action(async (requestsPerMinute: number | null, reason: string) => {
      const api = findApi(process.env, 'operator');
      const line = await api.post<LineStatus>('/line/pace', { requestsPerMinute, reason: reason.trim() });
      if (line.pace === undefined) return say('the line has no limit of requests');
      say(`the line sends at most ${line.pace.requestsPerMinute} requests a minute, within a second from now`);
    });

  program
    .command('line')
    .description('show whether the line is open or paused, what limits it, and who changed it, when and why')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: true }) => {
      const api = findApi(process.env, 'operator');
      const line = await api.get<LineStatus & { readonly changes: readonly LineChange[] }>('/line');
      if (json) return sayJson(line);
      if (line.state === 'open') say(`the line is open, and ${line.busy ? 'busy' : 'idle'}`);
      else for (const each of pauseLines(line)) say(each);
      for (const each of [...limitLines(line), ...quietLines(line)]) say(each);
      for (const change of line.changes) say(`  ${changeLine(change)}`);
    });
}
