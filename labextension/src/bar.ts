import { Widget } from '@lumino/widgets';

/** A line with a few words and buttons, within a cell. */
export class Bar extends Widget {
  constructor(text = '') {
    super();
    this.addClass('jp-claude-bar');
    if (text) {
      this.addText(text);
    }
  }

  addText(text: string): HTMLElement {
    const span = document.createElement('span');
    span.className = 'jp-claude-bar-text';
    span.textContent = text;
    this.node.append(span);
    return span;
  }

  addButton(label: string, title: string, onClick: () => void): HTMLButtonElement {
    const button = document.createElement('button');
    button.textContent = label;
    button.title = title;
    button.addEventListener('click', event => {
      // A click must not select the cell, nor put its editor to sleep.
      event.stopPropagation();
      onClick();
    });
    this.node.append(button);
    return button;
  }
}
