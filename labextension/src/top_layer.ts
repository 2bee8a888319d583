/**
 * The browser's top layer: nothing else on a page is painted above what is in it, and within it the
 * element that was opened last is above the others.
 */

/** The elements of ours, which do not count as foreign ones. */
const OWN = new WeakSet<Element>();

const POPOVER = 'popover' in HTMLElement.prototype && 'showPopover' in HTMLElement.prototype;
const DIALOG = typeof HTMLDialogElement === 'function' && 'showModal' in HTMLDialogElement.prototype;

/** Selectors of everything that can be in the top layer, as far as the browser knows them. */
const SELECTOR = [':popover-open', ':modal', 'dialog:modal', ':fullscreen']
  .filter(selector => CSS.supports(`selector(${selector})`))
  .join(',');

/** Whether the browser has a top layer that we can use. */
export const SUPPORTED = POPOVER || DIALOG;

/** Make an element that can be in the top layer. In older browsers, it is a modal dialog. */
export function topElement(): HTMLElement {
  const node = document.createElement(POPOVER ? 'section' : 'dialog');
  if (POPOVER) {
    node.popover = 'manual';
  } else {
    // Escape would close it.
    node.addEventListener('cancel', event => event.preventDefault());
  }
  OWN.add(node);
  return node;
}

/** Tell whether an element of ours is in the top layer. */
export function isRaised(node: HTMLElement): boolean {
  return POPOVER ? node.matches(':popover-open') : (node as HTMLDialogElement).open;
}

/** Put an element of ours into the top layer, above everything that is there. */
export function raise(node: HTMLElement): void {
  lower(node);
  if (!node.isConnected) {
    document.body.append(node);
  }
  if (POPOVER) {
    node.showPopover();
  } else {
    (node as HTMLDialogElement).showModal();
  }
}

/** Take an element of ours out of the top layer, and with it out of sight. */
export function lower(node: HTMLElement): void {
  if (!isRaised(node)) {
    return;
  }
  if (POPOVER) {
    node.hidePopover();
  } else {
    (node as HTMLDialogElement).close();
  }
}

/** Return all that is in the top layer and not ours. */
export function foreign(): Element[] {
  return SELECTOR ? [...document.querySelectorAll(SELECTOR)].filter(each => !OWN.has(each)) : [];
}
