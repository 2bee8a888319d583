import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import type { Link } from './link';
import { ILinks } from './links';
import { QuestionCard, type Choice } from './question_card';
import { ask } from './request';
import { SUPPORTED } from './top_layer';

export const question: JupyterFrontEndPlugin<void> = {
  id: 'claude-magic:question',
  description: 'Shows permission requests in front of everything else on the page.',
  autoStart: true,
  requires: [ILinks],
  activate: (_, links: ILinks) => {
    // A page that can show none leaves them to the kernel, which asks in text.
    if (SUPPORTED) {
      links.each(link => new Questions(link));
    }
  }
};

/** The cards that are shown, by the link of their notebook. */
const CARDS = new WeakMap<Link, QuestionCard>();

/** Put the focus into the open request of a notebook, if there is one. */
export function focusQuestion(link: Link): void {
  CARDS.get(link)?.focus();
}

/** Shows the open permission request of one notebook's kernel, whenever there is one. */
class Questions {
  constructor(private _link: Link) {
    _link.changed.connect(this._follow, this);
    _link.panel.disposed.connect(this._close, this);
    this._follow();
  }

  private _follow(): void {
    const address = this._link.state?.question ?? null;
    if (address === this._address) {
      return;
    }
    this._close();
    this._address = address;
    if (address !== null) {
      void this._open(address);
    }
  }

  private async _open(address: string): Promise<void> {
    const { kernel, panel } = this._link;
    const shown = await this._link.question().catch(() => null);
    if (kernel === null || shown?.address !== address || this._address !== address) {
      return;
    }
    // Whoever says this shows the request, as soon as its notebook is in front.
    const reply = await ask(kernel, address, { do: 'ready' }).catch(() => null);
    if (reply === null || reply['over'] || this._address !== address || panel.isDisposed) {
      return;
    }
    const answer = async (choice: Choice, reason: string) => {
      await ask(kernel, address, { do: 'answer', choice, reason });
      // It is the kernel's word that counts, but until then there is nothing more to press.
      this._close();
      this._address = address;
    };
    this._card = new QuestionCard(shown, panel, answer);
    CARDS.set(this._link, this._card);
  }

  private _close(): void {
    this._address = null;
    this._card?.dispose();
    this._card = null;
    CARDS.delete(this._link);
  }

  private _address: string | null = null;
  private _card: QuestionCard | null = null;
}
