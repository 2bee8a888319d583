import type { Act, SessionView } from './wire';

const POSSIBLE: Record<SessionView['state'], readonly Act['do'][]> = {
  new: ['connect', 'reset'],
  connecting: ['disconnect', 'reset'],
  ready: ['disconnect', 'reset'],
  busy: ['stop', 'disconnect', 'reset'],
  interrupting: ['disconnect', 'reset'],
  lost: ['connect', 'reset'],
  parked: ['connect', 'reset'],
  closed: []
};

/** Tell whether something can be done with a conversation; null is none. */
export function possible(what: Act['do'], session: SessionView | null): boolean {
  return session !== null && (what === 'switch' || POSSIBLE[session.state].includes(what));
}

/** Tell whether nothing was said yet, so that an earlier conversation can go on here. */
export function unbegun(session: SessionView | null): boolean {
  return session !== null && session.turns === 0 && session.state !== 'busy';
}
