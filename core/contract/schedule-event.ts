/** What a schedule starts: the daily run, unless it names something else. */
export interface ScheduleEvent {
  readonly start?: 'access-log-check';
}
