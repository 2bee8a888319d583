/**
 * Without this, JupyterLab takes keys for its own: Enter on a button edits the cell, and the "i" of
 * a model's name interrupts the kernel. It looks at what has the focus before what is around it.
 */
export const QUIET = { 'data-lm-suppress-shortcuts': 'true' };

/** Make an element; a text is set as text, never as HTML. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className: string,
  text = '',
  attributes: Record<string, string> = {}
): HTMLElementTagNameMap[Tag] {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  return node;
}

/** Set a text only if it changes, because a live region announces every setting. */
export function say(node: HTMLElement, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
  node.hidden = text === '';
}

/** Tell whether a control can be used. Not `disabled`: that would take the focus away. */
export function able(node: Element): boolean {
  return node.getAttribute('aria-disabled') !== 'true';
}

/** Set whether a control can be used. */
export function enable(node: Element, enabled: boolean): void {
  node.setAttribute('aria-disabled', String(!enabled));
}
