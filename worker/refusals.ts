import { ApplicationFailure } from '@temporalio/common';
import type { ActivityInterceptorsFactory, InjectedSinks } from '@temporalio/worker';
import type { CodecFault } from '../core/crypto/key-wrapper.ts';
import type { Metrics } from '../core/telemetry/metrics.ts';
import type { Log } from './log.ts';
import { payloadRefused, type RefusalSinks } from './workflows/refuse-foreign.ts';

/** Reports what this process has refused, because epa-sync has not written it (ADR 0059). Payloads are never logged. */
export interface Refusals {
  /** for `tellingRefused` */
  readonly tell: (fault: CodecFault) => void;
  readonly sinks: InjectedSinks<RefusalSinks>;
  /**
   * Refuses arguments that the codec has marked: for them, the payload converter returns `undefined`. No activity of ours
   * has such an argument.
   */
  readonly activityInterceptors: ActivityInterceptorsFactory;
}

export function createRefusals(metrics: Metrics, log: Log): Refusals {
  const report = (facts: Readonly<Record<string, string>>): void => {
    log.error('payload refused', facts);
    metrics.emit({ PayloadsRefused: 1 });
  };
  return {
    tell: (fault) => report({ fault }),
    sinks: {
      refusals: { tell: { fn: ({ workflowId, workflowType }, what) => report({ what, workflowId, workflowType }) } },
    },
    activityInterceptors: ({ info: { activityType } }) => ({
      inbound: {
        async execute(input, next) {
          if (!input.args.includes(undefined)) return await next(input);
          report({ what: 'activity', activityType });
          throw ApplicationFailure.nonRetryable('an argument was not written by epa-sync', payloadRefused);
        },
      },
    }),
  };
}
