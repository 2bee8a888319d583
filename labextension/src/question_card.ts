import type { NotebookPanel } from '@jupyterlab/notebook';

import { QUIET, able, element, enable, say } from './elements';
import { COVERED, obstacle, unreadable, type Readable } from './exposure';
import { foreign, isRaised, lower, raise, topElement } from './top_layer';
import type { OpenQuestion } from './wire';

export type Choice = 'once' | 'session' | 'no' | 'stop';

/** How long the whole request must have been visible before a button counts, in ms. */
const CALM_MS = 500;

/** How often that is checked, in ms. */
const CHECK_MS = 150;

/** The texts are read again this often at most, in ms, and for so small a share of the time. */
const READ_MS = 500;
const READ_SHARE = 0.05;

/** The browser's own check, which also knows of what lets clicks through, in ms. */
const VISIBILITY_DELAY_MS = 100;

/** The card's distance from the edges, its width and its least width, in CSS pixels. */
const MARGIN = 8;
const WIDTH = 860;
const LEAST_WIDTH = 440;

/** The share of the window's height that a card takes, and at least so much, in CSS pixels. */
const HEIGHT_SHARE = 0.6;
const LEAST_HEIGHT = 304;

/** JupyterLab's own dialogs and menus, for which a request that overlaps them steps aside. */
const LAB_OVERLAYS =
  'body > .jp-Dialog, body > .lm-Menu, .jp-ThemedContainer > .lm-Menu, ' +
  '.jp-ModalCommandPalette:not(.lm-mod-hidden)';

const FOREIGN = 'Another dialog is open on this page.';

/**
 * A permission request in the browser's top layer, docked to the bottom of its notebook. What comes
 * from the kernel is set as text, never as HTML.
 *
 * A button counts only when the user presses it, while the whole request has been visible for a
 * moment and nothing covers it: no script's click, no key that is held down, no click that was meant
 * for what was here before.
 */
export class QuestionCard {
  constructor(
    readonly question: OpenQuestion,
    private _panel: NotebookPanel,
    private _onChoice: (choice: Choice, reason: string) => Promise<void>
  ) {
    this._compose();
    this._disable('');
    this._watch();
    this._check();
  }

  /** Remove the card; the focus goes back to the notebook if the card had it. */
  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    this._ends.forEach(end => end());
    const focused = this._node.contains(document.activeElement);
    lower(this._node);
    this._node.remove();
    if (focused && this._panel.isVisible) {
      this._panel.content.activate();
    }
  }

  /** Put the focus into the card, on what would be done. */
  focus(): void {
    this._check();
    this._body.focus();
  }

  // -- making ------------------------------------------------------------------------------------

  private _compose(): void {
    const { question } = this;
    const node = this._node;
    node.className = 'claude-magic-question';
    for (const [name, value] of Object.entries({
      ...QUIET,
      role: 'dialog',
      'aria-label': `Claude asks for permission: ${question.title}`
    })) {
      node.setAttribute(name, value);
    }
    const head = element('div', 'cm-head');
    const asks = element('span', 'cm-asks', 'May Claude do this?');
    const title = element('span', 'cm-title', question.title);
    head.append(asks, title);

    const code = element('code', '');
    code.append(
      ...question.body.map(([name = '', text = '']) =>
        name ? element('span', `cm-${name}`, text) : document.createTextNode(text)
      )
    );
    this._body.append(code);
    const note = element('div', 'cm-note', question.note ?? '', {
      ...QUIET,
      role: 'region',
      'aria-label': 'More about it',
      tabindex: '0'
    });
    note.hidden = !question.note;

    const allow = element('span', 'cm-group');
    allow.append(this._button('once', 'Allow once', 'Only this time'));
    if (question.rule) {
      const title = `Does not ask again for ${question.rule}`;
      allow.append(this._button('session', 'Allow in this session', title));
    }
    const refuse = element('span', 'cm-group cm-refuse');
    refuse.append(
      this._reason,
      this._button('no', 'No', 'Claude gets your reason and continues'),
      this._button('stop', 'Stop', 'Ends this turn')
    );
    const row = element('div', 'cm-buttons', '', { role: 'group', 'aria-label': 'Your decision' });
    row.append(allow, refuse);
    const granted = element('code', '', question.rule ?? '');
    const rule = element('div', 'cm-rule');
    rule.append('“Allow in this session” permits ', granted, ' from now on.');
    rule.hidden = !question.rule;
    node.append(head, this._body, this._extent, note, row, rule, this._state, this._announcement);

    this._parts = [head, this._body, note, row, rule, ...this._buttons, this._reason];
    const label = (node: HTMLElement): Readable => ({ node, text: node.textContent ?? '' });
    this._texts = [
      label(asks),
      { node: title, text: question.title },
      { node: code, text: question.body.map(([, text]) => text).join('') },
      ...this._buttons.map(label)
    ];
    if (question.note) {
      this._texts.push({ node: note, text: question.note });
    }
    if (question.rule) {
      this._texts.push({ node: granted, text: question.rule });
    }
    this._reason.addEventListener('keydown', event => {
      if (event.key === 'Enter' && event.isTrusted && !event.repeat && !event.isComposing) {
        void this._choose('no');
      }
    });
    node.addEventListener('keydown', event => {
      if (event.key === 'Escape') {
        this._panel.content.activate();
      }
    });
    // Of two requests side by side, the one that is touched comes to the front.
    node.addEventListener('pointerdown', () => {
      if (this._obstructed) {
        this._promote();
      }
    });
  }

  private _button(choice: Choice, label: string, title: string): HTMLButtonElement {
    const button = element('button', `cm-button cm-${choice}`, label, {
      ...QUIET,
      type: 'button',
      title
    });
    button.addEventListener('click', event => {
      // A script's click is not trusted; the second one of a double click was not meant for this.
      if (event.isTrusted && event.detail <= 1) {
        void this._choose(choice);
      }
    });
    button.addEventListener('keydown', event => {
      if (event.repeat && (event.key === 'Enter' || event.key === ' ')) {
        event.preventDefault();
      }
    });
    this._buttons.push(button);
    return button;
  }

  private _watch(): void {
    const check = () => this._check();
    const timer = setInterval(check, CHECK_MS);
    this._ends.push(() => clearInterval(timer));
    const listen = (target: EventTarget, type: string, listener: (event: Event) => void) => {
      target.addEventListener(type, listener, true);
      this._ends.push(() => target.removeEventListener(type, listener, true));
    };
    listen(window, 'resize', check);
    listen(document, 'visibilitychange', check);
    listen(document, 'fullscreenchange', check);
    // What is opened is above us, even where it was below us before.
    listen(document, 'beforetoggle', event => {
      if (event.target instanceof Element) {
        this._below.delete(event.target);
      }
    });
    listen(document, 'toggle', check);
    const seen = new IntersectionObserver(check);
    seen.observe(this._panel.node);
    const sized = new ResizeObserver(check);
    sized.observe(this._panel.node);
    this._ends.push(() => seen.disconnect(), () => sized.disconnect());
    this._watchVisibility();
  }

  /** Have the browser tell whether anything is painted over the card, if it can. */
  private _watchVisibility(): void {
    type Entry = IntersectionObserverEntry & { isVisible?: boolean };
    const options = { threshold: 1, trackVisibility: true, delay: VISIBILITY_DELAY_MS };
    const observer = new IntersectionObserver(entries => {
      const told = (entries.at(-1) as Entry | undefined)?.isVisible;
      if (typeof told === 'boolean') {
        this._paintedOver = !told;
        this._check();
      }
    }, options);
    observer.observe(this._node);
    this._ends.push(() => observer.disconnect());
  }

  // -- showing -----------------------------------------------------------------------------------

  /** Show or hide the card, and enable its buttons if it can be seen. */
  private _check(): void {
    if (this._disposed) {
      return;
    }
    if (!this._panel.isVisible || document.visibilityState !== 'visible' || this._inTheWay()) {
      lower(this._node);
      this._disable('');
      return;
    }
    if (!isRaised(this._node)) {
      this._promote();
      this._announce();
    }
    this._place();
    const obstacle = this._obstacle();
    this._obstructed = obstacle !== null;
    if (obstacle !== null || this._moved()) {
      this._disable(obstacle ?? '');
      return;
    }
    const now = performance.now();
    this._clearSince ??= now;
    if (this._sent) {
      return;
    }
    if (this._enabled) {
      const why = now >= this._readNext ? this._read() : null;
      if (why !== null) {
        this._disable(why);
      }
    } else if (now - this._clearSince >= CALM_MS) {
      const why = this._read();
      if (why === null) {
        this._enabled = true;
        this._buttons.forEach(button => enable(button, true));
        say(this._state, this._failure);
      } else {
        this._disable(why);
      }
    } else {
      say(this._state, this._failure);
    }
  }

  /** Return why the texts cannot be read; null if they can. */
  private _read(): string | null {
    const start = performance.now();
    const why = unreadable(this._texts);
    const end = performance.now();
    this._readNext = end + Math.max(READ_MS, (end - start) / READ_SHARE);
    return why;
  }

  private _disable(why: string): void {
    this._clearSince = null;
    this._enabled = false;
    this._buttons.forEach(button => enable(button, false));
    if (!this._sent) {
      say(this._state, why || this._failure);
    }
  }

  private _obstacle(): string | null {
    const others = foreign();
    if (others.some(each => !this._below.has(each))) {
      // It came after the card and may be above it, also where clicks go through it.
      this._promote();
    }
    const found = obstacle(this._node, this._parts);
    if (found !== null) {
      return others.length > 0 ? FOREIGN : found;
    }
    return this._paintedOver ? COVERED : null;
  }

  /** Put the card above all else, with the focus and the scrolling that it has. */
  private _promote(): void {
    const focused = this._node.contains(document.activeElement) ? document.activeElement : null;
    const scrolled = this._scrollers().map(each => each.scrollTop);
    // It must not look for a moment as if it were elsewhere.
    this._place();
    raise(this._node);
    this._scrollers().forEach((each, n) => (each.scrollTop = scrolled[n] ?? 0));
    if (focused instanceof HTMLElement) {
      focused.focus({ preventScroll: true });
    }
    this._below = new WeakSet(foreign());
    this._disable('');
  }

  private _scrollers(): HTMLElement[] {
    return [this._body, ...this._parts];
  }

  /** Dock the card to the bottom of its notebook, within the window. */
  private _place(): void {
    const panel = this._panel.node.getBoundingClientRect();
    const { innerWidth, innerHeight } = window;
    const most = innerWidth - 2 * MARGIN;
    const width = Math.min(WIDTH, most, Math.max(LEAST_WIDTH, panel.width - 2 * MARGIN));
    const middle = (panel.left + panel.right) / 2;
    const left = Math.max(MARGIN, Math.min(middle - width / 2, innerWidth - MARGIN - width));
    const bottom = Math.max(MARGIN, innerHeight - panel.bottom + MARGIN);
    const height = Math.min(
      Math.max(innerHeight * HEIGHT_SHARE, LEAST_HEIGHT),
      innerHeight - MARGIN - MARGIN
    );
    const place = {
      left: `${left}px`,
      width: `${width}px`,
      bottom: `${Math.min(bottom, Math.max(MARGIN, innerHeight - MARGIN - height))}px`,
      'max-height': `${height}px`
    };
    for (const [property, value] of Object.entries(place)) {
      if (this._node.style.getPropertyValue(property) !== value) {
        this._node.style.setProperty(property, value, 'important');
      }
    }
    const hidden = this._body.scrollHeight <= this._body.clientHeight + 1;
    const lines = this.question.lines.toLocaleString('en-US');
    say(this._extent, hidden ? '' : `${lines} lines; scroll to see all of them`);
  }

  /** Tell whether the card has moved since the last check. */
  private _moved(): boolean {
    const { left, top, width, height } = this._node.getBoundingClientRect();
    const rect = [left, top, width, height].map(Math.round).join();
    const moved = rect !== this._rect;
    this._rect = rect;
    return moved;
  }

  /** Tell whether the card would hide a dialog or menu of JupyterLab. */
  private _inTheWay(): boolean {
    const overlays = document.querySelectorAll(LAB_OVERLAYS);
    if (overlays.length === 0) {
      return false;
    }
    const [left, top, width, height] = this._rect.split(',').map(Number) as [
      number,
      number,
      number,
      number
    ];
    return [...overlays].some(each => {
      const rect = each.getBoundingClientRect();
      return (
        rect.left < left + width &&
        rect.right > left &&
        rect.top < top + height &&
        rect.bottom > top
      );
    });
  }

  /** Have screen readers say that a request is there; it does not take the focus. */
  private _announce(): void {
    this._announcement.textContent =
      `Claude asks for permission: ${this.question.title}. Alt+Shift+D goes to the request.`;
  }

  // -- deciding ----------------------------------------------------------------------------------

  private async _choose(choice: Choice): Promise<void> {
    this._check();
    const why = this._enabled ? this._read() : null;
    if (why !== null) {
      this._disable(why);
    }
    if (!this._enabled || !this._buttons.every(able)) {
      return;
    }
    this._failure = '';
    this._disable('…');
    this._sent = true;
    try {
      await this._onChoice(choice, choice === 'no' ? this._reason.value : '');
    } catch (error) {
      this._failure = error instanceof Error ? error.message : String(error);
    } finally {
      this._sent = false;
      this._disable('');
    }
  }

  private _node = topElement();
  private _body = element('pre', 'cm-body', '', {
    ...QUIET,
    role: 'region',
    'aria-label': 'What exactly would be done',
    tabindex: '0'
  });
  private _extent = element('div', 'cm-extent');
  private _reason = element('input', 'cm-reason', '', {
    ...QUIET,
    type: 'text',
    'aria-label': 'Reason for a no (optional, sent to Claude)',
    placeholder: 'Reason (optional, sent to Claude)',
    autocomplete: 'off',
    maxlength: '4000'
  });
  private _state = element('div', 'cm-state', '', { role: 'status' });
  private _announcement = element('div', 'cm-unseen', '', { role: 'status' });
  private _buttons: HTMLButtonElement[] = [];
  private _parts: HTMLElement[] = [];
  private _texts: Readable[] = [];
  private _below = new WeakSet<Element>();
  private _paintedOver = false;
  private _obstructed = false;
  private _clearSince: number | null = null;
  private _readNext = 0;
  private _enabled = false;
  private _sent = false;
  private _failure = '';
  private _rect = '0,0,0,0';
  private _disposed = false;
  private _ends: (() => void)[] = [];
}
