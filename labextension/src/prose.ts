import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ICellModel } from '@jupyterlab/cells';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';

import { isPrompt } from './prompt';

const PROSE = 'text/x-markdown';

export const prose: JupyterFrontEndPlugin<void> = {
  id: 'claude-magic:prose',
  description: 'Shows the text of %%claude cells as Markdown.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_, tracker: INotebookTracker) => {
    const follow = (panel: NotebookPanel) => {
      const seen = new WeakSet<ICellModel>();
      const look = () => {
        for (const cell of panel.content.model?.cells ?? []) {
          if (cell.type === 'code' && !seen.has(cell)) {
            seen.add(cell);
            keepProse(cell, () => panel.content.codeMimetype);
          }
        }
      };
      void panel.context.ready.then(() => {
        panel.content.model?.cells.changed.connect(look);
        look();
      });
    };
    tracker.forEach(follow);
    tracker.widgetAdded.connect((_, panel) => follow(panel));
  }
};

/** Give a cell the type of its text; nothing of it is written into the notebook. */
function keepProse(cell: ICellModel, codeType: () => string): void {
  const keep = () => {
    const prompt = isPrompt(cell.sharedModel.getSource());
    if (prompt && cell.mimeType !== PROSE) {
      cell.mimeType = PROSE;
    } else if (!prompt && cell.mimeType === PROSE) {
      cell.mimeType = codeType();
    }
  };
  cell.contentChanged.connect(keep);
  cell.mimeTypeChanged.connect(keep);
  keep();
}
