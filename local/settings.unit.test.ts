import { expect, test } from 'vitest';
import { ConfigError } from '../core/config.ts';
import { readSettings } from './settings.ts';

test('PORT_BASE moves all ports', () => {
  expect(readSettings({}).ports.temporal).toBe(9_010);
  expect(readSettings({ PORT_BASE: '19000' }).ports).toEqual({
    temporal: 19_010,
    temporalUi: 19_011,
    emulator: 19_020,
    console: 19_030,
    insurer: 19_080,
    insurerControl: 19_081,
    issuer: 19_090,
  });
});

test('an empty variable counts as not set', () => {
  expect(readSettings({ PORT_BASE: '', INSURER_BASE_URL: '' })).toEqual(readSettings({}));
});

test('INSURER_BASE_URL requires INSURER_API_TOKEN', () => {
  expect(() => readSettings({ INSURER_BASE_URL: 'https://kk.example' })).toThrow(/INSURER_API_TOKEN/);
  const { insurer } = readSettings({ INSURER_BASE_URL: 'https://kk.example', INSURER_API_TOKEN: 't' });
  expect(insurer).toEqual({ baseUrl: 'https://kk.example', token: 't' });
});

test('all invalid settings are reported together', () => {
  const read = () => readSettings({ PORT_BASE: '80', INSURER_ID: 'AOK Nord', INSURER_BASE_URL: 'ftp://x' });
  expect(read).toThrow(ConfigError);
  for (const name of ['PORT_BASE', 'INSURER_ID', 'INSURER_BASE_URL']) expect(read).toThrow(new RegExp(name));
});
