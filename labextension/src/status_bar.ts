import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import type { Link } from './link';
import { ILinks } from './links';
import { openMenu } from './menu';
import { statusText } from './status_text';
import { VERSION } from './wire';

class StatusItem extends Widget {
  constructor(private _onClick: () => void) {
    super({ node: document.createElement('button') });
    this.addClass('jp-claude-status');
    this.node.append(this._dot, this._text);
    this._dot.className = 'jp-claude-dot';
    this._text.className = 'jp-claude-text';
  }

  show_(link: Link): void {
    const [text, more] = statusText(link);
    this.node.dataset['state'] = link.session?.state ?? 'none';
    this.node.classList.toggle('jp-mod-differs', ![null, VERSION].includes(link.version));
    this._text.textContent = `Claude: ${text}`;
    this.node.title = more;
  }

  handleEvent(): void {
    this._onClick();
  }

  protected override onAfterAttach(): void {
    this.node.addEventListener('click', this);
  }

  protected override onBeforeDetach(): void {
    this.node.removeEventListener('click', this);
  }

  private _dot = document.createElement('span');
  private _text = document.createElement('span');
}

export const statusBar: JupyterFrontEndPlugin<void> = {
  id: 'claude-magic:status-bar',
  description: 'Shows how the conversation of the notebook in front stands.',
  autoStart: true,
  requires: [ILinks, IStatusBar],
  activate: (app: JupyterFrontEnd, links: ILinks, bar: IStatusBar) => {
    const item = new StatusItem(() => {
      if (links.current !== null) {
        const { left, top } = item.node.getBoundingClientRect();
        openMenu(app.commands, links.current, left, top);
      }
    });
    const active = new Signal<StatusItem, void>(item);
    links.changed.connect(() => {
      if (links.current !== null) {
        item.show_(links.current);
      }
      active.emit();
    });
    bar.registerStatusItem('claude-magic:status', {
      item,
      align: 'left',
      rank: 4,
      isActive: () => links.current?.python ?? false,
      activeStateChanged: active
    });
  }
};
