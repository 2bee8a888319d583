/** The check whether the user sees the whole of an element, which no other element may cover. */

/** A piece of text that has to be readable, and the text that it has to show. */
export interface Readable {
  readonly node: HTMLElement;
  readonly text: string;
}

const NOT_WHOLE = 'The window is too small to show all of this request.';
export const COVERED = 'Something on this page covers this request.';
const ALTERED = 'Something on this page changes how this request looks.';

/** Distance between the points that are tested, in CSS pixels. */
const SPACING = 16;

/** Most points in a row and in a column. */
const MOST_POINTS = 24;

/** Distance of the outermost points from the edge, within rounded corners, in CSS pixels. */
const INSET = 4;

/** The least contrast of a text with its background. Themes have at least 3. */
const LEAST_CONTRAST = 2;

/** The smallest readable text, in CSS pixels. */
const LEAST_FONT = 8;

/** Most coloured pieces of code that are looked at one by one. */
const MOST_PIECES = 4000;

/** What these properties have to be for an element to look as it is. */
const PLAIN: readonly [property: string, value: string][] = [
  ['visibility', 'visible'],
  ['opacity', '1'],
  ['filter', 'none'],
  ['transform', 'none'],
  ['translate', 'none'],
  ['rotate', 'none'],
  ['scale', 'none'],
  ['clip-path', 'none'],
  ['mask-image', 'none'],
  ['mix-blend-mode', 'normal'],
  ['zoom', '1']
];

/** Return why a card is not fully visible; null if it is. Reads only the geometry and styles. */
export function obstacle(card: HTMLElement, parts: readonly HTMLElement[]): string | null {
  const rect = card.getBoundingClientRect();
  if (!fits(rect) || !holds(card, parts)) {
    return NOT_WHOLE;
  }
  for (const node of [document.documentElement, document.body, card, ...parts]) {
    if (!looksPlain(node, node !== document.documentElement && node !== document.body)) {
      return ALTERED;
    }
  }
  return covered(card, rect) ? COVERED : null;
}

/** Return why texts cannot be read as they are; null if they can. Takes longer for long texts. */
export function unreadable(texts: readonly Readable[]): string | null {
  const readable = texts.every(
    // What is rendered: without what a style hides, with what one transforms.
    ({ node, text }) =>
      squeezed(node.innerText) === squeezed(text) &&
      legible(node) &&
      looksPlain(node, true) &&
      sample([...node.querySelectorAll<HTMLElement>('*')]).every(
        each => legible(each) && looksPlain(each, true) && inPlace(each)
      )
  );
  return readable ? null : ALTERED;
}

/** Return as many elements as can be looked at in a moment. */
function sample(nodes: HTMLElement[]): HTMLElement[] {
  return nodes.length <= MOST_PIECES
    ? nodes
    : Array.from({ length: MOST_PIECES }, () => nodes[Math.floor(Math.random() * nodes.length)]!);
}

function inPlace(node: HTMLElement): boolean {
  const style = getComputedStyle(node);
  return style.position === 'static' && style.cssFloat === 'none';
}

/** Spaces at the ends of lines and of the text depend on how a browser renders them. */
function squeezed(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** Tell whether a rectangle is in what the window shows, also where the user has zoomed in. */
function fits(rect: DOMRect): boolean {
  const view = window.visualViewport;
  const [left, top, width, height] =
    view === null
      ? [0, 0, window.innerWidth, window.innerHeight]
      : [view.offsetLeft, view.offsetTop, view.width, view.height];
  const slack = 1;
  return (
    rect.width > 0 &&
    rect.height > 0 &&
    rect.left >= left - slack &&
    rect.top >= top - slack &&
    rect.right <= left + width + slack &&
    rect.bottom <= top + height + slack
  );
}

/** Tell whether a card shows its parts, each of them whole. */
function holds(card: HTMLElement, parts: readonly HTMLElement[]): boolean {
  const outer = card.getBoundingClientRect();
  return parts.every(part => {
    if (part.hidden) {
      return true;
    }
    const inner = part.getBoundingClientRect();
    return (
      inner.width > 0 &&
      inner.height >= LEAST_FONT &&
      inner.left >= outer.left &&
      inner.top >= outer.top &&
      inner.right <= outer.right + 1 &&
      inner.bottom <= outer.bottom + 1
    );
  });
}

function looksPlain(node: HTMLElement, whole: boolean): boolean {
  if (node.hidden && whole) {
    return true;
  }
  const style = getComputedStyle(node);
  for (const [property, value] of PLAIN) {
    const found = style.getPropertyValue(property);
    // A browser that does not know a property has nothing to say of it.
    if (found !== '' && found !== value) {
      return false;
    }
  }
  if (!whole) {
    return true;
  }
  return (
    ['::before', '::after'].every(pseudo =>
      ['none', 'normal'].includes(getComputedStyle(node, pseudo).content)
    ) && style.pointerEvents !== 'none'
  );
}

/** Tell whether any point of a card is not the card's. */
function covered(card: HTMLElement, rect: DOMRect): boolean {
  const across = points(rect.left, rect.right);
  const down = points(rect.top, rect.bottom);
  return down.some(y =>
    across.some(x => {
      const hit = document.elementFromPoint(x, y);
      return hit === null || !card.contains(hit);
    })
  );
}

/** Points from edge to edge, not always the same ones so that nothing fits between them. */
function points(start: number, end: number): number[] {
  const first = start + INSET;
  const last = end - INSET;
  const gaps = Math.min(MOST_POINTS, Math.ceil((last - first) / SPACING));
  const gap = (last - first) / gaps;
  const between = Array.from(
    { length: Math.max(0, gaps - 1) },
    (_, n) => first + gap * (n + 0.5 + Math.random())
  );
  return [first, ...between, last];
}

// -- colours ---------------------------------------------------------------------------------------

/** Tell whether the text of an element has a size and a colour that can be read. */
function legible(node: HTMLElement): boolean {
  const style = getComputedStyle(node);
  const ink = rgba(style.getPropertyValue('-webkit-text-fill-color') || style.color);
  return (
    parseFloat(style.fontSize) >= LEAST_FONT &&
    Math.abs(parseFloat(style.textIndent)) < 1 &&
    contrast(over(ink, ground(node)), ground(node)) >= LEAST_CONTRAST
  );
}

type Colour = readonly [red: number, green: number, blue: number, alpha: number];

let canvas: CanvasRenderingContext2D | null = null;
const COLOURS = new Map<string, Colour>();

/** Resolve any CSS colour, such as one of color-mix. */
function rgba(colour: string): Colour {
  const known = COLOURS.get(colour);
  if (known !== undefined) {
    return known;
  }
  canvas ??= Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', {
    willReadFrequently: true
  });
  if (canvas === null) {
    return [0, 0, 0, 1];
  }
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0, alpha = 0] = canvas.getImageData(0, 0, 1, 1).data;
  const found: Colour = [red, green, blue, alpha / 255];
  COLOURS.set(colour, found);
  return found;
}

/** Return the colour behind an element's text, as far as plain backgrounds make it. */
function ground(node: HTMLElement): Colour {
  let colour: Colour = [255, 255, 255, 1];
  const layers: Colour[] = [];
  for (let each: HTMLElement | null = node; each !== null; each = each.parentElement) {
    const layer = rgba(getComputedStyle(each).backgroundColor);
    layers.push(layer);
    if (layer[3] === 1) {
      break;
    }
  }
  for (const layer of layers.reverse()) {
    colour = over(layer, colour);
  }
  return colour;
}

function over(top: Colour, bottom: Colour): Colour {
  const mix = (one: number, other: number) => one * top[3] + other * (1 - top[3]);
  return [mix(top[0], bottom[0]), mix(top[1], bottom[1]), mix(top[2], bottom[2]), 1];
}

/** The contrast ratio of WCAG, from 1 to 21. */
function contrast(one: Colour, other: Colour): number {
  const light = (colour: Colour) => {
    const linear = (part: number) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2]);
  };
  const [low, high] = [light(one), light(other)].sort((a, b) => a - b) as [number, number];
  return (high + 0.05) / (low + 0.05);
}
