import { expect, test } from 'vitest';
import { agentLabel } from './access.ts';

test('a label names a person by name and sub, on one line of at most 200 characters', () => {
  expect(agentLabel({ who: '8f3b1c', name: 'Jonas Brandt' })).toBe('Jonas Brandt (8f3b1c)');
  expect(agentLabel({ who: '8f3b1c' })).toBe('8f3b1c');
  expect(agentLabel({ who: '8f3b1c', name: ' \n ' })).toBe('8f3b1c');
  expect(agentLabel({ who: '8f3b1c', name: 'two\nlines' })).toBe('two lines (8f3b1c)');
  expect(agentLabel({ who: '8f3b1c', name: 'x'.repeat(200) })).toMatch(/^x{191} \(8f3b1c\)$/);
  expect(agentLabel({ who: 'w'.repeat(200), name: 'Jonas Brandt' })).toBe('w'.repeat(200));
});
