import type { ICruiseOptions, IForbiddenRuleType } from 'dependency-cruiser';
import { folders, supervisorMayNotImport } from './architecture.ts';

const anyOf = (names: readonly string[]) =>
  `^(${names.map((name) => name.replaceAll('.', '\\.')).join('|')})/`;

const packagePath = (names: readonly string[]) => `(^|/)node_modules/(${names.join('|')})/`;

const folderRules: IForbiddenRuleType[] = Object.entries(folders).map(
  ([folder, { mayImport }]) => ({
    name: `${folder} imports only what it may`,
    severity: 'error',
    from: { path: anyOf([folder]) },
    to: {
      // package.json: the program's own version.
      pathNot: `${anyOf([folder, ...mayImport])}|(^|/)node_modules/|^package\\.json$`,
      dependencyTypesNot: ['core'],
      couldNotResolve: false,
    },
  }),
);

const packageRules: IForbiddenRuleType[] = Object.entries(folders).map(
  ([folder, { packages }]) => ({
    name: `${folder} uses only its own packages`,
    severity: 'error',
    from: { path: anyOf([folder]) },
    to: {
      path: '(^|/)node_modules/',
      ...(packages.length > 0 && { pathNot: packagePath(packages) }),
    },
  }),
);

/** What dependency-cruiser forbids, made from the table of folders. */
export const forbidden: IForbiddenRuleType[] = [
  ...folderRules,
  ...packageRules,
  {
    name: 'the supervisor stays away from image bytes',
    severity: 'error',
    from: { path: '^src-writer/supervisor/' },
    to: { path: anyOf(supervisorMayNotImport) },
  },
  {
    name: 'the engine does not know the supervisor',
    severity: 'error',
    from: { path: '^src-writer/engine/' },
    to: { path: '^src-writer/supervisor/' },
  },
  {
    name: 'no cycles',
    severity: 'error',
    from: {},
    // Types are gone when the program runs.
    to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
  },
  { name: 'imports resolve', severity: 'error', from: {}, to: { couldNotResolve: true } },
];

export const options: ICruiseOptions = {
  doNotFollow: { path: 'node_modules' },
  exclude: { path: '(^|/)(dist|\\.cache)/' },
  tsPreCompilationDeps: true,
  enhancedResolveOptions: {
    extensions: ['.ts', '.mjs', '.js', '.d.ts'],
    exportsFields: ['exports'],
    conditionNames: ['import', 'node', 'types', 'default'],
  },
};
