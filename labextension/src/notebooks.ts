import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import type { Cell, ICodeCellModel } from '@jupyterlab/cells';

/** Find a cell by its id; null where the notebook has none. */
export function findCell(panel: NotebookPanel, id: string): Cell | null {
  return panel.content.widgets.find(cell => cell.model.id === id) ?? null;
}

/** Insert a cell below another one, or in the place of the other one where that is empty. */
export function insertBelow(panel: NotebookPanel, cell: Cell | null, source: string): Cell | null {
  const notebook = panel.content;
  const found = cell === null ? -1 : notebook.widgets.indexOf(cell);
  const before = found < 0 ? notebook.activeCellIndex : found;
  notebook.activeCellIndex = before;
  const active = notebook.activeCell;
  if (active?.model.type !== 'code' || active.model.sharedModel.getSource().trim() !== '') {
    NotebookActions.insertBelow(notebook);
  }
  notebook.activeCell?.model.sharedModel.setSource(source);
  return notebook.activeCell;
}

/** Insert a cell and run it; returns the type of the exception that it fails with, or null. */
export async function runBelow(
  panel: NotebookPanel,
  cell: Cell | null,
  source: string
): Promise<string | null> {
  const inserted = insertBelow(panel, cell, source);
  if (inserted === null) {
    return 'NoCell';
  }
  const ran = await NotebookActions.runCells(panel.content, [inserted], panel.sessionContext);
  return errorName(inserted) ?? (ran ? null : 'NotRun');
}

/** Return the type of the exception that a cell has failed with; null where it has not. */
function errorName(cell: Cell): string | null {
  if (cell.model.type !== 'code') {
    return null;
  }
  const outputs = (cell.model as ICodeCellModel).outputs.toJSON();
  const failure = outputs.find(output => output.output_type === 'error');
  return failure === undefined ? null : String(failure['ename']);
}
