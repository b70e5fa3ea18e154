import { hash } from 'node:crypto';
import { isRawNumber } from '../json/lossless.ts';

/**
 * SHA-256, hex, of what an entry says: its fields sorted by name, at every depth, so that their order is no change;
 * numbers as they were written, so that `1.0` instead of `1` is one.
 * @param value as `parseLossless` gives it
 */
export const contentHash = (value: unknown): string => hash('sha256', canonicalText(value), 'hex');

function canonicalText(value: unknown): string {
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalText(field)}`).join(',')}}`;
}
