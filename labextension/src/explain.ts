import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { PanelLayout } from '@lumino/widgets';

import { Bar } from './bar';
import { CommandIds } from './commands';
import type { Link } from './link';
import { ILinks } from './links';
import { findCell } from './notebooks';

export const explain: JupyterFrontEndPlugin<void> = {
  id: 'claude-magic:explain',
  description: 'Offers an explanation below the cell that failed last.',
  autoStart: true,
  requires: [ILinks],
  activate: (app: JupyterFrontEnd, links: ILinks) => {
    links.each(link => {
      let offer: Offer | null = null;
      const onClick = () => {
        offer?.bar.dispose();
        void app.commands.execute(CommandIds.explain);
      };
      link.changed.connect(() => {
        const failed = link.state?.failed ?? null;
        // One that was taken up is not made again for the same failure.
        if (offer !== null && offer.failed !== failed) {
          offer.bar.dispose();
          offer = null;
        }
        if (offer === null && failed !== null) {
          offer = offerBelow(link, failed, onClick);
        }
      });
    });
  }
};

interface Offer {
  failed: string;
  bar: Bar;
}

function offerBelow(link: Link, failed: string, onClick: () => void): Offer | null {
  const cell = findCell(link.panel, failed);
  if (cell === null) {
    return null;
  }
  const bar = new Bar();
  bar.addClass('jp-claude-explain');
  bar.addButton('Explain with Claude', 'Insert a %claude_fix cell below and run it', onClick);
  void cell.ready.then(() => {
    const layout = cell.layout as PanelLayout;
    // Above the cell's footer, which is empty.
    layout.insertWidget(layout.widgets.length - 1, bar);
  });
  return { failed, bar };
}
