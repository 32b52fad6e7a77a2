/**
 * Who may import whom, and whose package is whose: the one table from which the import rules, the
 * check of the dependencies and their tests are made. A folder is a process, or what processes stand on.
 */
export interface Folder {
  /** Folders of the project it may import from, besides itself. */
  readonly mayImport: readonly string[];
  /** Packages that only it may import; see {@link sharedPackages}. */
  readonly packages: readonly string[];
}

export const folders: Readonly<Record<string, Folder>> = {
  'src-core': { mayImport: [], packages: ['zod'] },
  'src-contract': { mayImport: ['src-core'], packages: ['zod'] },
  'src-words': { mayImport: ['src-core'], packages: ['i18next'] },
  'src-drives': { mayImport: ['src-core'], packages: [] },
  'src-image': { mayImport: ['src-core'], packages: ['node-liblzma', 'saxes'] },
  'src-services': {
    mayImport: ['src-core', 'src-contract', 'src-drives', 'src-image'],
    packages: [],
  },
  'src-writer': {
    mayImport: ['src-core', 'src-contract', 'src-drives', 'src-image'],
    packages: [],
  },
  'src-cli': {
    mayImport: ['src-core', 'src-contract', 'src-words', 'src-services'],
    packages: ['commander'],
  },
};

/** Schemas describe both the domain's values and what crosses a process, in one language. */
export const sharedPackages: readonly string[] = ['zod'];

/**
 * The privileged program stays small and never meets image bytes: what it may not import although
 * its folder may.
 */
export const supervisorMayNotImport: readonly string[] = ['src-image', 'src-writer/engine'];

/** What is wrong between the table and the dependencies of package.json, in sentences. */
export function ownershipProblems(
  dependencies: readonly string[],
  table: Readonly<Record<string, Folder>> = folders,
): string[] {
  const problems: string[] = [];
  const owners = (name: string) =>
    Object.keys(table).filter((folder) => table[folder]?.packages.includes(name));
  for (const name of dependencies) {
    const count = owners(name).length;
    if (count === 0) problems.push(`${name} has no owning folder: give it a row, or remove it`);
    if (count > 1 && !sharedPackages.includes(name)) {
      problems.push(`${name} has several owning folders: ${owners(name).join(', ')}`);
    }
  }
  for (const name of new Set(Object.values(table).flatMap(({ packages }) => packages))) {
    if (!dependencies.includes(name)) {
      problems.push(`${name} has an owner (${owners(name).join(', ')}) and is no dependency`);
    }
  }
  return problems;
}
