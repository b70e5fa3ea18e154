import { createGateClient, openGate } from '../../core/stores/gate.ts';
import { createLog } from '../log.ts';
import { startKeeper } from './keeper.ts';
import { forkedFrom } from './line-process-handle.ts';

/** Runs a worker's main process with only the keeper. Logs the keeper's calls on stdout. Shuts down on SIGTERM. */
const setting = (name: string): string => process.env[name] ?? '';
const log = createLog('keeper');
const keeper = await startKeeper({
  config: { LEASE_MS: Number(setting('LEASE_MS')) },
  gate: openGate(createGateClient(setting('AWS_REGION')), setting('INSURER_ID')),
  log,
  startLineProcess: forkedFrom(new URL('./line-process.fixture.ts', import.meta.url)),
  onSystemPause: (reason) => log.info('paused by system', { reason }),
  onUnacknowledged: () => log.info('unacknowledged'),
});
process.on('SIGTERM', () => {
  void keeper.stop().then(() => process.exit(0));
});
