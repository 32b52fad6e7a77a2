import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/** What the compiler says to a file of a folder that does nothing but use a name. */
function complaints(folder: string, statement: string): string[] {
  const configuration = path.resolve(folder, 'tsconfig.json');
  const parsed = ts.getParsedCommandLineOfConfigFile(configuration, undefined, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: ({ messageText }) => {
      throw new Error(ts.flattenDiagnosticMessageText(messageText, '\n'));
    },
  });
  if (parsed === undefined) throw new Error(`${configuration} cannot be read`);
  const probe = path.resolve(folder, 'Probe.ts');
  const host = ts.createCompilerHost(parsed.options);
  const readSource = host.getSourceFile.bind(host);
  host.getSourceFile = (file, options, ...rest) =>
    file === probe
      ? ts.createSourceFile(file, `${statement}\nexport {};`, options)
      : readSource(file, options, ...rest);
  const program = ts.createProgram({ rootNames: [probe], options: parsed.options, host });
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

describe('folders that know no machine', () => {
  const pure = ['src-core', 'src-contract', 'src-words'];
  const names = ['process.pid', 'document.title', 'fetch("")', 'Buffer.alloc(1)', 'console.log'];

  it.each(pure.flatMap((folder) => names.map((name) => [folder, name] as const)))(
    '%s does not compile with %s',
    (folder, name) => {
      expect(complaints(folder, `void ${name};`).join('\n')).toMatch(/^Cannot find name/);
    },
  );

  it('still compile with the language itself', () => {
    expect(complaints('src-core', 'void new Map([[1, Promise.resolve(2)]]);')).toEqual([]);
  });

  it('are unlike those that do', () => {
    expect(complaints('src-drives', 'void process.pid; void Buffer.alloc(1);')).toEqual([]);
    expect(complaints('src-drives', 'void document.title;').join()).toMatch(/^Cannot find name/);
  });
});
