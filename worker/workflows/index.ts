export { dailySync } from './daily-sync.ts';
