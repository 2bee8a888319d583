/** What the widgets make their views of. */

/**
 * Without this, JupyterLab takes keys for its own: Enter on a button edits the cell, and the "i" of
 * a model's name interrupts the kernel. It looks at what has the focus before what is around it.
 */
export const QUIET = { "data-lm-suppress-shortcuts": "true" };

/** Make an element; a text is set as text, never as HTML. */
export function element(tag, className, text, attributes = {}) {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text ?? "";
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  return node;
}
