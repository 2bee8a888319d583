import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { Token } from '@lumino/coreutils';
import { Signal, type ISignal } from '@lumino/signaling';

import { Link } from './link';

/** The links of all open notebooks. */
export interface ILinks {
  /** The link of the notebook that is in front; null where none is. */
  readonly current: Link | null;
  /** Emitted when another notebook comes to the front, or the link of the present one changes. */
  readonly changed: ISignal<ILinks, void>;
  /** Call something with the link of every notebook, also of those that are opened later. */
  each(visit: (link: Link) => void): void;
}

export const ILinks = new Token<ILinks>(
  'claude-magic:ILinks',
  'What is known of claude_magic in the kernels of the open notebooks.'
);

class Links implements ILinks {
  constructor(private _tracker: INotebookTracker) {
    _tracker.forEach(panel => this._add(panel));
    _tracker.widgetAdded.connect((_, panel) => this._add(panel));
    _tracker.currentChanged.connect(() => this._changed.emit());
  }

  get current(): Link | null {
    const panel = this._tracker.currentWidget;
    return (panel && this._links.get(panel)) ?? null;
  }

  get changed(): ISignal<ILinks, void> {
    return this._changed;
  }

  each(visit: (link: Link) => void): void {
    this._visits.push(visit);
    this._links.forEach(visit);
  }

  private _add(panel: NotebookPanel): void {
    const link = new Link(panel);
    this._links.set(panel, link);
    panel.disposed.connect(() => this._links.delete(panel));
    link.changed.connect(() => {
      if (link === this.current) {
        this._changed.emit();
      }
    });
    this._visits.forEach(visit => visit(link));
  }

  private _links = new Map<NotebookPanel, Link>();
  private _visits: ((link: Link) => void)[] = [];
  private _changed = new Signal<ILinks, void>(this);
}

export const links: JupyterFrontEndPlugin<ILinks> = {
  id: 'claude-magic:links',
  description: 'Knows what claude_magic does in the kernels of the open notebooks.',
  autoStart: true,
  requires: [INotebookTracker],
  provides: ILinks,
  activate: (_, tracker: INotebookTracker) => new Links(tracker)
};
