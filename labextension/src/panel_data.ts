/**
 * What the status panel shows, checked: a notebook that somebody sent can hold a widget of ours with
 * any state.
 */

export interface PanelChoice {
  value: string;
  values: [value: string, text: string][];
}

/** The session that a panel shows in full. */
export interface PanelSession {
  name: string;
  state: string;
  sentence: string;
  reason: string;
  label: string;
  model: string;
  session_id: string;
  turns: number;
  input_tokens: number;
  output_tokens: number;
  cached_tokens: number;
  cost_usd: number;
  context_tokens: number;
  window_tokens: number;
  memory_bytes: number;
  tools: string;
  granted: string[];
  widened: string;
  restarts: boolean;
  choices: Map<string, PanelChoice>;
  actions: string[];
}

/** All that a panel shows, and where its requests go. */
export interface PanelData {
  address: string;
  control: boolean;
  revision: number;
  sessions: [name: string, state: string][];
  session: PanelSession;
}

type Fields = Record<string, unknown>;

/** Return a panel's contents; whatever is missing or of another kind is empty. */
export function panelData(value: unknown): PanelData {
  const data = fields(value);
  return {
    address: text(data['address']),
    control: data['control'] === true,
    revision: amount(data['revision']),
    sessions: pairs(data['sessions']),
    session: panelSession(data['session'])
  };
}

/** Return a session of which only a state and a sentence are known. */
export function bareSession(state: string, sentence: string): PanelSession {
  return panelSession({ state, sentence });
}

function panelSession(value: unknown): PanelSession {
  const data = fields(value);
  const choices = Object.entries(fields(data['choices'])).map(
    ([name, choice]): [string, PanelChoice] => [
      name,
      { value: text(fields(choice)['value']), values: pairs(fields(choice)['values']) }
    ]
  );
  return {
    name: text(data['name']),
    state: text(data['state']),
    sentence: text(data['sentence']),
    reason: text(data['reason']),
    label: text(data['label']),
    model: text(data['model']),
    session_id: text(data['session_id']),
    turns: amount(data['turns']),
    input_tokens: amount(data['input_tokens']),
    output_tokens: amount(data['output_tokens']),
    cached_tokens: amount(data['cached_tokens']),
    cost_usd: amount(data['cost_usd']),
    context_tokens: amount(data['context_tokens']),
    window_tokens: amount(data['window_tokens']),
    memory_bytes: amount(data['memory_bytes']),
    tools: text(data['tools']),
    granted: texts(data['granted']),
    widened: text(data['widened']),
    restarts: data['restarts'] === true,
    choices: new Map(choices),
    actions: texts(data['actions'])
  };
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function amount(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter(each => typeof each === 'string') : [];
}

function pairs(value: unknown): [string, string][] {
  return Array.isArray(value) ? value.map(each => [text(fields(each)[0]), text(fields(each)[1])]) : [];
}
