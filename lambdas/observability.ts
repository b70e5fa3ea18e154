import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { Tracer } from '@aws-lambda-powertools/tracer';

const serviceName = 'epa-sync-api';

/** Of each container. None of them is ever given an event, a body or an answer: those hold personal data. */
export const logger = new Logger({ serviceName });
export const metrics = new Metrics({ serviceName, namespace: 'epa-sync' });
export const tracer = new Tracer({ serviceName });
