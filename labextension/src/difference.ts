import { diffLines } from 'diff';

/** A line of a difference. */
export interface Line {
  kind: 'same' | 'added' | 'removed';
  text: string;
}

/** Return how a text becomes another one, line by line. */
export function difference(before: string, after: string): Line[] {
  // A missing end of line at the end is no difference.
  const ended = (text: string) => (text === '' || text.endsWith('\n') ? text : `${text}\n`);
  return diffLines(ended(before), ended(after)).flatMap(change => {
    const kind = change.added ? 'added' : change.removed ? 'removed' : 'same';
    return change.value
      .replace(/\n$/, '')
      .split('\n')
      .map(text => ({ kind, text }) as const);
  });
}
