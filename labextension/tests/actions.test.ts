import { expect, test } from 'vitest';

import { possible, unbegun } from '../src/actions';
import type { SessionView } from '../src/wire';

const view = (state: SessionView['state'], turns = 0): SessionView => ({
  name: 'main',
  state,
  sentence: '',
  reason: '',
  label: null,
  model: null,
  turns
});

test('only an answer that is under way can be stopped', () => {
  expect(possible('stop', view('busy'))).toBe(true);
  expect(possible('stop', view('ready'))).toBe(false);
});

test('what is closed can only be left for another conversation', () => {
  expect(possible('reset', view('closed'))).toBe(false);
  expect(possible('switch', view('closed'))).toBe(true);
});

test('without a conversation nothing is possible', () => {
  expect(possible('connect', null)).toBe(false);
  expect(unbegun(null)).toBe(false);
});

test('an earlier conversation goes on only where nothing was said yet', () => {
  expect(unbegun(view('ready'))).toBe(true);
  expect(unbegun(view('ready', 1))).toBe(false);
  expect(unbegun(view('busy'))).toBe(false);
});
