import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Widget } from '@lumino/widgets';

import questionView from '../../claude_magic/widgets/permission_question.js';
import type { Link } from './link';
import { ILinks } from './links';
import type { OpenQuestion } from './wire';

export const question: JupyterFrontEndPlugin<void> = {
  id: 'claude-magic:question',
  description: 'Shows a permission question again when the page is loaded anew.',
  autoStart: true,
  requires: [ILinks],
  activate: (_, links: ILinks) => {
    links.each(link => link.found.connect(() => void showAgain(link)));
  }
};

/** The address of the question that was shown again last, by link: kernels are found twice. */
const SHOWN = new WeakMap<Link, string>();

/**
 * Show the open question of a kernel above its notebook, until it is answered. Its widget was in
 * the output of the running cell, which a page that is loaded anew does not get.
 */
async function showAgain(link: Link): Promise<void> {
  const { panel, kernel, state } = link;
  if (
    !state?.question ||
    state.question === SHOWN.get(link) ||
    panel.content.node.querySelector('.claude-magic-question')
  ) {
    return;
  }
  SHOWN.set(link, state.question);
  const shown = await link.question().catch(() => null);
  if (shown === null || panel.isDisposed) {
    return;
  }
  const view = new Again(shown, kernel);
  panel.contentHeader.addWidget(view);
  const follow = () => {
    if (link.state?.question !== shown.address) {
      link.changed.disconnect(follow);
      view.dispose();
    }
  };
  link.changed.connect(follow);
  follow();
}

class Again extends Widget {
  constructor(shown: OpenQuestion, kernel: Link['kernel']) {
    super();
    this.addClass('jp-claude-question');
    this._forget = questionView.render({
      model: { get: () => shown, widget_manager: { kernel } },
      el: this.node
    });
  }

  /** The header gives its widgets no more than the height that they insist on. */
  protected override onAfterAttach(): void {
    requestAnimationFrame(() => {
      const height = this.node.firstElementChild?.scrollHeight ?? 0;
      this.node.style.minHeight = `${height + 24}px`;
      this.parent?.fit();
    });
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._forget();
    }
    super.dispose();
  }

  private _forget: () => void;
}
