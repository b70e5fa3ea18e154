import { ApplicationFailure, type DataConverter } from '@temporalio/common';
import type { ActivityInterceptorsFactory, InjectedSinks } from '@temporalio/worker';
import type { Metrics } from '../core/telemetry/metrics.ts';
import { createDataConverter, markingForeign, tellingRefused } from '../core/temporal/codec.ts';
import { payloadCodecOf } from '../core/temporal/connection.ts';
import type { Log } from './log.ts';
import { payloadRefused, type RefusalSinks } from './workflows/refuse-foreign.ts';

/** What makes a worker refuse what epa-sync has not written (ADR 0059). Each refusal is counted, and no payload is logged. */
export interface Refusals {
  /** of all workers of this process */
  readonly dataConverter: DataConverter;
  /** of the worker that runs workflows, which refuse for themselves: once, and not in each replay */
  readonly sinks: InjectedSinks<RefusalSinks>;
  /**
   * Refuses arguments that the codec has marked: the payload converter returns `undefined` for them, and none of our
   * activities has such an argument. Also refuses activities that no workflow has scheduled.
   */
  readonly activityInterceptors: ActivityInterceptorsFactory;
}

export function createRefusals(config: Parameters<typeof payloadCodecOf>[0], metrics: Metrics, log: Log): Refusals {
  const report = (facts: Readonly<Record<string, string>>): void => {
    log.error('payload refused', facts);
    metrics.emit({ PayloadsRefused: 1 });
  };
  return {
    dataConverter: createDataConverter(
      markingForeign(
        // the carrier is refused and counted elsewhere; this says that the reason may be a key that we lack
        tellingRefused(payloadCodecOf(config), (fault) => fault === 'unknown-key' && log.warn('payload key unknown')),
      ),
    ),
    sinks: {
      refusals: { tell: { fn: ({ workflowId, workflowType }, what) => report({ what, workflowId, workflowType }) } },
    },
    activityInterceptors: ({ info: { activityType, inWorkflow } }) => ({
      inbound: {
        async execute(input, next) {
          if (inWorkflow && !input.args.includes(undefined)) return await next(input);
          report({ what: 'activity', activityType });
          throw ApplicationFailure.nonRetryable('epa-sync has not asked for this activity', payloadRefused);
        },
      },
    }),
  };
}
