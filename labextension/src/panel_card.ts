import { QUIET, able, element, enable, say } from './elements';
import { bareSession, panelData, type PanelData, type PanelSession } from './panel_data';

/**
 * The status panel as a card. It computes nothing: the kernel says what is shown and what can be
 * done. What comes from the kernel is set as text, never as HTML, and only the user's own clicks
 * count, not a script's.
 */

const BUTTONS: readonly [action: string, label: string, title: string][] = [
  ['connect', 'Connect', 'Start Claude Code, or resume the conversation'],
  ['stop', 'Stop', 'Stop the answer; the partial answer is kept'],
  ['disconnect', 'Disconnect', 'Close Claude Code and keep the conversation'],
  ['fork', 'Fork', 'Continue a copy of this conversation under another name'],
  ['reset', 'Reset', "Begin a new conversation; this one's context is lost"]
];
const CHOICES: readonly [field: string, label: string][] = [
  ['model', 'Model'],
  ['effort', 'Effort'],
  ['permission_mode', 'Permissions']
];
const RESET_QUESTION = 'Really? Context is lost';
const RESET_HINT = 'Press again to reset. Escape keeps the conversation.';
const RESTARTS = 'From the next prompt on, for which Claude Code starts again: half a second.';
const REACHING = 'Reaching the kernel …';
const WAITING =
  'This front end reaches the kernel only between cells: the buttons work when the cell has ended.';
const LATE = 'The kernel does this when its cell has ended.';

/** After so long, in ms, a wait is explained. */
const PATIENCE_MS = 400;

const MIB = 2 ** 20;

const GONE = bareSession(
  'gone',
  'The kernel was restarted. Run the cell again for a panel that works.'
);
const SAVED = bareSession(
  'saved',
  'This panel was saved with the notebook. Run the cell for one that works.'
);

/** A request of the panel, such as one of its buttons. */
export type PanelRequest = { do: string } & Record<string, string>;

/** The ways from a panel to its kernel. */
export interface PanelWays {
  /** Whether the kernel knows the panel; one that was saved with a notebook is unknown. */
  readonly live: boolean;
  /** The contents as the kernel told them last. */
  contents(): unknown;
  /** Send a request on the control channel, where it is heard while a cell is running. */
  byControl(address: string, request: PanelRequest): Promise<unknown>;
  /** Send a request by the comm, which may be heard only when a cell has ended. */
  byComm(request: PanelRequest): Promise<unknown>;
}

const number = (value: number) => value.toLocaleString('en-US');
let panels = 0;

/** A view of the kernel's sessions, and the controls of one of them. */
export class PanelCard {
  constructor(
    node: HTMLElement,
    private _ways: PanelWays
  ) {
    panels += 1;
    this._shown = panelData(_ways.contents());
    this._compose(node);
    this.show();
    if (_ways.live) {
      this._reach().catch(failure => this._fail(failure));
      this._forget = whenSeen(this._card, () => {
        if (this._send !== null && !this._gone) {
          void this._request({ do: 'look' });
        }
      });
    }
  }

  /** The kernel has told new contents. */
  follow(): void {
    this._accept(this._ways.contents());
  }

  /** The kernel is gone, and the sessions with it. */
  leave(): void {
    this._gone = true;
    say(this._way, '');
    say(this._error, '');
    this.show();
  }

  dispose(): void {
    this._over = true;
    this._forget();
  }

  // -- making ------------------------------------------------------------------------------------

  private _compose(parent: HTMLElement): void {
    const head = element('div', 'cm-head');
    const sessionField = this._labelled(this._sessions, 'session', 'Session', 'cm-sessions');
    this._sessionField = sessionField;
    head.append(element('span', 'cm-title', 'Claude Code'), this._badge, sessionField);

    const state = element('div', 'cm-state', '', { role: 'status' });
    const dot = element('span', 'cm-dot', '', { 'aria-hidden': 'true' });
    state.append(dot, this._word, ' ', this._sentence, this._reason);

    for (const [name, label] of CHOICES) {
      const select = element('select', 'cm-select');
      this._chooser.append(this._labelled(select, name, label, `cm-choice-${name}`));
      this._choices.set(name, select);
      this._onChoose(select, value => this._act('choose', { field: name, value }));
    }
    this._onChoose(this._sessions, name => this._request({ do: 'view', session: name }));

    this._rights.append(element('span', 'cm-label', 'May use '), this._tools, this._grants);
    const row = element('div', 'cm-buttons', '', { role: 'group', 'aria-label': 'Actions' });
    for (const [action, label, title] of BUTTONS) {
      const button = element('button', `cm-button cm-${action}`, label, {
        ...QUIET,
        type: 'button',
        title
      });
      this._buttons.set(action, button);
      row.append(button);
      if (action === 'reset') {
        this._forgetReset = askBack(button, this._hint, () => void this._act('reset'));
      } else {
        button.addEventListener('click', event => {
          if (event.isTrusted && event.detail <= 1 && able(button)) {
            void this._act(action);
          }
        });
      }
    }
    this._card.append(
      head,
      state,
      this._facts,
      this._chooser,
      this._widened,
      this._restarts,
      this._rights,
      row,
      this._hint,
      this._way,
      this._error
    );
    say(this._way, '');
    say(this._error, '');
    parent.append(this._card);
  }

  private _labelled(
    select: HTMLSelectElement,
    name: string,
    label: string,
    className: string
  ): HTMLElement {
    const field = element('span', `cm-field ${className}`);
    select.id = `claude-magic-status-${panels}-${name}`;
    for (const [attribute, value] of Object.entries(QUIET)) {
      select.setAttribute(attribute, value);
    }
    field.append(element('label', '', label, { for: select.id }), select);
    return field;
  }

  private _onChoose(select: HTMLSelectElement, act: (value: string) => Promise<void>): void {
    let asked = 0;
    select.addEventListener('change', event => {
      if (!event.isTrusted || !able(select)) {
        this.show();
        return;
      }
      asked += 1;
      const mine = asked;
      select.dataset['asked'] = 'true';
      void act(select.value).finally(() => {
        if (mine === asked) {
          delete select.dataset['asked'];
          this.show();
        }
      });
    });
    // A list cannot be read-only, and a disabled one would lose the focus.
    select.addEventListener('mousedown', event => able(select) || event.preventDefault());
    select.addEventListener('keydown', event => {
      if (!able(select) && event.key !== 'Tab') {
        event.preventDefault();
      }
    });
  }

  // -- asking ------------------------------------------------------------------------------------

  /** Ask the kernel; what takes long is explained. */
  private async _request(content: PanelRequest): Promise<void> {
    const timer = setTimeout(() => this._over || say(this._way, LATE), PATIENCE_MS);
    try {
      this._accept(await this._send?.(content));
      say(this._error, '');
    } catch (failure) {
      this._fail(failure);
    } finally {
      clearTimeout(timer);
      if (!this._over && !this._gone) {
        say(this._way, '');
      }
    }
  }

  private _act(action: string, more: Record<string, string> = {}): Promise<void> {
    return this._request({ do: action, session: this._shown.session.name, ...more });
  }

  private _accept(contents: unknown): void {
    const news = panelData(contents);
    if (!this._over && !this._gone && news.revision >= this._shown.revision) {
      this._shown = news;
      this.show();
    }
  }

  private _fail(failure: unknown): void {
    if (!this._over) {
      say(this._error, failure instanceof Error ? failure.message : String(failure));
      this.show();
    }
  }

  /** Shake hands with the kernel, by the way that works while a cell is running if there is one. */
  private async _reach(): Promise<void> {
    const timer = setTimeout(() => this._over || say(this._way, REACHING), PATIENCE_MS);
    const byControl = (content: PanelRequest) =>
      this._ways.byControl(this._shown.address, content);
    const byComm = (content: PanelRequest) => this._ways.byComm(content);
    try {
      if (!this._shown.control) {
        throw new Error('This kernel cannot be asked while a cell is running.');
      }
      const contents = await byControl({ do: 'look' });
      this._send = byControl;
      this._accept(contents);
    } catch {
      clearTimeout(timer);
      const late = setTimeout(() => this._over || this._gone || say(this._way, WAITING), PATIENCE_MS);
      const contents = await byComm({ do: 'look' }).finally(() => clearTimeout(late));
      this._send = byComm;
      this._accept(contents);
    } finally {
      clearTimeout(timer);
    }
    if (!this._over && !this._gone) {
      say(this._way, '');
      this.show();
    }
  }

  // -- showing -----------------------------------------------------------------------------------

  /** Show the present contents. */
  show(): void {
    const known = this._ways.live && !this._gone;
    const view = known ? this._shown.session : this._ways.live ? GONE : SAVED;
    const works = this._send !== null && known;
    this._card.dataset['state'] = view.state;
    say(this._badge, view.label);
    const names = this._shown.sessions.map(([name, where]): [string, string] => [
      name,
      `${name} · ${where}`
    ]);
    renderChoice(this._sessions, known ? names : [], view.name);
    this._sessionField.hidden = !known;
    say(this._word, view.state);
    say(this._sentence, view.sentence);
    say(this._reason, view.reason);
    renderFacts(this._facts, view);
    for (const [name, select] of this._choices) {
      const offered = view.choices.get(name);
      renderChoice(select, offered?.values ?? [], offered?.value ?? '');
    }
    this._chooser.hidden = !known;
    say(this._widened, view.widened ? `Claude ${view.widened}.` : '');
    say(this._restarts, view.restarts ? RESTARTS : '');
    this._rights.hidden = !known;
    say(this._tools, view.tools);
    this._renderGrants(view.granted);
    for (const [action, button] of this._buttons) {
      enable(button, works && view.actions.includes(action));
    }
    const grants = this._grants.querySelectorAll('button');
    for (const control of [...this._choices.values(), ...grants]) {
      enable(control, works && view.state !== 'closed');
    }
    enable(this._sessions, works);
    const reset = this._buttons.get('reset');
    if (view.session_id !== this._sessionId || (reset !== undefined && !able(reset))) {
      this._sessionId = view.session_id;
      this._forgetReset();
    }
  }

  private _renderGrants(granted: string[]): void {
    const wanted = JSON.stringify(granted);
    if (this._grants.dataset['granted'] !== wanted) {
      this._grants.dataset['granted'] = wanted;
      this._grants.replaceChildren(
        ...granted.map(rule => {
          const item = element('li', 'cm-grant');
          const button = element('button', 'cm-revoke', 'Revoke', {
            ...QUIET,
            type: 'button',
            'aria-label': `Revoke ${rule}`,
            title: 'Ask for it again from now on'
          });
          button.addEventListener('click', event => {
            if (event.isTrusted && able(button)) {
              void this._act('revoke', { rule });
            }
          });
          item.append(element('code', '', rule), button);
          return item;
        })
      );
    }
    this._grants.hidden = granted.length === 0;
  }

  private _shown: PanelData;
  /** The way to the kernel; null while none is known, which is when nothing can be done. */
  private _send: ((content: PanelRequest) => Promise<unknown>) | null = null;
  private _over = false;
  private _gone = false;
  private _sessionId: string | null = null;
  private _forget: () => void = () => undefined;
  private _forgetReset: () => void = () => undefined;

  private _card = element('section', 'claude-magic-status', '', {
    ...QUIET,
    'aria-label': 'Claude Code sessions'
  });
  private _badge = element('span', 'cm-badge');
  private _sessions = element('select', 'cm-select');
  private _sessionField: HTMLElement = this._sessions;
  private _word = element('span', 'cm-word');
  private _sentence = element('span', 'cm-sentence');
  private _reason = element('div', 'cm-reason');
  private _facts = element('dl', 'cm-facts');
  private _chooser = element('div', 'cm-choices', '', { role: 'group', 'aria-label': 'Next prompt' });
  private _choices = new Map<string, HTMLSelectElement>();
  private _widened = element('div', 'cm-note cm-widened', '', { role: 'status' });
  private _restarts = element('div', 'cm-note', '', { role: 'status' });
  private _rights = element('div', 'cm-rights');
  private _tools = element('span', '');
  private _grants = element('ul', 'cm-grants', '', { 'aria-label': 'Allowed in this session' });
  private _buttons = new Map<string, HTMLButtonElement>();
  private _hint = element('span', 'cm-unseen', '', { role: 'status' });
  private _way = element('div', 'cm-note cm-way', '', { role: 'status' });
  private _error = element('div', 'cm-error', '', { role: 'alert' });
}

function context(session: PanelSession): string {
  const used = number(session.context_tokens);
  if (!session.window_tokens) {
    return `${used} tokens`;
  }
  const share = (100 * session.context_tokens) / session.window_tokens;
  const percent = share < 1 ? '<1' : Math.round(share);
  return `${used} of ${number(session.window_tokens)} tokens (${percent} %)`;
}

/** The facts below the state, as [name, text, title]; what is not known is left out. */
function facts(session: PanelSession): [name: string, text: string, title?: string][] {
  if (!session.session_id) {
    return [];
  }
  const rows: [string, string, string?][] = [];
  if (session.model && session.turns) {
    rows.push(['Answered by', session.model]);
  }
  rows.push(['Turns', number(session.turns)]);
  if (session.input_tokens || session.output_tokens) {
    const cached = session.cached_tokens ? ` (${number(session.cached_tokens)} cached)` : '';
    const read = `${number(session.input_tokens)} in${cached}`;
    rows.push(['Tokens', `${read}, ${number(session.output_tokens)} out`]);
  }
  if (session.cost_usd > 0) {
    rows.push(['Cost', `$${session.cost_usd.toFixed(4)}`]);
  }
  if (session.context_tokens) {
    rows.push(['Context', context(session), 'Tokens of the last prompt, out of the model’s window']);
  }
  if (session.memory_bytes) {
    const told = `${number(Math.round(session.memory_bytes / MIB))} MiB`;
    rows.push(['Memory', told, 'Memory of Claude Code and all that it started']);
  }
  rows.push(['Session', session.session_id.slice(0, 8), session.session_id]);
  return rows;
}

function renderFacts(list: HTMLElement, session: PanelSession): void {
  const rows = facts(session);
  const wanted = JSON.stringify([rows, session.context_tokens, session.window_tokens]);
  if (list.dataset['facts'] === wanted) {
    return;
  }
  list.dataset['facts'] = wanted;
  list.replaceChildren(
    ...rows.map(([name, text, title]) => {
      const row = element('div', `cm-fact cm-fact-${name.toLowerCase().replace(' ', '-')}`);
      const value = element('dd', '', text);
      row.append(element('dt', '', name), value);
      if (title) {
        value.title = title;
      }
      if (name === 'Context' && session.window_tokens) {
        const share = Math.min(1, session.context_tokens / session.window_tokens);
        const bar = element('span', 'cm-bar', '', { 'aria-hidden': 'true' });
        bar.style.setProperty('--cm-share', `${100 * share}%`);
        value.append(bar);
      }
      return row;
    })
  );
}

/** Show what can be chosen; a list that is open is not touched unless it changes. */
function renderChoice(
  select: HTMLSelectElement,
  values: [value: string, text: string][],
  value: string
): void {
  const wanted = JSON.stringify(values);
  if (select.dataset['values'] !== wanted) {
    select.dataset['values'] = wanted;
    select.replaceChildren(
      ...values.map(([each, text]) => {
        const option = element('option', '', text);
        option.value = each;
        return option;
      })
    );
  }
  // What was just chosen stays until the kernel has heard of it.
  if (!select.dataset['asked']) {
    select.value = value;
  }
}

/**
 * A button that asks back within itself before it acts. A double click is one click; leaving the
 * button or pressing Escape takes the question back.
 */
function askBack(button: HTMLButtonElement, hint: HTMLElement, act: () => void): () => void {
  const label = button.textContent;
  const isArmed = () => button.classList.contains('cm-armed');
  const arm = (armed: boolean) => {
    if (armed !== isArmed()) {
      button.classList.toggle('cm-armed', armed);
      button.textContent = armed ? RESET_QUESTION : label;
      hint.textContent = armed ? RESET_HINT : '';
    }
  };
  button.addEventListener('click', event => {
    if (!event.isTrusted || event.detail > 1 || !able(button)) {
      return;
    }
    const sure = isArmed();
    arm(!sure);
    if (sure) {
      act();
    } else {
      // Safari does not focus a clicked button, and without focus there is no blur.
      button.focus();
    }
  });
  button.addEventListener('blur', () => arm(false));
  button.addEventListener('keydown', event => {
    if (event.key === 'Escape' && isArmed()) {
      event.stopPropagation();
      arm(false);
    }
  });
  return () => arm(false);
}

/** Call back whenever the node comes into sight again: scrolled to, or its tab shown. */
function whenSeen(node: Element, callback: () => void): () => void {
  let seen = true;
  const observer = new IntersectionObserver(entries => {
    const now = entries.at(-1)?.isIntersecting ?? seen;
    if (now && !seen) {
      callback();
    }
    seen = now;
  });
  observer.observe(node);
  const turned = () => {
    if (document.visibilityState === 'visible') {
      callback();
    }
  };
  document.addEventListener('visibilitychange', turned);
  return () => {
    observer.disconnect();
    document.removeEventListener('visibilitychange', turned);
  };
}
