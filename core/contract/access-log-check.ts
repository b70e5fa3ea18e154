export const accessLogCheckWorkflow = 'accessLogCheck';

export interface AccessLogCheckInput {
  readonly insurerId: string;
}

export interface AccessLogCheckActivities {
  /**
   * Verifies all access logs, saves what it finds, and reports broken ones as a metric. Takes hours for a million patients.
   * Heartbeats: the next attempt continues where this one ends.
   */
  checkAccessLogs(input: AccessLogCheckInput): Promise<void>;
}
