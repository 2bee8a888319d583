import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { Cell, MarkdownCell } from '@jupyterlab/cells';
import { NotebookActions } from '@jupyterlab/notebook';
import type { PanelLayout } from '@lumino/widgets';

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
  accept: () => void;
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
      if (replaced !== null && !replaced.model.isDisposed) {
        return this._propose(told.proposal, number, replaced, cell.source);
      }
      return this._insert(told.proposal, number, cell, index++);
    });
    this._addButtonsForAll(opened);
  }

  private _insert(proposal: string, number: number, cell: WireCell, index: number): Open {
    const notebook = this._link.panel.content;
    notebook.model?.sharedModel.insertCell(index, {
      cell_type: cell.kind,
      source: cell.source,
      metadata: cell.kind === 'code' ? { trusted: true } : {}
    });
    const widget = notebook.widgets[index] as Cell;
    if (cell.kind === 'markdown') {
      (widget as MarkdownCell).rendered = true;
    }
    const reject = () => {
      const at = notebook.widgets.indexOf(widget);
      if (at >= 0) {
        notebook.model?.sharedModel.deleteCell(at);
      }
    };
    return this._open(proposal, number, widget, 'Proposed by Claude', null, () => undefined, reject);
  }

  private _propose(proposal: string, number: number, cell: Cell, source: string): Open {
    const shared = cell.model.sharedModel;
    const view = document.createElement('div');
    view.className = 'jp-claude-diff';
    view.setAttribute('aria-label', 'What would change');
    const show = () => view.replaceChildren(...difference(shared.getSource(), source).map(row));
    cell.model.contentChanged.connect(show);
    show();
    const accept = () => shared.setSource(source);
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
    onAccept: () => void,
    onReject: () => void
  ): Open {
    const bar = new Bar(text);
    bar.addClass('jp-claude-proposal');
    const opened: Open = {
      proposal,
      number,
      cell,
      bar,
      accept: () => this._settle(opened, true, onAccept),
      reject: () => this._settle(opened, false, onReject)
    };
    bar.addButton('Accept', 'Keep it', opened.accept);
    bar.addButton('Reject', view === null ? 'Delete the cell' : 'Leave the cell as it is', opened.reject);
    if (view !== null) {
      bar.node.append(view);
    }
    this._opened.add(opened);
    cell.disposed.connect(() => this._opened.delete(opened));
    void cell.ready.then(() => {
      if (!bar.isDisposed && !cell.isDisposed) {
        // Above the editor of a new cell, below that of a changed one.
        (cell.layout as PanelLayout).insertWidget(view === null ? 1 : 2, bar);
      }
    });
    return opened;
  }

  private _settle(opened: Open, accepted: boolean, change: () => void): void {
    if (!this._opened.delete(opened)) {
      return;
    }
    opened.bar.dispose();
    change();
    const { proposal, number } = opened;
    this._link.settle({ proposal, cell: number, accepted });
  }

  private _addButtonsForAll(opened: Open[]): void {
    const [first] = opened;
    if (first === undefined || opened.length < 2) {
      return;
    }
    const all = (decide: (each: Open) => void) => () => opened.forEach(decide);
    const count = String(opened.length);
    first.bar.addButton(`Accept all ${count}`, 'Keep all cells', all(each => each.accept()));
    first.bar.addButton(`Reject all ${count}`, 'Take all back', all(each => each.reject()));
  }

  private _onRun(_: unknown, { cell }: { cell: Cell }): void {
    for (const opened of this._opened) {
      // A cell that would be changed is run as it was.
      if (opened.cell === cell && !opened.bar.node.querySelector('.jp-claude-diff')) {
        opened.accept();
      }
    }
  }

  private _opened = new Set<Open>();
}

const SIGNS: Record<Line['kind'], string> = { same: ' ', added: '+', removed: '-' };

function row(line: Line): HTMLElement {
  const node = document.createElement('div');
  node.className = `jp-claude-diff-line jp-mod-${line.kind}`;
  node.textContent = `${SIGNS[line.kind]} ${line.text}`;
  return node;
}
