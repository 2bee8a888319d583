import { expect, test } from 'vitest';

import { statusText } from '../src/status_text';
import { VERSION, type SessionView } from '../src/wire';

const session: SessionView = {
  name: 'main',
  state: 'ready',
  sentence: 'Waiting for a prompt.',
  reason: '',
  label: 'scripted replies',
  model: null,
  turns: 1
};

test('it says the state and who answers instead of Claude, and more in other lines', () => {
  expect(statusText({ session, version: VERSION })).toEqual([
    'ready · scripted replies',
    'Waiting for a prompt.\nscripted replies'
  ]);
});

test('it names a conversation that is not the kernel’s own, and prefers the reason', () => {
  const other = { ...session, name: 'b', reason: 'It went away.', label: null };
  expect(statusText({ session: other, version: VERSION })).toEqual(['ready · b', 'It went away.']);
});

test('it says that the versions differ', () => {
  expect(statusText({ session, version: '9.9' })[1]).toContain('claude-magic 9.9');
});

test('it says where nothing is loaded', () => {
  expect(statusText({ session: null, version: null })[0]).toBe('not loaded');
});
