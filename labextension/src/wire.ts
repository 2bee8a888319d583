/**
 * What a kernel and this extension tell each other.
 *
 * `claude_magic/notebook/wire.py` says the same in Python; a test holds both together. This side
 * asks on the control channel, where it is heard while a cell is running; the kernel tells of
 * changes by a comm, which it opens when claude_magic is loaded into it.
 */

/** The version of this extension; a test holds it equal to the package's. */
export const VERSION = '0.1.0';

/** The comm's target. */
export const TARGET = 'claude_magic';

/** What a request on the control channel is addressed to. */
export const ADDRESS = 'kernel';

/** What the front end shows of a conversation. */
export interface SessionView {
  name: string;
  state: 'new' | 'connecting' | 'ready' | 'busy' | 'interrupting' | 'lost' | 'parked' | 'closed';
  sentence: string;
  reason: string;
  label: string | null;
  model: string | null;
  turns: number;
}

/** What the front end shows of a kernel; `failed` is a cell, `question` a request's address. */
export interface KernelState {
  current: string;
  sessions: SessionView[];
  failed: string | null;
  question: string | null;
}

/** A cell that Claude proposes; `found` names what `cleaned` leaves out of its Markdown. */
export interface WireCell {
  kind: 'code' | 'markdown';
  source: string;
  replaces: string | null;
  found: string[];
  cleaned: string;
}

/** By the comm: something has changed. */
export interface StateTold {
  told: 'state';
  state: KernelState;
}

/** By the comm: cells wait for a front end that takes them, below the cell with an id. */
export interface CellsProposed {
  told: 'cells';
  proposal: string;
  below: string;
  cells: WireCell[];
}

/** Ask who is there. */
export interface Hello {
  do: 'hello';
  version: string;
}

/** The answer to `Hello`. */
export interface Greeting {
  version: string;
  comm: string;
  state: KernelState;
}

/** Do something with a conversation; `switch` makes it the one that the front end shows. */
export interface Act {
  do: 'connect' | 'disconnect' | 'reset' | 'stop' | 'switch';
  session: string;
}

/** Ask which variables begin so. */
export interface Complete {
  do: 'complete';
  text: string;
}

/** The answer to `Complete`. */
export interface Completions {
  names: string[];
}

/** Take proposed cells; only the first who asks gets them. */
export interface Take {
  do: 'take';
  proposal: string;
}

/** Tell what a person decided on a proposed cell, counted from 0. */
export interface Settle {
  do: 'settle';
  proposal: string;
  cell: number;
  accepted: boolean;
}

/** Ask for the permission request that waits for a decision. */
export interface Show {
  do: 'question';
}

/** The answer to `Show`: what a permission request consists of. */
export interface OpenQuestion {
  address: string;
  title: string;
  body: string[][];
  lines: number;
  note: string | null;
  rule: string | null;
}

/** The answer to all other requests. */
export interface Done {}
