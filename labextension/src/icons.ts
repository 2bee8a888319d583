import { LabIcon } from '@jupyterlab/ui-components';

function icon(name: string, path: string): LabIcon {
  return new LabIcon({
    name: `claude-magic:${name}`,
    // Lab's themes colour the strokes of this class.
    svgstr:
      '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">' +
      '<g class="jp-icon3" style="fill:none" stroke="#616161" stroke-width="1.5"' +
      ` stroke-linecap="round" stroke-linejoin="round">${path}</g></svg>`
  });
}

/** Eight rays. */
export const askIcon = icon('ask', '<path d="M8 2v12M2 8h12M3.8 3.8l8.4 8.4M12.2 3.8l-8.4 8.4"/>');

/** A hand's palm, as a square in an octagon. */
export const stopIcon = icon(
  'stop',
  '<path d="M5.5 2h5L14 5.5v5L10.5 14h-5L2 10.5v-5z"/><path d="M6.5 6.5h3v3h-3z"/>'
);

/** What opens downwards. */
export const menuIcon = icon('menu', '<path d="M4 6l4 4 4-4"/>');
