import type { Cell, Style } from './Screen.ts';

/** Pixels. */
const CHARACTER = { width: 7.8, height: 18, size: 13 };
const MARGIN = 16;

const colours = [
  '#3b4252',
  '#e06c75',
  '#98c379',
  '#e5c07b',
  '#61afef',
  '#c678dd',
  '#56b6c2',
  '#fff',
];

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function attributes({ bold, dim, colour }: Style): string {
  const weight = bold ? ' font-weight="bold"' : '';
  const opacity = dim ? ' opacity="0.5"' : '';
  const fill = colour === null ? '' : ` fill="${colours[colour] ?? ''}"`;
  return `${weight}${opacity}${fill}`;
}

/** A line as runs of characters that look alike, each at its own column, whatever font there is. */
function lineText(cells: readonly Cell[], y: number): string {
  const runs: { column: number; text: string; look: string }[] = [];
  cells.forEach(({ text, style }, column) => {
    const look = attributes(style);
    const last = runs.at(-1);
    if (last?.look === look) last.text += text;
    else runs.push({ column, text, look });
  });
  return runs
    .filter(({ text }) => text.trim() !== '')
    .map(({ column, text, look }) => {
      const x = (MARGIN + column * CHARACTER.width).toFixed(1);
      const length = (Array.from(text).length * CHARACTER.width).toFixed(1);
      const place = `x="${x}" y="${String(y)}" textLength="${length}"`;
      return `<text ${place} xml:space="preserve"${look}>${escape(text)}</text>`;
    })
    .join('\n');
}

/** A picture of a terminal that shows these lines. */
export function terminalPicture(lines: readonly (readonly Cell[])[], columns: number): string {
  const width = 2 * MARGIN + Math.ceil(columns * CHARACTER.width);
  const height = 2 * MARGIN + lines.length * CHARACTER.height;
  const size = `width="${String(width)}" height="${String(height)}"`;
  const font = `font-family="ui-monospace, Menlo, Consolas, monospace" font-size="${String(CHARACTER.size)}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${String(width)} ${String(height)}">`,
    `<rect ${size} rx="8" fill="#1e222a"/>`,
    `<g ${font} fill="#d8dee9">`,
    ...lines.map((cells, index) => lineText(cells, MARGIN + (index + 0.75) * CHARACTER.height)),
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}
