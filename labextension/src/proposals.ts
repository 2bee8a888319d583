import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { Cell, MarkdownCell } from '@jupyterlab/cells';
import { NotebookActions } from '@jupyterlab/notebook';
import { Widget, type PanelLayout } from '@lumino/widgets';

import { Bar } from './bar';
import { difference, type Line } from './difference';
import type { Link } from './link';
import { ILinks } from './links';
import { findCell } from './notebooks';
import type { CellsProposed, WireCell } from './wire';

export const proposals: JupyterFrontEndPlugin<void> = {
  id: 'claude-magic:proposals',
  description: 'Inserts the cells that Claude proposes, to be accepted or rejected.',
  autoStart: true,
  requires: [ILinks],
  activate: (_, links: ILinks) => {
    links.each(link => {
      const pending = new Pending(link);
      link.proposed.connect((_, told) => void pending.show(told));
    });
  }
};

/** One proposed cell that nobody has decided on yet. */
interface Open {
  proposal: string;
  number: number;
  cell: Cell;
  bar: Bar;
  accept: () => Promise<void>;
  reject: () => void;
}

/** The proposed cells of one notebook that nobody has decided on yet. */
class Pending {
  constructor(private _link: Link) {
    // Whoever runs a proposed cell has accepted it.
    NotebookActions.executionScheduled.connect(this._onRun, this);
    _link.panel.disposed.connect(() => NotebookActions.executionScheduled.disconnect(this._onRun, this));
  }

  /** Put proposed cells into the notebook, unless somebody else does. */
  async show(told: CellsProposed): Promise<void> {
    const panel = this._link.panel;
    if (findCell(panel, told.below) === null || !(await this._link.take(told.proposal))) {
      return;
    }
    const above = findCell(panel, told.below);
    let index = above === null ? panel.content.widgets.length : panel.content.widgets.indexOf(above) + 1;
    const opened = told.cells.map((cell, number) => {
      const replaced = cell.replaces === null ? null : findCell(panel, cell.replaces);
      // In a cell of another type the source could be rendered at once.
      if (replaced !== null && replaced.model.type === 'code' && cell.kind === 'code') {
        return this._propose(told.proposal, number, replaced, cell.source);
      }
      return this._insert(told.proposal, number, cell, index++);
    });
    this._addButtonsForAll(opened);
  }

  /**
   * Insert a new cell. Markdown is a raw cell until it is accepted: nothing renders it, neither
   * here nor where the notebook is opened again.
   */
  private _insert(proposal: string, number: number, cell: WireCell, index: number): Open {
    const notebook = this._link.panel.content;
    const markdown = cell.kind === 'markdown';
    notebook.model?.sharedModel.insertCell(index, {
      cell_type: markdown ? 'raw' : 'code',
      source: cell.source,
      // nbconvert leaves raw cells of a type out that is not the output's. What is shown is what
      // was checked, so it is edited when it is accepted.
      metadata: markdown ? { raw_mimetype: 'text/plain', editable: false } : {}
    });
    const widget = notebook.widgets[index] as Cell;
    const reject = () => this._delete(widget);
    if (!markdown) {
      return this._open(proposal, number, widget, 'Proposed by Claude', null, keep, reject);
    }
    const text = 'Markdown proposed by Claude, shown as source';
    const accept = async () => {
      const source = await accepted(cell);
      if (source === null || widget.isDisposed) {
        return false;
      }
      const at = notebook.widgets.indexOf(widget);
      notebook.model?.sharedModel.transact(() => {
        notebook.model?.sharedModel.deleteCell(at);
        notebook.model?.sharedModel.insertCell(at, { cell_type: 'markdown', source, metadata: {} });
      });
      (notebook.widgets[at] as MarkdownCell).rendered = true;
      return true;
    };
    return this._open(proposal, number, widget, text, null, accept, reject);
  }

  private _delete(cell: Cell): void {
    const notebook = this._link.panel.content;
    const at = notebook.widgets.indexOf(cell);
    if (at >= 0) {
      notebook.model?.sharedModel.deleteCell(at);
    }
  }

  private _propose(proposal: string, number: number, cell: Cell, source: string): Open {
    const shared = cell.model.sharedModel;
    const view = document.createElement('div');
    view.className = 'jp-claude-diff';
    view.setAttribute('aria-label', 'What would change');
    const show = () => view.replaceChildren(...difference(shared.getSource(), source).map(row));
    cell.model.contentChanged.connect(show);
    show();
    const accept = async () => {
      shared.setSource(source);
      return true;
    };
    const opened = this._open(
      proposal, number, cell, 'Claude proposes to change this cell', view, accept, () => undefined
    );
    opened.bar.disposed.connect(() => cell.model.contentChanged.disconnect(show));
    return opened;
  }

  private _open(
    proposal: string,
    number: number,
    cell: Cell,
    text: string,
    view: HTMLElement | null,
    onAccept: () => Promise<boolean>,
    onReject: () => void
  ): Open {
    const bar = new Bar(text);
    bar.addClass('jp-claude-proposal');
    const opened: Open = {
      proposal,
      number,
      cell,
      bar,
      accept: async () => {
        // A cell is accepted once, whichever button is pressed while a warning is open.
        if (deciding || !this._opened.has(opened)) {
          return;
        }
        deciding = true;
        const changed = await onAccept().finally(() => (deciding = false));
        if (changed) {
          this._settle(opened, true);
        }
      },
      reject: () => {
        if (!deciding && this._opened.has(opened)) {
          this._settle(opened, false);
          onReject();
        }
      }
    };
    let deciding = false;
    bar.addButton('Accept', 'Keep it', () => void opened.accept());
    bar.addButton('Reject', view === null ? 'Delete the cell' : 'Leave the cell as it is', opened.reject);
    if (view !== null) {
      bar.node.append(view);
    }
    this._opened.add(opened);
    cell.disposed.connect(() => {
      if (!deciding) {
        this._opened.delete(opened);
      }
    });
    void cell.ready.then(() => {
      if (!bar.isDisposed && !cell.isDisposed) {
        // Above the editor of a new cell, below that of a changed one.
        (cell.layout as PanelLayout).insertWidget(view === null ? 1 : 2, bar);
      }
    });
    return opened;
  }

  private _settle(opened: Open, accepted: boolean): void {
    this._opened.delete(opened);
    opened.bar.dispose();
    const { proposal, number } = opened;
    this._link.settle({ proposal, cell: number, accepted });
  }

  private _addButtonsForAll(opened: Open[]): void {
    const [first] = opened;
    if (first === undefined || opened.length < 2) {
      return;
    }
    const acceptAll = async () => {
      // One after the other: each warning is about one cell.
      for (const each of opened) {
        await each.accept();
      }
    };
    const count = String(opened.length);
    first.bar.addButton(`Accept all ${count}`, 'Keep all cells', () => void acceptAll());
    first.bar.addButton(`Reject all ${count}`, 'Delete all', () =>
      opened.forEach(each => each.reject())
    );
  }

  private _onRun(_: unknown, { cell }: { cell: Cell }): void {
    for (const opened of this._opened) {
      // A cell that would be changed is run as it was.
      if (opened.cell === cell && !opened.bar.node.querySelector('.jp-claude-diff')) {
        void opened.accept();
      }
    }
  }

  private _opened = new Set<Open>();
}

const keep = async () => true;

/** Return the source of a Markdown cell as the user accepts it; null if they do not. */
async function accepted(cell: WireCell): Promise<string | null> {
  if (cell.found.length === 0) {
    return cell.source;
  }
  const body = new Widget();
  const intro = document.createElement('p');
  intro.textContent =
    'Rendering this cell can load pages, pictures or styles from elsewhere, and so tell others ' +
    'what is in its addresses. Found:';
  const list = document.createElement('ul');
  for (const each of cell.found) {
    const item = document.createElement('li');
    item.textContent = each;
    list.append(item);
  }
  body.node.append(intro, list);
  const without = Dialog.okButton({ label: 'Accept without them' });
  const written = Dialog.warnButton({ label: 'Accept as written' });
  const { button } = await showDialog({
    title: 'This Markdown holds HTML or addresses',
    body,
    buttons: [Dialog.cancelButton(), written, without],
    defaultButton: 2
  });
  return !button.accept ? null : button.label === written.label ? cell.source : cell.cleaned;
}

const SIGNS: Record<Line['kind'], string> = { same: ' ', added: '+', removed: '-' };

function row(line: Line): HTMLElement {
  const node = document.createElement('div');
  node.className = `jp-claude-diff-line jp-mod-${line.kind}`;
  node.textContent = `${SIGNS[line.kind]} ${line.text}`;
  return node;
}
