import { describe, expect, it } from 'vitest';
import { Screen } from '../../../scripts/run-picture/Screen.ts';
import { terminalPicture } from '../../../scripts/run-picture/svg.ts';

function shown(columns: number, output: string): string[] {
  const screen = new Screen(columns);
  screen.write(output);
  return screen.lines().map((row) => row.map(({ text }) => text).join(''));
}

describe('the picture of a run', () => {
  it('shows what a terminal shows after cursor moves and erasures', () => {
    expect(
      shown(20, 'old line\r\nbar 10%\r\n\u001b[2A\rnew\u001b[K\r\nbar 20%\u001b[K\r\n'),
    ).toEqual(['new', 'bar 20%']);
    expect(shown(20, 'a\r\nb\r\nc\u001b[2A\r\u001b[J')).toEqual([]);
    expect(shown(4, 'abcdef')).toEqual(['abcd', 'ef']);
  });

  it('keeps colours and draws what XML cannot hold as text', () => {
    const screen = new Screen(20);
    screen.write('\u001b[32m<done>\u001b[0m & \u001b[2mdim\u001b[0m');
    const picture = terminalPicture(screen.lines(), 20);
    expect(picture).toContain('fill="#98c379">&lt;done&gt;</text>');
    expect(picture).toContain('opacity="0.5">dim</text>');
    expect(picture).toContain('&amp;');
  });
});
