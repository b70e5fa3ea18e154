import { Logger } from '@aws-lambda-powertools/logger';
import { Tracer } from '@aws-lambda-powertools/tracer';
import { createMetrics } from '../core/metrics.ts';

const serviceName = 'epa-sync-api';

/** Of each container. None of them is ever given an event, a body or an answer: those hold personal data. */
export const logger = new Logger({ serviceName });
export const tracer = new Tracer({ serviceName });
export const metrics = createMetrics(process.env['INSURER_ID'] ?? 'unknown'); // also where no settings are read
