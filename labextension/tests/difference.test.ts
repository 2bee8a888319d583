import { expect, test } from 'vitest';

import { difference } from '../src/difference';

const shown = (before: string, after: string) =>
  difference(before, after).map(({ kind, text }) => `${kind} ${text}`);

test('a changed line is removed and added, between lines that stay', () => {
  expect(shown('a\nb\nc', 'a\nx\nc')).toEqual(['same a', 'removed b', 'added x', 'same c']);
});

test('a missing end of the last line is no difference', () => {
  expect(shown('a\nb', 'a\nb\n')).toEqual(['same a', 'same b']);
});

test('empty lines are lines', () => {
  expect(shown('a', 'a\n\nb')).toEqual(['same a', 'added ', 'added b']);
});

test('from nothing all is added', () => {
  expect(shown('', 'a\nb')).toEqual(['added a', 'added b']);
});
