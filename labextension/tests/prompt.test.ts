import { describe, expect, test } from 'vitest';

import { isPrompt, mentionBefore, promptFor } from '../src/prompt';

describe('a cell', () => {
  test.each(['%%claude', '%%claude\nHello', '  \n%%claude -s a\nHello', '%%claude_context\nx'])(
    'is prose: %j',
    source => expect(isPrompt(source)).toBe(true)
  );
  test.each(['', '%claude hello', '%%claudette', '%%time\n%claude x', 'x = "%%claude"'])(
    'is code: %j',
    source => expect(isPrompt(source)).toBe(false)
  );
});

test('a new prompt names the conversation that is not the kernel’s own', () => {
  expect(promptFor('main')).toBe('%%claude\n');
  expect(promptFor('b')).toBe('%%claude -s b\n');
});

test.each([
  ['about @ra', 'ra'],
  ['@', ''],
  ['(@größe', 'größe'],
  ['mail me@here', null],
  ['@@x', null],
  ['@a b', null]
])('before the cursor in %j stands the mention %j', (text, start) => {
  expect(mentionBefore(text)).toBe(start);
});
