import { expect, test } from 'vitest';

import { panelData } from '../src/panel_data';

const GARBAGE: unknown[] = [
  undefined,
  null,
  7,
  'text',
  [],
  [[]],
  { session: 7 },
  { session: [], sessions: {} },
  { sessions: [7, [], [7, 'x'], null], session: { granted: [1, 'a'], actions: 'reset' } },
  { revision: '9', address: ['kernel'], control: 'true', session: { turns: NaN, cost_usd: '1' } },
  { session: { choices: [1, { values: 7 }], state: { toString: 'ready' } } },
  { session: { choices: { model: { value: {}, values: [[{}, []], 'ab'] } } } }
];

test.each(GARBAGE)('any state makes a panel of texts and numbers: %j', value => {
  const data = panelData(value);
  const texts = [
    data.address,
    ...data.sessions.flat(),
    ...data.session.granted,
    ...data.session.actions,
    data.session.state,
    ...[...data.session.choices.values()].flatMap(choice => [choice.value, ...choice.values.flat()])
  ];
  expect(texts.filter(text => typeof text !== 'string')).toEqual([]);
  expect(data.control).toBe(false);
  expect(Number.isFinite(data.revision)).toBe(true);
  expect(Number.isFinite(data.session.turns)).toBe(true);
});

test('what the kernel sends arrives as it is', () => {
  const session = { name: 'main', state: 'ready', turns: 2, granted: ['kernel'], restarts: true };
  const choices = { effort: { value: 'low', values: [['low', 'low']] } };
  const data = panelData({
    address: 'a',
    control: true,
    revision: 3,
    sessions: [['main', 'ready']],
    session: { ...session, choices }
  });
  expect(data).toMatchObject({ address: 'a', control: true, revision: 3, session });
  expect(data.sessions).toEqual([['main', 'ready']]);
  expect(data.session.choices.get('effort')).toEqual(choices.effort);
});
